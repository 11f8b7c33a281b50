"""Pretrained weights from their publishers: a catalogue, fetching and checking."""
