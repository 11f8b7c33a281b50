"""Former name of `vvi check-data`."""

from _vvi import main

if __name__ == "__main__":
    main("check-data")
