"""A model of several datasets."""

from ..multidataset_model import MultiDatasets
from .strips import Strips


class SeveralSets(MultiDatasets):
    build_network = Strips.build_network
    forward = Strips.forward
