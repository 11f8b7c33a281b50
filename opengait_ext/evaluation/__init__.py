"""Evaluation of visible-infrared retrieval."""

from opengait_ext.evaluation.bootstrap import intervals_of
from opengait_ext.evaluation.evaluator import evaluate_cross_modal
from opengait_ext.evaluation.metrics import chance_rank1, cross_modal_metrics
from opengait_ext.evaluation.protocol import BUPT_CAMPUS, HITSZ_VCM, PROTOCOLS, Direction, Protocol, protocol_for

__all__ = [
    "BUPT_CAMPUS",
    "HITSZ_VCM",
    "PROTOCOLS",
    "Direction",
    "Protocol",
    "chance_rank1",
    "cross_modal_metrics",
    "evaluate_cross_modal",
    "intervals_of",
    "protocol_for",
]
