"""Losses, distance, learning rates and frame sampling of the release, as configured."""

import math

import numpy as np
import pytest
import torch

from opengait.config import load_config
from opengait.data.frame_picker import segment_first, segment_random, uniform
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.evaluation.distance import cuda_dist
from opengait.extensions import load_extensions
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.dinogrl.losses import diversity_loss
from opengait_ext.models.shared.connectivity import mask_connectivity_loss, prior_connectivity_loss
from tests.golden.dinogrl_official import recipe
from tests.opengait_ext.models.dinogrl.release.conftest import CONFIG

BUPT = CONFIG.with_name("bupt_official.yaml")


@pytest.fixture(scope="module")
def losses() -> torch.nn.ModuleDict:
    load_extensions(["opengait_ext"], CONFIG.parent)
    return LossAggregator(load_config(CONFIG)["loss_cfg"]).losses


@pytest.mark.parametrize("stream", ["gait", "appearance"])
def test_triplet_and_cross_entropy_with_gradients(losses, stream):
    golden = recipe.numbers("losses.npz")
    draw = np.random.default_rng(779)
    embeddings = torch.from_numpy((0.05 * draw.standard_normal((16, 256, 35))).astype(np.float32)).requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3] * 2)
    loss, values = losses[f"{stream}_triplet"](embeddings=embeddings, labels=labels)
    loss.mean().backward()
    assert loss.detach().numpy() == pytest.approx(golden["triplet_per_part"], rel=1e-5)
    assert values["loss_num"].tolist() == golden["triplet_nonzero"].tolist()
    assert loss.mean().item() == pytest.approx(float(golden["triplet"]), rel=1e-5)
    assert float(embeddings.grad.norm()) == pytest.approx(float(golden["triplet_grad_norm"]), rel=1e-5)

    logits = torch.from_numpy((0.3 * draw.standard_normal((16, 500, 35))).astype(np.float32)).requires_grad_()
    labels = torch.from_numpy(draw.integers(0, 500, 16))
    assert labels.tolist() == golden["ce_labels"].tolist()
    loss, values = losses[f"{stream}_identity"](logits=logits, labels=labels)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden["ce"]), rel=1e-5)
    assert float(values["accuracy"]) == pytest.approx(float(golden["ce_acc"]))
    assert float(logits.grad.norm()) == pytest.approx(float(golden["ce_grad_norm"]), rel=1e-5)


def test_loss_weights(losses):
    weights = {name: loss.loss_term_weight for name, loss in losses.items()}
    assert weights == {
        **{f"{stream}_{term}": 1 for stream in ("appearance", "gait") for term in ("identity", "triplet")},
        **{"mask": 1, "mask_smoothness": 0.02, "smoothness": 0.01, "diversity": 5},
    }


def test_distance_is_the_mean_over_parts():
    draw = np.random.default_rng(778)
    query, gallery = draw.standard_normal((5, 256, 70)), draw.standard_normal((7, 256, 70))
    gallery[2] = query[1]
    golden = recipe.numbers("gait_dist.npz")["dist"]
    for pair in (
        (torch.from_numpy(query), torch.from_numpy(gallery)),
        (query, gallery),
        (query, torch.tensor(gallery)),
    ):
        assert np.abs(cuda_dist(*pair).cpu().numpy() - golden).max() < 2e-5
    # In float32 the distance of equal descriptors has rounding errors of their squares; the others agree.
    single = cuda_dist(query.astype(np.float32), gallery.astype(np.float32)).cpu().numpy()
    assert np.abs(single - golden)[golden > 1].max() < 2e-5
    assert single[1, 2] < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("path", "steps", "epochs"), [(CONFIG, 300, 300), (BUPT, 200, 200)], ids=["hitsz", "bupt"])
def test_learning_rate_of_every_epoch(path, steps, epochs):
    cfgs = load_config(path)
    optimiser = build_optimizer([("weight", torch.nn.Parameter(torch.zeros(1)))], cfgs["optimizer_cfg"])
    schedule = build_scheduler(optimiser, cfgs["scheduler_cfg"])
    assert cfgs["trainer_cfg"]["total_iter"] == steps * epochs and cfgs["scheduler_cfg"]["steps_per_epoch"] == steps
    golden = {int(epoch): rate for epoch, rate in recipe.read_json("schedule_sampling.json")["lr_by_epoch"].items()}
    for epoch in range(max(golden) + 1):
        group = optimiser.param_groups[0]
        assert group["lr"] == pytest.approx(golden.get(epoch, group["lr"]), rel=1e-6)
        before = group["lr"]
        for step in range(steps):
            assert group["lr"] == before or pytest.fail(f"moved within epoch {epoch}, at step {step}")
            optimiser.step()
            schedule.step()
    assert (group["weight_decay"], group["betas"], type(optimiser).__name__) == (0.0005, (0.9, 0.999), "Adam")


def test_frames_of_a_tracklet():
    golden = recipe.read_json("schedule_sampling.json")
    for length, indices in golden["vcm_test_indices"].items():
        assert segment_first(int(length), 6) == indices
    for length, indices in golden["bupt_uniform_indices"].items():
        assert uniform(int(length), 6) == indices
    drawn = [segment_random(13, 6) for _ in range(60)]
    for segment, pool in enumerate(golden["vcm_train_pools_n13"]):
        assert {frames[segment] for frames in drawn} == set(pool)
    for path, test, train in ((CONFIG, "segment_first", "segment_random"), (BUPT, "uniform", "sorted_random")):
        cfgs = load_config(path)
        assert cfgs["evaluator_cfg"]["sampler"]["sample_type"] == f"fixed_{test}"
        assert cfgs["trainer_cfg"]["sampler"]["sample_type"] == f"fixed_{train}"


def test_mask_connectivity_uses_the_releases_memory_layout():
    """By loops: entry 2 i + k of a frame, for position i and channel k, is read at index (c, y, x) of (2, h, w)."""
    torch.manual_seed(0)
    maps = torch.rand(3, 2, 4, 6, dtype=torch.float64).softmax(dim=1)
    total = 0.0
    for frame in maps:
        rows = [frame[side, index // 6, index % 6] for index in range(24) for side in range(2)]
        image = torch.stack(rows).view(2, 4, 6).sum(dim=0)
        padded = torch.zeros(6, 8, dtype=torch.float64)
        padded[1:-1, 1:-1] = image
        for y in range(4):
            for x in range(6):
                window = padded[y : y + 3, x : x + 3]
                weights = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
                total += abs(float(weights @ (window[:, 2] - window[:, 0])))
                total += abs(float((window[2] - window[0]) @ weights))
    assert mask_connectivity_loss(maps).item() == pytest.approx(total / maps.numel(), rel=1e-5)


def test_prior_connectivity_ignores_the_last_channel():
    torch.manual_seed(0)
    prior = torch.rand(2, 16, 8, 4)
    other = prior.clone()
    other[:, -1] = 7
    assert torch.equal(prior_connectivity_loss(prior), prior_connectivity_loss(other))
    other[:, 0] = 7
    assert not torch.equal(prior_connectivity_loss(prior), prior_connectivity_loss(other))
    # Channels are summed before the absolute value, so opposite ones cancel.
    opposite = torch.cat([prior[:, :1], -prior[:, :1], prior[:, :1]], dim=1)
    assert prior_connectivity_loss(opposite).item() == pytest.approx(0, abs=1e-6)


def test_diversity_with_the_releases_eps_and_an_empty_frame():
    torch.manual_seed(0)
    prior = torch.rand(3, 16, 4, 4)
    per_frame = []
    for frame in prior:
        share = frame.sum(dim=(1, 2)) / (frame.sum() + 1e-6)
        per_frame.append(4 + sum(float(p) * math.log2(float(p) + 1e-6) for p in share))
    assert diversity_loss(prior, 1e-6).item() == pytest.approx(sum(per_frame) / 3, rel=1e-5)
    prior[1] = 0
    prior.requires_grad_()
    for eps in (0.0, 1e-6):
        loss = diversity_loss(prior, eps)
        assert loss.item() == pytest.approx((per_frame[0] + per_frame[2]) / 2, abs=1e-4)
        assert torch.autograd.grad(loss, prior)[0].isfinite().all()
        assert diversity_loss(prior[1:2], eps).item() == 0
