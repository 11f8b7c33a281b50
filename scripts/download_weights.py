"""Former name of `vvi download`."""

from _vvi import main

if __name__ == "__main__":
    main("download")
