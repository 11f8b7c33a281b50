"""Former name of `vvi embed`."""

from _vvi import main

if __name__ == "__main__":
    main("embed")
