"""Galleries of descriptors, as `vvi embed` writes them and `vvi search` reads them."""

from pathlib import Path

import numpy as np


def samples(folder: Path) -> list[Path]:
    """Write a gallery large enough for p-values, and a small one."""
    from opengait_ext.search import Descriptors, save_descriptors

    points = np.random.default_rng(0).standard_normal((20, 6, 2)).astype(np.float32)
    paths = []
    for name, count in (("large", 20), ("small", 3)):
        names = np.array([f"ir/{number}" for number in range(count)], dtype=np.str_)
        types = np.array(["infrared" if number % 2 else "visible" for number in range(count)], dtype=np.str_)
        gallery = Descriptors(points[:count], names, types, names, "a.yaml", "a.pt", "0" * 64, 6, ("a.b=1",))
        paths.append(save_descriptors(folder / name, gallery))
    return paths


def read(path: Path) -> None:
    """Search the gallery for its own first tracklets; distances and verdicts must be numbers."""
    from dataclasses import replace

    from opengait.utils.files import plain
    from opengait_ext.commands.search import text_of
    from opengait_ext.search import load_descriptors, search

    gallery = load_descriptors(path)
    rows = {name: getattr(gallery, name)[:2] for name in ("embeddings", "names", "types", "folders")}
    for result in search(gallery, replace(gallery, **rows), top=3):
        assert all(candidate.distance >= 0 for candidate in result.candidates)
        assert plain(text_of(result, 0.05))
