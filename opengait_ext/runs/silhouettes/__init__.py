"""Silhouettes of a trained network: as pictures, as data for other models, and compared with ground truth.

In a notebook:

    from opengait_ext.runs.silhouettes import load_silhouette_network, silhouettes_of

    network = load_silhouette_network("configs/dinogrl/demo.yaml", "output/.../checkpoint.pt", "cpu")
    maps = silhouettes_of(network, frames)  # uint8 [k, 3, h, w]
"""

from opengait_ext.data.choose import ChosenTracklet, choose_tracklets
from opengait_ext.runs.silhouettes.contact_sheet import draw_contact_sheets
from opengait_ext.runs.silhouettes.export import ExportSummary, export_silhouettes
from opengait_ext.runs.silhouettes.network import Maps, load_silhouette_network, silhouettes_of
from opengait_ext.runs.silhouettes.opengait_silhouettes import align_silhouette, write_opengait_silhouettes
from opengait_ext.runs.silhouettes.overlap import compare_with_truth, intersection_over_union
from opengait_ext.runs.silhouettes.projection import Projection

__all__ = [
    "ChosenTracklet",
    "ExportSummary",
    "Maps",
    "Projection",
    "align_silhouette",
    "choose_tracklets",
    "compare_with_truth",
    "draw_contact_sheets",
    "export_silhouettes",
    "intersection_over_union",
    "load_silhouette_network",
    "silhouettes_of",
    "write_opengait_silhouettes",
]
