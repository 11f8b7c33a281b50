"""The training and test loops, with the state, checkpoints and results of a run."""
