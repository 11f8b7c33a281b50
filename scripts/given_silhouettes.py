"""Former name of `vvi given-silhouettes`."""

from _vvi import main

if __name__ == "__main__":
    main("given-silhouettes")
