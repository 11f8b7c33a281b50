"""The release's network against numbers of the release itself (tests/golden/dinogrl_official)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from opengait.extensions import load_extensions
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.shared.foreground import silhouette_band
from tests.golden.dinogrl_official import recipe
from tests.opengait_ext.models.dinogrl.release.conftest import CONFIG

pytestmark = pytest.mark.slow

LOSSES = {
    "mask_smoothness": "loss_connect_shape",
    "mask": "loss_mse",
    "smoothness": "loss_connect_part",
    "diversity": "loss_diversity",
}


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return recipe.numbers("eval_visible.npz")


def assert_close(output: torch.Tensor, reference: np.ndarray, atol: float) -> None:
    assert output.shape == reference.shape
    assert np.abs(output.numpy() - reference).max() < atol


def test_the_recipe_reproduces_the_recorded_weights_and_inputs(released):
    recorded = recipe.read_json("checksums.json")
    for file, state in released.items():
        numbers = [value.double() for value in state.values() if value.is_floating_point()]
        assert len(state) == recorded[file]["n_keys"]
        assert sum(float(v.sum()) for v in numbers) == pytest.approx(recorded[file]["sum_all_float"], rel=1e-9)
        assert sum(float(v.abs().sum()) for v in numbers) == pytest.approx(recorded[file]["abs_sum_all_float"])
        for name, first in recorded[file]["samples"].items():
            assert state[name].flatten()[:4].tolist() == pytest.approx(first)
    frames = recipe.frames(20267)
    assert float(frames.double().sum()) == pytest.approx(recorded["input_visible"]["sum"])
    assert frames.flatten()[:6].tolist() == pytest.approx(recorded["input_visible"]["first"])


def test_tokens_of_the_vision_model(network, visible):
    golden = recipe.numbers("tokens_visible.npz")
    assert_close(visible.features.last[:, ::64], golden["last_norm_every64"], 2e-4)
    assert_close(visible.features.layers[:, ::64], golden["mid4_every64"], 2e-4)
    positions = network.vision_model.transformer.pos_embed[:, 1:]
    assert_close(positions[:, ::32].detach(), golden["pos_embed_every32"], 1e-5)


def test_mask_foreground_channel_and_covered_tokens(visible, golden):
    maps = visible.output.silhouettes
    assert_close(maps.probabilities[:, 0], golden["mask_prob_ch0"], 5e-5)
    swapped = (maps.mask[:, 0] != maps.probabilities[:, 0]).flatten(1).any(dim=1)
    assert swapped.tolist() == golden["band_swapped"].tolist()
    band = silhouette_band(maps.mask)[:, 0]
    assert_close(band, golden["foreground"], 5e-5)
    support = golden["foreground"] != 0
    assert np.array_equal(band.numpy() != 0, support)
    for prior in (maps.gait_prior, maps.appearance_prior):
        assert np.array_equal((prior != 0).all(dim=1).numpy(), support)
        assert np.array_equal((prior != 0).any(dim=1).numpy(), support)


def test_priors_and_their_fusion(visible, golden):
    maps = visible.output.silhouettes
    assert_close(F.avg_pool2d(maps.gait_prior, 4), golden["denoise_pool"], 5e-5)
    assert_close(F.avg_pool2d(maps.appearance_prior, 4), golden["appearance_pool"], 5e-5)
    assert_close(maps.enriched.mean(dim=1).unflatten(0, (2, 6)), golden["fused_cmean"], 5e-5)


def test_each_modality_has_its_own_stem(network, released):
    """The golden frames are visible, so both stems are written out here. Neither has a ReLU."""
    frames = recipe.frames(40260)[0, :1]
    state = released["best_model"]
    for number, stem in enumerate(network.appearance.stems, start=1):
        prefix = f"image_encoder{number}.resnet_conv"
        maps = F.conv2d(frames, state[f"{prefix}.0.weight"], stride=2, padding=3)
        mean, var, weight, bias = (
            state[f"{prefix}.1.{entry}"].view(-1, 1, 1) for entry in ("running_mean", "running_var", "weight", "bias")
        )
        maps = F.max_pool2d((maps - mean) / (var + 1e-5).sqrt() * weight + bias, 3, stride=2, padding=1)
        assert (maps < 0).any()
        assert torch.allclose(stem(frames), maps, atol=1e-4)
        alone = network.appearance.enter(frames, torch.tensor([number - 1]))
        assert torch.equal(alone, stem(frames)), "0 is visible, 1 infrared"


def test_both_backbones(network, visible, golden):
    assert_close(visible.appearance_layer3.mean(dim=1), golden["app_layer3_cmean"], 5e-5)
    assert_close(visible.gait_layer3.mean(dim=1), golden["gait_layer3_cmean"], 5e-5)
    assert_close(visible.appearance_map.mean(dim=1), golden["app_map_cmean"], 5e-5)
    assert_close(visible.gait_map.mean(dim=1), golden["gait_map_cmean"], 5e-5)
    assert_close(network.appearance_parts.pyramid(visible.appearance_map), golden["app_hpp"], 2e-4)
    assert_close(network.gait_parts.pyramid(visible.gait_map), golden["shape_hpp"], 2e-4)


def test_parts_before_and_after_pbmge(visible, golden):
    output = visible.output
    for stream, name in ((output.gait, "shape"), (output.appearance, "app")):
        assert_close(stream.parts, golden[f"{name}_part31"], 2e-4)
        assert_close(stream.supervised, golden[f"{name}_part35"], 2e-4)


def test_the_descriptor_is_all_parts_of_gait_then_of_appearance(visible, golden):
    assert_close(visible.output.descriptor, golden["descriptor"], 2e-4)


def test_regularisers_and_their_weights(visible, golden, cfgs):
    load_extensions(["opengait_ext"], CONFIG.parent)
    terms = loss_terms(visible.output, torch.tensor([0, 1]))
    total, values = LossAggregator(cfgs["loss_cfg"])({name: terms[name] for name in LOSSES})
    for output, reference in LOSSES.items():
        assert float(values[f"scalar/{output}/loss"]) == pytest.approx(float(golden[reference]), rel=1e-5)
    assert float(total) == pytest.approx(float(golden["loss_total"]), rel=1e-5)


def test_descriptors_do_not_depend_on_the_batch_or_the_length(network, visible):
    """The release requires six frames and squeezes a batch of one."""
    frames = recipe.frames(20267)[1:, :1]
    with torch.no_grad():
        alone = network(frames, torch.tensor([0]))
    assert alone.descriptor.shape == (1, 256, 70)
    whole = visible.output.silhouettes
    assert torch.allclose(alone.silhouettes.mask[0], whole.mask[6], atol=1e-5)
    assert torch.allclose(alone.silhouettes.enriched[0], whole.enriched[6], atol=1e-4)


def test_bnnecks(network):
    golden = recipe.numbers("bnneck.npz")
    values = np.random.default_rng(781).standard_normal((3, 256, 35))
    features = torch.from_numpy(values.astype(np.float32))
    for heads, name in ((network.appearance_heads, "app"), (network.gait_heads, "shape")):
        assert_close(heads(features)[1][:, :20].detach(), golden[f"{name}_logits_first20"], 1e-5)
