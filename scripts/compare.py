"""Former name of `vvi compare`."""

from _vvi import main

if __name__ == "__main__":
    main("compare")
