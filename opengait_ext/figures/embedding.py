"""A map of the descriptors: colour tells the person, shape the modality."""

import warnings

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from opengait.errors import ConfigError
from opengait_ext.data.tracklet import Modality
from opengait_ext.figures.retrieval import TestedRun
from opengait_ext.figures.style import PALETTE, SETTINGS, new_figure

MARKERS = {str(Modality.VISIBLE): "o", str(Modality.INFRARED): "^"}


def project(embeddings: np.ndarray, method: str = "pca") -> np.ndarray:
    """Descriptors (n, c, p) in the plane, float (n, 2).

    Args:
        method: "pca", the two directions of largest variance, or "tsne", which needs scikit-learn.

    Raises:
        ConfigError: another method, or scikit-learn is not installed.
    """
    flat = embeddings.reshape(len(embeddings), -1).astype(np.float64)
    if method == "pca":
        centred = flat - flat.mean(axis=0)
        left, scale, _ = np.linalg.svd(centred, full_matrices=False)
        plane = (left * scale)[:, :2]
        plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
        # The sign of a singular vector is free; fixed, so that one run gives one picture.
        return plane * np.where(plane.sum(axis=0) < 0, -1, 1)
    if method != "tsne":
        raise ConfigError(f"An embedding map is made by pca or tsne, not by {method!r}.")
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ConfigError("t-SNE needs scikit-learn: pip install scikit-learn, or choose pca.") from error
    perplexity = min(30.0, (len(flat) - 1) / 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(flat)


def draw_embedding_map(run: TestedRun, people: int = 12, method: str = "pca") -> Figure:
    """The tracklets of `people` people with the most tracklets, on a map made of these tracklets alone."""
    names, counts = np.unique(run.features.labels, return_counts=True)
    chosen = sorted(names[np.argsort(-counts, kind="stable")[:people]])
    kept = np.isin(run.features.labels, chosen)
    places = project(run.features.embeddings[kept], method)
    labels, types = run.features.labels[kept], run.features.types[kept]
    with rc_context(SETTINGS):
        figure = new_figure(5.4, 4.2)
        axes = figure.subplots()
        for number, label in enumerate(chosen):
            for kind, marker in MARKERS.items():
                of = (labels == label) & (types == kind)
                # Beyond eight people colours come again, then hollow.
                colour = PALETTE[number % len(PALETTE)]
                face = colour if number < len(PALETTE) else "none"
                axes.scatter(*places[of].T, marker=marker, s=26, edgecolors=colour, facecolors=face, linewidths=0.9)
        for kind, marker in MARKERS.items():
            axes.scatter([], [], marker=marker, color="#555555", label=kind)
        axes.legend(loc="best")
        axes.set(xticks=[], yticks=[], title=f"{run.name}: {len(chosen)} people, {kept.sum()} tracklets ({method})")
    return figure
