"""Pretrained weights: a catalogue of published files, fetching, checking and reading."""
