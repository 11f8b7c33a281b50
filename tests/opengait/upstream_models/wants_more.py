"""A model that requires a missing package."""

from no_such_package_for_gait.loss import Contrast

from .strips import Strips


class WantsMore(Strips):
    loss = Contrast
