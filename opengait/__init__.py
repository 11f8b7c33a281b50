"""The engine: trains, tests and evaluates any gait model that a YAML file describes.

It knows tracklets, frames, labels, types and views, and nothing of any particular method or data set;
those come in through `opengait.registry` (see `opengait.extensions`).
"""

__version__ = "0.2.0"
