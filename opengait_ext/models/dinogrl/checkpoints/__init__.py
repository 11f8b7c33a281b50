"""Conversion between the authors' released checkpoints and those of the engine."""
