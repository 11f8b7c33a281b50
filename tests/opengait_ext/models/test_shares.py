"""Gradients of several processes against those of one, whatever the modalities of each process's share."""

from typing import Any

import pytest
import torch

from opengait import distributed
from tests.opengait.ranks import on_worlds
from tests.opengait_ext.models import shares
from tests.opengait_ext.models.shares import every_nth, mixed, of_one_modality, of_the_sampler, step

pytestmark = pytest.mark.slow

UNUSED, WITHOUT_SYNC = {"unused": True}, {"sync": False}
# Configuration, batch size, shares, options of `step`, and numbers of processes; sizes of 8 or more tracklets per
# modality are those of the configuration. On 16 processes the last but one has one tracklet per process.
CASES: dict[str, tuple] = {
    "demo_sampler": ("dinogrl/demo.yaml", (16, 1), of_the_sampler, {}, (2, 8)),
    "demo_nth": ("dinogrl/demo.yaml", (16, 1), every_nth, {}, (4, 16)),
    "demo_mixed": ("dinogrl/demo.yaml", (3, 2), mixed, UNUSED, (2, 3, 4)),
    "hitsz_sampler": ("dinogrl/hitsz.yaml", (8, 4), of_the_sampler, {}, (16,)),
    "hitsz_one_modality": ("dinogrl/hitsz.yaml", (3, 2), of_one_modality, UNUSED, (3,)),
    "hitsz_official_nth": ("dinogrl/hitsz_official.yaml", (4, 4), every_nth, {}, (4,)),
    "hitsz_official_mixed": ("dinogrl/hitsz_official.yaml", (4, 2), mixed, {}, (2, 4)),
    "bupt_official_nth": ("dinogrl/bupt_official.yaml", (8, 2), every_nth, {}, (8,)),
    "separate": ("ablation/table6_separate.yaml", (2, 2), mixed, {}, (4,)),
    "masks": ("dinogrl/hitsz_pbmge.yaml", (2, 2), of_one_modality, {}, (4,)),
    "biggait": ("biggait/hitsz.yaml", (4, 1), of_one_modality, {}, (2,)),
    "m3_reid_one_modality": ("m3_reid/hitsz.yaml", (4, 2), of_one_modality, {}, (2, 4)),
    "m3_reid_mixed": ("m3_reid/hitsz.yaml", (4, 2), mixed, {}, (2, 4)),
    "one_each": ("dinogrl/hitsz_baseline.yaml", (4, 2), of_one_modality, {}, (16,)),
    "agw_sampler": ("agw/hitsz.yaml", (8, 4), of_the_sampler, {}, (2, 4)),
    "agw_one_modality": ("agw/hitsz.yaml", (2, 2), of_one_modality, {}, (2, 4)),
    "deen_sampler": ("deen/hitsz.yaml", (6, 4), of_the_sampler, {}, (2, 4)),
    "deen_one_modality": ("deen/hitsz.yaml", (2, 2), of_one_modality, {}, (2, 4)),
    "deen_mixed": ("deen/hitsz.yaml", (4, 2), mixed, {}, (2, 4)),
    "auxnet_sampler": ("auxnet/hitsz.yaml", (8, 2), of_the_sampler, {}, (2, 4)),
    "auxnet_one_modality": ("auxnet/hitsz.yaml", (2, 2), of_one_modality, {}, (2, 4)),
    "mitml_sampler": ("mitml/hitsz.yaml", (4, 2), of_the_sampler, {}, (2, 4)),
    "mitml_one_modality": ("mitml/hitsz.yaml", (2, 2), of_one_modality, {}, (2, 4)),
    "vld_sampler": ("vld/hitsz.yaml", (4, 2), of_the_sampler, {}, (2, 4)),
    "vld_one_modality": ("vld/hitsz.yaml", (2, 2), of_one_modality, {}, (2, 4)),
    "caj_mixed": ("caj/hitsz.yaml", (4, 2), mixed, {}, (2, 4)),
    "without_sync": ("dinogrl/demo.yaml", (4, 2), of_one_modality, WITHOUT_SYNC, (2, 4)),
}
COMPARED = [(name, world) for name, case in CASES.items() if case[3] is not WITHOUT_SYNC for world in case[4]]


def on_rank() -> dict[str, dict]:
    """Take a step of every case that is for this number of processes."""
    world = distributed.world_size()
    return {
        name: step(config, size, cut, **options)
        for name, (config, size, cut, options, worlds) in CASES.items()
        if world in (1, *worlds)
    }


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, dict]]]:
    return on_worlds(on_rank, tmp_path_factory.mktemp("ranks"), world_sizes=(1, 2, 3, 4, 8, 16))


@pytest.mark.parametrize(("name", "world"), COMPARED)
def test_gradients_and_statistics_are_those_of_one_process(name: str, world: int, steps: Any) -> None:
    (expected,) = [rank[name] for rank in steps[1]]
    assert shares.difference(expected, [rank[name] for rank in steps[world]]) < 1


@pytest.mark.parametrize("world", [2, 4])
def test_without_synchronised_norms_everything_stays_finite(world: int, steps: Any) -> None:
    first, *others = [rank["without_sync"] for rank in steps[world]]
    assert len(first["gradients"]) == len(steps[1][0]["without_sync"]["gradients"])
    assert all(value.isfinite().all() for part in ("gradients", "buffers", "info") for value in first[part].values())
    for name, gradient in first["gradients"].items():
        assert all(torch.equal(other["gradients"][name], gradient) for other in others), name
    # Rank 0 has visible tracklets only.
    statistics = {name: value for name, value in first["buffers"].items() if "stems.1.bn1.running" in name}
    assert {name[-4:]: set(value.tolist()) for name, value in statistics.items()} == {"mean": {0.0}, "_var": {1.0}}
