"""The release's silhouettes: each difference from the paper's, and frames without a person."""

import pytest
import torch
import torch.nn.functional as F

from opengait.config import load_config
from opengait.errors import CheckpointError, ConfigError
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.dinogrl.silhouette import SilhouetteGenerator
from opengait_ext.models.shared.vision_model import VisionFeatures
from tests.equations.networks import TINY_VIT
from tests.opengait_ext.models.dinogrl.release.conftest import CONFIG
from tests.opengait_ext.models.dinogrl.release.small import small_batch, small_network

RELEASE = {"enlarge_tokens": True, "foreground": "border", "soft_mask": False}
GRID = (8, 4)


def features(frames: int = 6, seed: int = 0) -> VisionFeatures:
    torch.manual_seed(seed)
    return VisionFeatures(torch.randn(frames, 32, 6), torch.randn(frames, 32, 12), GRID)


def generator(**changes) -> SilhouetteGenerator:
    torch.manual_seed(1)
    module = SilhouetteGenerator(6, layers=2, size=(16, 8), priors=4, channels=8, **(RELEASE | changes))
    torch.nn.init.normal_(module.mask_encoder.down_sampling.bias)
    return module


def remove_foreground(module: SilhouetteGenerator) -> None:
    """Make E_m give both channels one half everywhere, which is rounded down, so there is no foreground."""
    torch.nn.init.zeros_(module.mask_encoder.down_sampling.weight)
    torch.nn.init.zeros_(module.mask_encoder.down_sampling.bias)


def test_tokens_are_enlarged_before_the_norms():
    """Bilinear weights sum to one, so the order matters only for the statistics in training."""
    inputs = features()
    tokens = F.interpolate(inputs.last.transpose(1, 2).unflatten(2, GRID), (16, 8), mode="bilinear").flatten(2)
    rows = tokens.transpose(1, 2).reshape(-1, 6)
    module = generator().train()
    out = module(inputs)
    assert out.target.shape == out.decoded.shape == (6, 128, 6)
    assert torch.allclose(out.target.reshape(-1, 6), rows, atol=1e-6)
    norm = module.mask_encoder.bn_s
    assert torch.allclose(norm.running_mean, 0.1 * rows.mean(dim=0), atol=1e-6)
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * rows.var(dim=0), atol=1e-6)
    on_grid = generator(enlarge_tokens=False)
    on_grid.load_state_dict(module.state_dict())
    assert torch.allclose(on_grid.eval()(inputs).mask, module.eval()(inputs).mask, atol=1e-5)
    assert on_grid(inputs).target is inputs.last


def test_norms_of_the_priors_use_only_the_selected_tokens():
    inputs, module = features(), generator().train()
    chosen = module.select(module(inputs).probabilities)[:, 0]
    assert chosen.any() and not chosen.all()
    module = generator().train()
    module(inputs)
    maps = F.interpolate(inputs.layers.transpose(1, 2).unflatten(2, GRID), (16, 8), mode="bilinear")
    tokens = maps.permute(0, 2, 3, 1)[chosen]
    for encoder in (module.gait_encoder, module.appearance_encoder):
        assert torch.allclose(encoder.bn_s.running_mean, 0.1 * tokens.mean(dim=0), atol=1e-6)
        assert torch.allclose(encoder.bn_s.running_var, 0.9 + 0.1 * tokens.var(dim=0), atol=1e-5)


def test_the_mask_only_selects_tokens():
    module = generator().eval()
    out = module(features())
    assert torch.allclose(out.enriched, module.fusion(out.gait_prior, out.appearance_prior))
    soft = generator(soft_mask=True).eval()(features())
    assert torch.allclose(soft.enriched, soft.mask * out.enriched)
    assert soft.probabilities is None


def test_the_border_rule_scales_with_the_silhouettes():
    """5 of 64 rows at the top and at the bottom."""
    probabilities = torch.full((1, 2, 64, 32), 0.2)
    probabilities[:, 0, 10:54] = 0.9
    probabilities[:, 1] = 1 - probabilities[:, 0]
    module = generator()
    assert torch.equal(module.choose(probabilities)[:, 0], probabilities[:, 0])
    assert torch.equal(module.choose(probabilities.flip(1))[:, 0], probabilities[:, 0])
    probabilities[:, 0, :4], probabilities[:, 1, :4] = 0.9, 0.1
    assert torch.equal(module.choose(probabilities)[:, 0], probabilities[:, 0]), "four of ten rows"
    probabilities[:, 0, -4:], probabilities[:, 1, -4:] = 0.9, 0.1
    assert torch.equal(module.choose(probabilities)[:, 0], probabilities[:, 1]), "eight of ten rows"
    small = F.avg_pool2d(probabilities, 4)
    assert torch.equal(module.choose(small)[:, 0], small[:, 1])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("empty", ["one frame", "all frames"])
def test_frames_without_a_person(training, empty):
    module = generator().train(training)
    inputs = features()
    if empty == "all frames":
        remove_foreground(module)
    else:
        # E_m's norm and map keep zero tokens at zero, so both channels get one half.
        torch.nn.init.zeros_(module.mask_encoder.down_sampling.bias)
        module.mask_encoder.bn_s.eval()
        inputs.last[0] = 0
    out = module(inputs)
    observed = (out.gait_prior != 0).flatten(1).any(dim=1)
    if empty == "one frame":
        assert observed.tolist() == [False] + [True] * 5
    else:
        assert observed.tolist() == [training] * 6, "batch norm needs tokens in training; in evaluation maps are empty"
    assert out.enriched.isfinite().all()
    if training:
        out.enriched.square().sum().backward()
        assert module.gait_encoder.down_sampling[0].weight.grad.isfinite().all()


def test_the_network_accepts_a_batch_without_foreground():
    network = small_network()
    remove_foreground(network.silhouette_generator)
    frames, modality = small_batch(3, 1)
    assert network.eval()(frames, modality).descriptor.isfinite().all()
    terms = loss_terms(network.train()(frames, modality), torch.tensor([0, 1, 1]))
    assert all(value.isfinite().all() for arguments in terms.values() for value in arguments.values())


@pytest.mark.parametrize(("tracklets", "frames"), [(1, 1), (3, 4), (2, 7)])
def test_any_number_of_tracklets_and_frames(tracklets, frames):
    network = small_network().eval()
    inputs = small_batch(tracklets, frames)
    out = network(*inputs)
    assert out.descriptor.shape == (tracklets, 12, 18)
    first = network(inputs[0][:1], inputs[1][:1]).descriptor
    assert torch.allclose(first[0], out.descriptor[0], atol=1e-4)


def test_the_classifiers_refuse_a_single_training_tracklet():
    one = small_batch(1, 2)
    assert small_network(num_classes=None).train()(*one).descriptor.isfinite().all()
    with pytest.raises(ConfigError, match="batch of one tracklet is impossible"):
        small_network().train()(*one)


def test_a_share_of_the_tracklets_lose_a_prior():
    module = generator(drop_prior=0.2).train()
    whole = generator().train()
    inputs = features(20)
    torch.manual_seed(0)
    lost = []
    for _ in range(12):
        observed = []
        hook = module.fusion.register_forward_pre_hook(lambda _, priors, observed=observed: observed.extend(priors))
        out = module(inputs, tracklet=2)
        hook.remove()
        expected = whole(inputs, tracklet=2)
        assert torch.equal(out.gait_prior, expected.gait_prior), "the losses see the whole prior"
        assert torch.equal(out.appearance_prior, expected.appearance_prior)
        gone = [(maps.unflatten(0, (10, 2)) == 0).flatten(1).all(dim=1) for maps in observed]
        assert int(gone[0].sum() + gone[1].sum()) == 2, "round(0.2 * 10) tracklets, both frames of each"
        assert not (gone[0] & gone[1]).any()
        kept = ~gone[0]
        assert torch.equal(observed[0].unflatten(0, (10, 2))[kept], out.gait_prior.unflatten(0, (10, 2))[kept])
        lost.append(torch.stack(gone))
    counts = torch.stack(lost).sum(dim=0)
    assert (counts.sum(dim=1) > 5).all(), "either prior"
    assert (counts.sum(dim=0) > 0).sum() > 6, "any tracklet"
    whole.load_state_dict(module.state_dict())
    out, expected = module.eval()(inputs, tracklet=2), whole.eval()(inputs, tracklet=2)
    assert torch.equal(out.enriched, expected.enriched), "in training only"


def test_priors_are_dropped_per_tracklet():
    network = small_network(silhouette={"drop_prior": 1.0}).train()
    observed = []
    network.silhouette_generator.fusion.register_forward_pre_hook(lambda _, priors: observed.extend(priors))
    network(*small_batch(4, 3))
    gone = torch.stack([(maps.unflatten(0, (4, 3)) == 0).flatten(2).all(dim=2) for maps in observed])
    assert gone.all(dim=2).sum(dim=0).tolist() == [1, 1, 1, 1]


def test_dropout_before_the_mask_encoder():
    torch.manual_seed(0)
    module = generator(mask_dropout=0.5)
    observed = []
    module.mask_encoder.bn_s.register_forward_pre_hook(lambda _, rows: observed.extend(rows))
    out = module.train()(features())
    dropped = observed[0] == 0
    assert 0.45 < dropped.float().mean() < 0.55
    assert torch.allclose(observed[0][~dropped], 2 * out.target.reshape(-1, 6)[~dropped]), "the target is not dropped"
    module.eval()(features())
    assert not (observed[1] == 0).any()


def test_the_vision_model_follows_the_surrounding_precision():
    frames = small_batch(2, 1)[0].flatten(0, 1)
    single, following = (small_network(vision_model=TINY_VIT | {"precision": p}) for p in ("float32", "autocast"))
    plain = single.vision_model(frames)
    assert torch.equal(following.vision_model(frames).last, plain.last), "float32 in evaluation"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(single.vision_model(frames).last, plain.last)
        half = following.vision_model(frames)
    assert half.last.dtype == half.layers.dtype == torch.float32
    assert not torch.equal(half.last, plain.last)
    assert torch.allclose(half.last, plain.last, atol=0.2)


def test_a_training_step_in_half_precision():
    network = small_network(silhouette={"drop_prior": 0.5, "mask_dropout": 0.5}).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = network(*small_batch())
    losses = LossAggregator(load_config(CONFIG)["loss_cfg"])
    total, _ = losses(loss_terms(out, torch.tensor([0, 1, 0, 1])))
    total.backward()
    assert total.isfinite()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.requires_grad)


def mask_branch(width: int = 6) -> dict[str, torch.Tensor]:
    """Return the content of BigGait's file, which includes an unused norm after the linear map."""
    shapes = {"down_sampling.weight": (2, width), "down_sampling.bias": (2,)}
    shapes |= {"up_sampling.weight": (width, 2), "up_sampling.bias": (width,)}
    for norm, size in (("bn_s", width), ("bn_t", 2)):
        shapes |= {f"{norm}.running_mean": (size,), f"{norm}.running_var": (size,)}
    state = {name: torch.rand(shape) for name, shape in shapes.items()}
    return state | {f"{norm}.num_batches_tracked": torch.tensor(7) for norm in ("bn_s", "bn_t")}


def test_mask_weights_of_biggait(tmp_path):
    state = mask_branch()
    torch.save({"model": state}, tmp_path / "MaskBranch.pt")
    module = generator(mask_weights=str(tmp_path / "MaskBranch.pt"), mask_dropout=0.5)
    loaded = SilhouetteGenerator(6, 2, (16, 8), 4, 8, mask_weights=str(tmp_path / "MaskBranch.pt")).mask_encoder
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert torch.equal(module.mask_encoder.bn_s.running_var, state["bn_s.running_var"])
    torch.save({"model": mask_branch(8)}, tmp_path / "wide.pt")
    with pytest.raises(CheckpointError, match=r"wide.pt does not fit .* has shape"):
        generator(mask_weights=str(tmp_path / "wide.pt"))
    with pytest.raises(CheckpointError, match="there is no file .*none.pt"):
        generator(mask_weights=str(tmp_path / "none.pt"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"foreground": "middle"}, "silhouette.foreground is 'middle'"),
        ({"drop_prior": 1.5}, "silhouette.drop_prior is 1.5"),
        ({"drop_prior": 0.2, "gait_prior": False}, "0 with a single prior"),
    ],
)
def test_invalid_values_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        generator(**changes)


@pytest.mark.parametrize(
    ("enhancement", "message"),
    [
        ({"type": "rlease"}, "enhancement.type is 'rlease'; known are release, lge"),
        (
            {"type": "release", "embeding": 3},
            "model_cfg.enhancement has an unknown key 'embeding'; did you mean embedding",
        ),
        ("release", "model_cfg.enhancement: .* 'release'"),
    ],
)
def test_invalid_enhancements_are_named(enhancement, message):
    with pytest.raises(ConfigError, match=message):
        small_network(enhancement=enhancement)
