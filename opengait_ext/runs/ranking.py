"""The ranking of one direction of a tested run: distances, order and metrics of its queries."""

from functools import cached_property

import numpy as np
import torch

from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait.evaluation.ranking import RankMetrics, rank_metrics
from opengait.evaluation.reranking import re_ranking
from opengait_ext.data.tracklet import parse_view
from opengait_ext.evaluation.protocol import Direction
from opengait_ext.evaluation.temporal import DESCRIPTION
from opengait_ext.runs.tested_run import TestedRun


class Ranking:
    """Queries and gallery of one direction, ranked as the test ranked them.

    Args:
        run: the test.
        direction: the direction of retrieval.

    Attributes:
        query, gallery: indices of tracklets of the run, ascending.
        cameras: camera of each tracklet of the run.
    """

    def __init__(self, run: TestedRun, direction: Direction) -> None:
        self.run = run
        self.direction = direction
        features = run.features
        types, views = features.types.tolist(), features.views.tolist()
        self.query, self.gallery = run.protocol.select(direction, types, views, run.population)
        self.cameras = np.array([parse_view(view).camera for view in views])

    @cached_property
    def distance(self) -> np.ndarray:
        """Distances, float32 (queries, gallery), re-ranked if the test's were.

        Raises:
            DataError: they were re-ranked by halves of tracklets, whose features are not saved.
        """
        embeddings = torch.from_numpy(self.run.features.embeddings)
        query, gallery = embeddings[torch.from_numpy(self.query)], embeddings[torch.from_numpy(self.gallery)]
        metric = self.run.card["distance"]["metric"]
        if self.run.card.get("re_ranking") == DESCRIPTION:
            raise DataError(
                "The test re-ranked by the halves of tracklets, whose features are not saved; test again with "
                "evaluator_cfg.rerank=false."
            )
        if self.run.card.get("re_ranking") and len(query) and len(gallery):
            both = torch.cat([query, gallery])
            return re_ranking(cuda_dist(both, both, metric), len(query)).cpu().numpy()
        return cuda_dist(query, gallery, metric).cpu().numpy()

    @cached_property
    def matches(self) -> np.ndarray:
        """Pairs of the same person, bool (queries, gallery)."""
        labels = self.run.features.labels
        return labels[self.query][:, None] == labels[self.gallery][None]

    @cached_property
    def removed(self) -> np.ndarray:
        """Pairs that the camera rule removes, bool (queries, gallery)."""
        if not self.run.protocol.camera_rule:
            return np.zeros_like(self.matches)
        return self.matches & (self.cameras[self.query][:, None] == self.cameras[self.gallery][None])

    def order(self, row: int) -> np.ndarray:
        """Return the columns of `gallery` from nearest to farthest, int (gallery); removed ones come last."""
        return np.argsort(np.where(self.removed[row], np.inf, self.distance[row]), kind="stable")

    def hits(self, row: int) -> np.ndarray:
        """Return the matches of a query in the order of `order`, bool (gallery)."""
        return (self.matches[row] & ~self.removed[row])[self.order(row)]

    @cached_property
    def metrics(self) -> RankMetrics:
        """CMC, mAP and mINP, with the average precision and the first hit of every query."""
        return self.metrics_among(np.arange(len(self.query)), np.arange(len(self.gallery)))

    @property
    def valid(self) -> np.ndarray:
        """Queries that have a match, bool (queries)."""
        return self.metrics.first_hit > 0

    def metrics_among(self, rows: np.ndarray, columns: np.ndarray) -> RankMetrics:
        """Return the metrics of some of the queries among some of the gallery.

        Args:
            rows: positions in `query`.
            columns: positions in `gallery`.
        """
        labels, query, gallery = self.run.features.labels, self.query[rows], self.gallery[columns]
        return rank_metrics(
            lambda start, stop: torch.from_numpy(self.distance[np.ix_(rows[start:stop], columns)]),
            labels[query],
            labels[gallery],
            self.cameras[query],
            self.cameras[gallery],
            drop_same_camera=self.run.protocol.camera_rule,
        )
