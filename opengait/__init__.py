"""The engine: trains, tests and evaluates any gait model that a YAML file describes.

It knows tracklets, frames, labels, types and views, but no particular method or dataset; those are added through
`opengait.registry` (see `opengait.extensions`).
"""

__version__ = "0.1.0"
