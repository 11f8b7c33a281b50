"""How fast tracklets come from the disk: this project's loader beside two other ways of doing it."""
