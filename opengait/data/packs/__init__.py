"""Packs: a dataset in a few large files, written, read and verified."""
