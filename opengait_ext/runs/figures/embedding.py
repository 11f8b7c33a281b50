"""A map of the descriptors in which colours show people and shapes show modalities."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from opengait.errors import ConfigError
from opengait_ext.data.tracklet import Modality
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure
from opengait_ext.runs.tested_run import TestedRun, check_comparable

MARKERS = {str(Modality.VISIBLE): "o", str(Modality.INFRARED): "^"}


def project(embeddings: np.ndarray, method: str = "pca") -> np.ndarray:
    """Project descriptors (n, c, p) to the plane, float (n, 2).

    Args:
        method: "pca", the two directions of largest variance, or "tsne", which needs scikit-learn.

    Raises:
        ConfigError: the method is unknown, or scikit-learn is not installed.
    """
    flat = embeddings.reshape(len(embeddings), -1).astype(np.float64)
    if method == "pca":
        centred = flat - flat.mean(axis=0)
        left, scale, _ = np.linalg.svd(centred, full_matrices=False)
        plane = (left * scale)[:, :2]
        plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
        # The sign of a singular vector is arbitrary; fixing it makes the figure reproducible.
        return plane * np.where(plane.sum(axis=0) < 0, -1, 1)
    if method != "tsne":
        raise ConfigError(f"The method of an embedding map is pca or tsne, not {method!r}.")
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ConfigError("t-SNE needs scikit-learn: pip install scikit-learn, or choose pca.") from error
    perplexity = min(30.0, (len(flat) - 1) / 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(flat)


def draw_embedding_map(runs: Sequence[TestedRun], people: int = 12, method: str = "pca") -> Figure:
    """Draw a map of the `people` people with the most tracklets, fitted to these alone; one panel per run.

    Raises:
        ConfigError: see `project`.
        DataError: the runs tested different tracklets.
    """
    check_comparable(runs)
    features = runs[0].features
    names, counts = np.unique(features.labels, return_counts=True)
    chosen = sorted(names[np.argsort(-counts, kind="stable")[:people]])
    kept = np.isin(features.labels, chosen)
    labels, types = features.labels[kept], features.types[kept]
    with rc_context(SETTINGS):
        figure = new_figure(4.4 * len(runs) + 1.0, 4.2)
        for axes, run in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs, strict=True):
            points = project(run.features.embeddings[kept], method)
            for number, label in enumerate(chosen):
                for kind, marker in MARKERS.items():
                    chosen_points = points[(labels == label) & (types == kind)]
                    axes.scatter(*chosen_points.T, marker=marker, s=26, **_look(number))
            axes.set(xticks=[], yticks=[], title=f"{run.name}: {len(chosen)} people, {kept.sum()} tracklets ({method})")
        dots = [
            Line2D([], [], ls="", marker="s", mec=_look(n)["edgecolors"], mfc=_look(n)["facecolors"])
            for n in range(len(chosen))
        ]
        shapes = [Line2D([], [], ls="", marker=marker, mec="#555555", mfc="#555555") for marker in MARKERS.values()]
        figure.legend([*shapes, *dots], [*MARKERS, *chosen], loc="outside right center", fontsize=7)
    return figure


def _look(number: int) -> dict[str, Any]:
    # Beyond eight people, colours repeat with hollow markers.
    colour = PALETTE[number % len(PALETTE)]
    return {"edgecolors": colour, "facecolors": colour if number < len(PALETTE) else "none", "linewidths": 0.9}
