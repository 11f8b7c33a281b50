"""How visible-infrared retrieval is measured."""

from opengait_ext.evaluation.evaluator import evaluate_cross_modal
from opengait_ext.evaluation.metrics import chance_rank1, cross_modal_metrics

__all__ = ["chance_rank1", "cross_modal_metrics", "evaluate_cross_modal"]
