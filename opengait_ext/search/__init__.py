"""Search of a gallery: descriptors of any footage, and the gallery tracklets nearest to a query."""

from opengait_ext.search.describer import Describer, load_describer
from opengait_ext.search.descriptors import Descriptors, load_descriptors, npz_path, save_descriptors
from opengait_ext.search.galleries import (
    create_gallery,
    is_gallery,
    open_any,
    open_gallery,
    open_if_there,
    open_or_create,
)
from opengait_ext.search.gallery import Gallery
from opengait_ext.search.inputs import Clip, Pictures, find_clips
from opengait_ext.search.matching import Candidate, QueryResult, search
from opengait_ext.search.milvus import MilvusGallery

__all__ = [
    "Candidate",
    "Clip",
    "Describer",
    "Descriptors",
    "Gallery",
    "MilvusGallery",
    "Pictures",
    "QueryResult",
    "create_gallery",
    "find_clips",
    "is_gallery",
    "load_describer",
    "load_descriptors",
    "npz_path",
    "open_any",
    "open_gallery",
    "open_if_there",
    "open_or_create",
    "save_descriptors",
    "search",
]
