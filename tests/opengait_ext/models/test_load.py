"""`load_network`: trained networks from configurations, checkpoints and run folders."""

from pathlib import Path

import pytest
import torch
import yaml

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models import load_network
from opengait_ext.models.dinogrl.network import DinoGRLNet
from opengait_ext.weights.find import last_checkpoint
from tests.opengait_ext.models.biggait.tiny import tiny_config, tiny_frames, tiny_network
from tests.opengait_ext.models.biggergait import tiny as bigger
from tests.opengait_ext.models.dinogrl.release.small import small_config, small_network

CONFIG = {"model_cfg": {"model": "DinoGRL", **small_config()}, "trainer_cfg": {"seed": 3}}


def checkpoint_of(network: torch.nn.Module, prefix: str = "network.") -> dict:
    entries = {f"{prefix}{name}": value for name, value in network.state_dict().items()}
    return {"model": entries | {"loss_aggregator.losses.0.weight": torch.zeros(1)}, "iteration": 5}


@pytest.fixture(scope="module")
def trained() -> DinoGRLNet:
    return small_network(seed=7)


def write_run(folder: Path, *networks: DinoGRLNet) -> Path:
    """Write a run folder with checkpoints at iterations 20, 100, 180, ..."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"extensions": ["opengait_ext"], **CONFIG}))
    for number, network in enumerate(networks):
        torch.save(checkpoint_of(network), folder / f"checkpoints/tiny-{20 + 80 * number:05d}.pt")
    return folder


@pytest.mark.slow
def test_a_configuration_with_a_checkpoint(trained, tmp_path):
    torch.save(checkpoint_of(trained), tmp_path / "some.pt")
    for checkpoint in (checkpoint_of(trained), tmp_path / "some.pt", str(tmp_path / "some.pt")):
        network = load_network(CONFIG, checkpoint, "cpu")
        assert isinstance(network, DinoGRLNet) and not network.training
        for name, value in network.state_dict().items():
            assert torch.equal(value, trained.state_dict()[name]), name


@pytest.mark.slow
def test_a_run_folder_with_several_checkpoints(trained, tmp_path):
    folder = write_run(tmp_path / "run", small_network(seed=1), trained)
    (folder / "checkpoints/notes.pt").write_text("not numbered")
    assert last_checkpoint(folder).name == "tiny-00100.pt"
    loaded = load_network(folder, device="cpu")
    assert torch.equal(loaded.gait_parts.FCs.fc_bin, trained.gait_parts.FCs.fc_bin)
    first = load_network(folder, folder / "checkpoints/tiny-00020.pt", "cpu")
    assert not torch.equal(first.gait_parts.FCs.fc_bin, trained.gait_parts.FCs.fc_bin)


@pytest.mark.slow
def test_overrides_change_a_configuration_file(trained, tmp_path):
    folder = write_run(tmp_path / "run", trained)
    loaded = load_network(folder / "config.yaml", checkpoint_of(trained), "cpu", ["model_cfg.num_classes=9"])
    assert loaded.appearance_heads.fc_bin.shape[2] == 9


def test_biggait_without_its_weight_file():
    network = tiny_network(seed=4).eval()
    config = {"model_cfg": tiny_config(pretrained_dinov2="no.pth")}
    loaded = load_network(config, checkpoint_of(network, prefix=""), "cpu")
    with torch.no_grad():
        frames = tiny_frames(1, 2)
        assert torch.equal(loaded(frames).embeddings, network(frames).embeddings)


def test_biggergait_without_its_weight_files(tmp_path):
    torch.manual_seed(0)
    settings = bigger.model_cfg(**bigger.write_weights(tmp_path))
    network = bigger.network(settings).eval()
    settings |= {"pretrained_mask_branch": "no.pt", "SeparateBNNecks": settings["SeparateBNNecks"] | {"class_num": 9}}
    loaded = load_network({"model_cfg": settings}, checkpoint_of(network, prefix=""), "cpu")
    frames = bigger.frames_of(1, 2)
    with torch.no_grad():
        assert torch.equal(loaded(frames).embeddings, network(frames).embeddings)
        assert loaded(frames).logits.shape == (1, 9, bigger.GROUPS * bigger.PARTS)


def test_missing_checkpoints(tmp_path):
    with pytest.raises(CheckpointError, match="name a checkpoint, or a run folder"):
        load_network(CONFIG)
    with pytest.raises(CheckpointError, match="no checkpoint .*none.pt"):
        load_network(CONFIG, tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match=f"{tmp_path.name} has no checkpoint"):
        load_network(tmp_path)


def test_models_without_a_plain_network():
    with pytest.raises(ConfigError, match="model Baseline has no plain network"):
        load_network({"model_cfg": {"model": "Baseline"}}, {"model": {}})
    with pytest.raises(ConfigError, match="no model called 'DinoGLR'"):
        load_network({"model_cfg": {"model": "DinoGLR"}}, {"model": {}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalise": "false"}, r"model_cfg\.normalise: .*'false'"),
        ({"dimension": "many"}, r"model_cfg\.dimension: .*'many'"),
        ({"granularities": 2}, r"model_cfg\.granularities: .* got 2"),
        ({"joint_learning": None}, r"model_cfg\.joint_learning: .* null"),
        ({"supervised": "all"}, r"model_cfg\.supervised: .*'all'"),
        ({"num_classes": [5]}, r"model_cfg\.num_classes"),
        ({"appearance": {"strides": "no", "weights": None}}, r"model_cfg\.appearance\.strides: .*'no'"),
        ({"gait": [1]}, r"model_cfg\.gait"),
    ],
)
def test_keys_of_models_have_types(change, message):
    with pytest.raises(ConfigError, match=message):
        DinoGRLNet.from_config({**small_config(), **change})


def test_an_unknown_option_is_named():
    with pytest.raises(TypeError, match="'devise'"):
        load_network({"model_cfg": {"model": "Baseline"}}, {"model": {}}, devise="cpu")
