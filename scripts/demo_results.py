"""Former name of `vvi demo-results`."""

from _vvi import main

if __name__ == "__main__":
    main("demo-results")
