"""Former name of `vvi search`."""

from _vvi import main

if __name__ == "__main__":
    main("search")
