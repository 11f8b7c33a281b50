"""The engine: trains, tests and evaluates any gait model that a YAML file describes.

It handles tracklets, frames, labels, types and views, and is independent of methods and datasets, which are added
through `opengait.registry` (see `opengait.extensions`).
"""

__version__ = "0.2.0"
