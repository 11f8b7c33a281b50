"""Print the configuration reference: `python -m opengait.config [EXTENSION ...] > docs/configuration.md`."""

import sys

from opengait.config.reference import reference
from opengait.extensions import load_extensions

load_extensions(sys.argv[1:])
print(reference(), end="")
