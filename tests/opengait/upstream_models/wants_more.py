"""A model of a package that is not there."""

from no_such_package_for_gait.loss import Contrast

from .strips import Strips


class WantsMore(Strips):
    loss = Contrast
