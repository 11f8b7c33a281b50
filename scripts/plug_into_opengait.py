"""Former name of `vvi plug`."""

from _vvi import main

if __name__ == "__main__":
    main("plug")
