"""Speed of loading tracklets from disk: this project's loader compared with two other ways."""
