"""Trainings and tests that run in parallel and continue where they stopped, for ablations and the benchmark."""
