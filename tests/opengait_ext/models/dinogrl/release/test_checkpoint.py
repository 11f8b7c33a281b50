"""Conversion of the authors' files to an engine checkpoint and back, and users of that checkpoint."""

import logging
from pathlib import Path

import pytest
import torch

from opengait.config import load_config
from opengait.errors import CheckpointError
from opengait_ext.checkpoints import (
    build_network,
    convert_official,
    convert_to_official,
    from_official_files,
    to_official_files,
)
from opengait_ext.models import DinoGRLNet, load_network
from opengait_ext.models.dinogrl.checkpoints.release import is_unused
from opengait_ext.models.dinogrl.model import DinoGRL
from tests.equations.networks import TINY_VIT, tiny_network
from tests.golden.dinogrl_official import recipe
from tests.opengait_ext.models.dinogrl.release.conftest import CONFIG
from tests.opengait_ext.models.dinogrl.release.small import small_batch, small_config, small_network
from tests.opengait_ext.runs.stand_in_runs import command

convert = command("convert")


def thin_states(shapes: dict[str, tuple[int, ...]] | None = None) -> list[dict[str, torch.Tensor]]:
    """Return the release's states with one number in memory per entry, and other `shapes` by the ends of names."""
    states = []
    for file in recipe.FILES:
        states.append({})
        for name, entry in recipe.read_json(f"manifest_{file}.json").items():
            shape = next((s for end, s in (shapes or {}).items() if name.endswith(end)), entry["shape"])
            states[-1][name] = torch.ones((), dtype=getattr(torch, entry["dtype"])).expand(shape)
    return states


def test_converting_there_and_back_is_exact(released, checkpoint):
    for file, state in zip(recipe.FILES, convert_to_official(checkpoint), strict=True):
        assert state.keys() == released[file].keys()
        for name, value in released[file].items():
            assert state[name].shape == value.shape and state[name].dtype == value.dtype
            assert is_unused(name) or torch.equal(state[name], value), name


def test_unused_entries():
    unused = [name for state in thin_states() for name in state if is_unused(name)]
    assert {name.split(".bn_t.")[0].split(".gcn_")[0].split(".GAP.")[0] for name in unused} == {
        "share_encoder",
        "dinov2.Mask_Branch",
        "dinov2.Denoising_Branch",
        "dinov2.gait_net",
        "dinov2.gait_net.post_backbone",
    }
    assert len(unused) == 24


def test_the_checkpoint_has_the_networks_entries(network, checkpoint):
    assert list(checkpoint["model"]) == [f"network.{name}" for name in network.state_dict()]
    assert checkpoint["iteration"] == 0
    assert all(torch.equal(value, checkpoint["model"][f"network.{n}"]) for n, value in network.state_dict().items())


def test_unknown_and_missing_entries_are_named_together():
    model, model2, shape = thin_states()
    model["share_encoder.resnet_conv.7.weight"] = model["extra"] = torch.zeros(1)
    del model2["enhance_app_net_3.phi.bias"], shape["dinov2.dinov2.norm.weight"], shape["dinov2.dinov2.mask_token"]
    with pytest.raises(CheckpointError) as caught:
        convert_official(model, model2, shape)
    text = str(caught.value)
    assert "unknown entries: share_encoder.resnet_conv.7.weight of the model file, extra of the model file;" in text
    assert "missing entries: " in text
    for name in ("dinov2.dinov2.norm.weight of the shape", "phi.bias of the model2", "mask_token of the shape"):
        assert name in text
    with pytest.raises(CheckpointError, match=r"missing entries: image_encoder1.* and \d+ more"):
        convert_official({}, model2, thin_states()[2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image_encoder1.resnet_conv.0.weight": (64, 1, 7, 7)},
            r"0.weight of the model file is \(64, 1, 7, 7\) where",
        ),
        ({"dinov2.gait_net.FCs.fc_bin": (15, 2048, 256)}, r"FCs.fc_bin of the shape file is \(15, 2048, 256\) where"),
        ({"BNNecks.bn1d.weight": (31 * 256,)}, r"bn1d.weight of the model file is \(7936,\) where \(8960,\)"),
        ({"dinov2.dinov2.pos_embed": (1, 257, 384)}, r"pos_embed of the shape file is \(1, 257, 384\) where \(1, 1370"),
        ({"FCs.fc_bin": (30, 2048, 256)}, "has 30 parts"),
        ({"FCs.fc_bin": (2048, 256)}, r"FCs.fc_bin of the model file is \(2048, 256\) where \(31, 2048, 256\)"),
    ],
)
def test_unexpected_shapes_are_refused(changes, message):
    states = thin_states()
    for name, shape in changes.items():
        state = next(state for state in states if name in state)
        state[name] = torch.zeros(1).expand(shape)
    with pytest.raises(CheckpointError, match=message):
        convert_official(*states)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((1, 0, 2), "--model .* release's model2 file"),
        ((2, 1, 0), "--model .* release's shape file"),
        ((0, 2, 1), "--model2 .* release's shape file"),
        ((0, 0, 2), "--model2 .* release's model file"),
        ((0, 1, 1), "--shape .* release's model2 file"),
    ],
)
def test_swapped_files_are_named(order, message):
    states = thin_states()
    with pytest.raises(CheckpointError, match=message):
        convert_official(*(states[index] for index in order))


def test_sizes_are_read_from_the_tensors():
    """1,074 classes in one stream and 500 in the other; 15 parts of 64 channels."""
    states = thin_states(
        {
            "gait_net.BNNecks.fc_bin": (18, 64, 1074),
            "BNNecks.fc_bin": (18, 64, 500),
            "FCs.fc_bin": (15, 2048, 64),
            **{f"bn1d.{name}": (18 * 64,) for name in ("weight", "bias", "running_mean", "running_var")},
        }
    )
    checkpoint = convert_official(*states)
    assert checkpoint["model"]["network.gait_heads.fc_bin"].shape == (18, 64, 1074)
    assert checkpoint["model"]["network.appearance_heads.fc_bin"].shape == (18, 64, 500)
    for state, back in zip(states, convert_to_official(checkpoint), strict=True):
        assert {name: value.shape for name, value in back.items() if not is_unused(name)} == {
            name: value.shape for name, value in state.items() if not is_unused(name)
        }


def test_converting_a_training_run_back_needs_dinov2(released, checkpoint):
    """Checkpoints of training runs do not include the frozen model."""
    trained = {"model": {n: v for n, v in checkpoint["model"].items() if ".vision_model." not in n}, "iteration": 5}
    with pytest.raises(CheckpointError, match="not contain DINOv2"):
        convert_to_official(trained)
    start = "dinov2.dinov2."
    public = {n.removeprefix(start): v for n, v in released["best_shape"].items() if n.startswith(start)}
    shape = convert_to_official(trained, public)[2]
    assert all(torch.equal(shape[start + name], value) for name, value in public.items())
    del public["cls_token"]
    with pytest.raises(CheckpointError, match="missing entries: dinov2.dinov2.cls_token"):
        convert_to_official(trained, public)


def test_a_folder_is_called_a_folder(tmp_path):
    with pytest.raises(CheckpointError, match=r"is a folder; name a file\.$"):
        from_official_files(tmp_path, tmp_path, tmp_path, tmp_path / "out.pt")
    with pytest.raises(CheckpointError, match="is a folder"):
        to_official_files(tmp_path, tmp_path / "out")


def test_checkpoints_of_another_network_are_not_converted_back():
    paper = {f"network.{name}": value for name, value in tiny_network().state_dict().items()}
    with pytest.raises(CheckpointError, match=r"unknown entries: .*non_local"):
        convert_to_official({"model": paper, "official": {"dinov2.dinov2.pos_embed": torch.zeros(1)}})
    with pytest.raises(CheckpointError, match=r"no entries network\.\*"):
        convert_to_official({"model": {"weight": torch.zeros(1)}})


def test_the_command_converts_both_ways(tmp_path, capsys):
    options = ("model", "model2", "shape")
    paths = {option: tmp_path / f"{file}.pth" for option, file in zip(options, recipe.FILES, strict=True)}
    states = thin_states()
    for path, state in zip(paths.values(), states, strict=True):
        torch.save(state, path)
    assert convert_official(*paths.values())["model"].keys() == convert_official(*states)["model"].keys()
    arguments_of_files = [text for option, path in paths.items() for text in (f"--{option}", str(path))]
    whole, back = tmp_path / "deep/all.pt", tmp_path / "back"
    assert convert(["official", *arguments_of_files, "--out", str(whole)]) == 0
    assert "classifiers of 500 and 500 people" in capsys.readouterr().out
    assert convert(["official", "--to", "official", "--checkpoint", str(whole), "--out", str(back)]) == 0
    for path, state in zip(paths.values(), states, strict=True):
        again = torch.load(back / path.name, weights_only=True)
        assert {name: value.shape for name, value in again.items()} == {n: v.shape for n, v in state.items()}
    assert sorted(file.name for file in back.iterdir()) == sorted(path.name for path in paths.values())


def test_the_command_reports_errors(tmp_path, capsys):
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    out = ["--out", str(tmp_path / "all.pt")]

    def files(name: str) -> list[str]:
        path = str(tmp_path / name)
        return ["--model", path, "--model2", path, "--shape", path]

    for arguments, message in (
        (out, "--model is missing; --to engine needs --model, --model2, --shape."),
        ([*files("none.pth"), *out], "There is no file"),
        ([*files("text.pth"), *out], "text.pth is not a readable file"),
        ([*files("other.pth"), *out], "unknown entries: a of the model file"),
        (["--to", "official", *out], "--checkpoint is missing"),
        (["--to", "official", "--checkpoint", str(tmp_path / "other.pth"), *out], "of another model"),
    ):
        assert convert(["official", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "all.pt").exists()


# Users of a checkpoint, with small networks.


class WithoutData(DinoGRL):
    """Engine model without a dataset."""

    def get_loader(self, data_cfg, train=True):
        return None


def entries(network: DinoGRLNet, *without: str) -> dict[str, dict]:
    state = {n: value for n, value in network.state_dict().items() if not n.startswith(without)}
    return {"model": {f"network.{name}": value for name, value in state.items()}, "iteration": 0}


def in_test_phase(path: Path, **changes) -> DinoGRLNet:
    """Return the network of the engine model in the test phase, with the checkpoint at `path`."""
    cfgs = load_config(CONFIG, [f"evaluator_cfg.restore_hint={path}"])
    cfgs["model_cfg"] = {"model": "DinoGRL", **small_config(**changes)}
    return WithoutData(cfgs, training=False).network


@pytest.fixture(scope="module")
def trained() -> DinoGRLNet:
    return small_network(seed=7).eval()


def equal_descriptors(network: DinoGRLNet, reference: DinoGRLNet) -> bool:
    batch = small_batch(2, 2)
    with torch.no_grad():
        return torch.equal(network.cpu().eval()(*batch).descriptor, reference(*batch).descriptor)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "classes"),
    [((), 5), ((), 9), ((), None), (("gait_heads.", "appearance_heads."), 5), (("gait_heads.",), None)],
)
def test_testing_needs_no_classifiers(trained, tmp_path, without, classes):
    torch.save(entries(trained, *without), tmp_path / "some.pt")
    assert equal_descriptors(in_test_phase(tmp_path / "some.pt", num_classes=classes), trained)


@pytest.mark.slow
def test_testing_needs_no_weight_files_that_the_checkpoint_replaces(trained, tmp_path):
    torch.save(entries(trained), tmp_path / "some.pt")
    missing = {
        "appearance": {"backbone": "resnet10", "width": 8, "non_local": False, "stem_relu": False, "weights": "no.pth"},
        "gait": {"backbone": "resnet10", "width": 8, "weights": "no.pth"},
        "silhouette": {"mask_weights": "no.pth"},
        "vision_model": TINY_VIT | {"weights": "no.pth"},
    }
    assert equal_descriptors(in_test_phase(tmp_path / "some.pt", **missing), trained)
    cfg = {"model_cfg": {"model": "DinoGRL", **small_config(**missing)}}
    assert equal_descriptors(load_network(cfg, tmp_path / "some.pt", "cpu"), trained)
    torch.save(entries(trained, "vision_model."), tmp_path / "usual.pt")
    for take in (
        lambda: in_test_phase(tmp_path / "usual.pt", **missing),
        lambda: load_network(cfg, tmp_path / "usual.pt"),
    ):
        with pytest.raises(CheckpointError, match=r"vision transformer .* are missing: there is no file no.pth"):
            take()


@pytest.mark.slow
def test_the_checkpoints_vision_model_goes_before_the_file(trained, tmp_path):
    torch.save(entries(trained), tmp_path / "some.pt")
    torch.save(small_network(seed=8).vision_model.transformer.state_dict(), tmp_path / "vit.pth")
    settings = TINY_VIT | {"weights": str(tmp_path / "vit.pth")}
    assert equal_descriptors(in_test_phase(tmp_path / "some.pt", vision_model=settings), trained)
    torch.save(entries(trained, "vision_model."), tmp_path / "usual.pt")
    assert not equal_descriptors(in_test_phase(tmp_path / "usual.pt", vision_model=settings), trained)


@pytest.mark.slow
def test_classifiers_of_other_identities_are_dropped_with_a_warning(trained, caplog):
    for classes in (5, None, 9):
        with caplog.at_level(logging.WARNING, logger="opengait"):
            network = build_network(small_config(num_classes=classes), entries(trained))
        assert equal_descriptors(network, trained)
        assert ("other identities (appearance_heads.fc_bin)" in caplog.text) == (classes == 9)
        caplog.clear()


@pytest.mark.slow
def test_building_needs_no_weight_files_that_the_checkpoint_replaces(trained):
    missing = {
        "gait": {"backbone": "resnet10", "width": 8, "weights": "no.pth"},
        "silhouette": {"mask_weights": "no.pth"},
        "vision_model": TINY_VIT | {"weights": "no.pth"},
    }
    cfg = {"model": "DinoGRL", **small_config(**missing)}
    network = build_network(cfg, entries(trained))
    assert equal_descriptors(network, trained)
    assert torch.equal(network.gait_heads.fc_bin, trained.gait_heads.fc_bin)
    assert cfg["gait"]["weights"] == "no.pth", "the configuration stays as it is"
    with pytest.raises(CheckpointError, match="vision transformer .* there is no file no.pth"):
        build_network(cfg, entries(trained, "vision_model."))


@pytest.mark.slow
def test_a_checkpoint_of_another_network_is_refused(trained):
    with pytest.raises(CheckpointError, match=r"this configuration: gait\..* is missing"):
        build_network(small_config(), entries(trained, "gait."))
    with pytest.raises(CheckpointError, match=r"no entries network\.\*"):
        build_network(small_config(), {"model": trained.state_dict()})


@pytest.mark.slow
def test_state_dicts_load_as_torch_loads_them(trained):
    network = small_network(seed=2)
    network.load_state_dict(trained.state_dict())
    assert equal_descriptors(network, trained)
    assert DinoGRLNet.load_state_dict is torch.nn.Module.load_state_dict
    with pytest.raises(RuntimeError, match="size mismatch for appearance_heads.fc_bin"):
        small_network(num_classes=9).load_state_dict(trained.state_dict())
