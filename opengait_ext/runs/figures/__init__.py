"""Figures of tested runs: the paper's figures and those of the report."""
