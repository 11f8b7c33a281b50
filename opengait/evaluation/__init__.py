"""Distances, rankings and evaluators."""

from opengait.evaluation.distance import cuda_dist
from opengait.evaluation.overlap import mean_iou
from opengait.evaluation.ranking import RankMetrics, rank_metrics
from opengait.evaluation.reranking import re_ranking

__all__ = ["RankMetrics", "cuda_dist", "mean_iou", "rank_metrics", "re_ranking"]
