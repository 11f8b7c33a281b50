"""Former name of `vvi report`."""

from _vvi import main

if __name__ == "__main__":
    main("report")
