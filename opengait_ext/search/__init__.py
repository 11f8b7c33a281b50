"""Search of a gallery: descriptors of any footage, and the gallery tracklets nearest to a query."""

from opengait_ext.search.describer import Describer, load_describer
from opengait_ext.search.descriptors import Descriptors, load_descriptors, npz_path, save_descriptors
from opengait_ext.search.inputs import Clip, Pictures, find_clips
from opengait_ext.search.matching import Candidate, QueryResult, search

__all__ = [
    "Candidate",
    "Clip",
    "Describer",
    "Descriptors",
    "Pictures",
    "QueryResult",
    "find_clips",
    "load_describer",
    "load_descriptors",
    "npz_path",
    "save_descriptors",
    "search",
]
