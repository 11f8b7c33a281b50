"""Former name of `vvi ablate`."""

from _vvi import main

if __name__ == "__main__":
    main("ablate")
