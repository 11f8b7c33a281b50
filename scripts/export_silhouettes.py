"""Former name of `vvi export-silhouettes`."""

from _vvi import main

if __name__ == "__main__":
    main("export-silhouettes")
