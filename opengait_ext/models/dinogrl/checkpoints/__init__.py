"""The authors' released checkpoints as checkpoints of the engine, and back."""
