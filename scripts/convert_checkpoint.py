"""Former name of `vvi convert`."""

from _vvi import main

if __name__ == "__main__":
    main("convert")
