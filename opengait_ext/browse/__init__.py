"""A local page to look through a gallery and search in it."""

from opengait_ext.browse.server import build_app, serve
from opengait_ext.browse.session import Session

__all__ = ["Session", "build_app", "serve"]
