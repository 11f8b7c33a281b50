"""Former name of `vvi pack`."""

from _vvi import main

if __name__ == "__main__":
    main("pack")
