"""Former name of `vvi figures`."""

from _vvi import main

if __name__ == "__main__":
    main("figures")
