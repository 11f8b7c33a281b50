"""`vvi export`: what it writes, verifies, says and refuses."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from opengait.config import load_config
from opengait.errors import ConfigError
from opengait.utils.files import sha256_of
from opengait_ext import Describer, export
from opengait_ext.commands import export as command_line
from opengait_ext.data.augment import Normalise
from opengait_ext.export import verify
from opengait_ext.models.agw.network import AGWNet
from opengait_ext.models.mitml.network import MITMLNet
from opengait_ext.search.inputs import Pictures, Prepared
from tests.opengait_ext.runs.stand_in_runs import command
from tests.paths import ROOT

SIZE = (64, 32)
BACKBONE = {"backbone": "resnet10", "width": 4, "weights": None}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return the folder of a small AGW, with a calibration."""
    folder = tmp_path_factory.mktemp("agw")
    content = {
        "base": str(ROOT / "configs/agw/hitsz.yaml"),
        "data_cfg": {"frame_size": list(SIZE)},
        "model_cfg": {"num_classes": 5, "backbone": BACKBONE},
    }
    (folder / "agw.yaml").write_text(yaml.safe_dump(content))
    torch.manual_seed(0)
    state = AGWNet.from_config(load_config(folder / "agw.yaml")["model_cfg"]).state_dict()
    torch.save({"model": {f"network.{name}": value for name, value in state.items()}}, folder / "agw.pt")
    Describer.load(folder / "agw.yaml", folder / "agw.pt", device="cpu").save_pretrained(folder / "saved")
    calibration = {"network": sha256_of(folder / "saved/model.safetensors"), "pairs": "of a test"}
    (folder / "saved/calibration.json").write_text(json.dumps(calibration))
    return folder / "saved"


@pytest.mark.slow
def test_a_file_with_what_it_takes(network, tmp_path, capsys):
    out = tmp_path / "new/agw.pt2"
    assert command("export")(["--network", str(network), "--out", str(out), "--frames", "2"]) == 0
    printed = capsys.readouterr().out
    assert "agw.pt2.json" in printed and "Largest deviation" in printed
    facts = json.loads((tmp_path / "new/agw.pt2.json").read_text())
    describer = Describer.load(network, device="cpu")
    assert facts["inputs"]["frames"] == {
        "type": "uint8",
        "shape": [None, 2, 3, *SIZE],
        "channels": "RGB",
        "frames_in_test": describer.frames,
    }
    assert facts["inputs"]["modality"]["codes"] == {"visible": 0, "infrared": 1} and facts["inputs"]["modality"]["read"]
    assert facts["output"]["shape"] == [None, *describer.shape] and facts["distance"] == "euc"
    assert facts["file"] == {"name": "agw.pt2", "sha256": sha256_of(out)}
    assert facts["checkpoint_sha256"] == sha256_of(network / "model.safetensors")
    assert facts["calibration"]["pairs"] == "of a test"
    assert 0 <= facts["largest_deviation"] <= 1e-4
    # Frames of that size in a file are those that the describer is given.
    frames, modality = verify.random_tracklets(3, 2, SIZE, seed=5)
    names = ["visible", "infrared", "visible"]
    expected = describer.encode(list(frames[:, :1].transpose(0, 1, 3, 4, 2)), names, "rgb")
    described = export.open_exported(out)(frames[:, [0, 0]], modality)
    np.testing.assert_allclose(described, expected, atol=1e-5)


@pytest.mark.slow
def test_a_file_that_deviates_is_not_kept(network, tmp_path, capsys, monkeypatch):
    write, read = export.FORMATS["pt2"]

    def disturbed(path, threads=None):
        run = read(path, threads)
        return lambda frames, modality: run(frames, modality) * (1 + 2e-4)

    monkeypatch.setitem(export.FORMATS, "pt2", (write, disturbed))
    out = tmp_path / "agw.pt2"
    assert command("export")(["--network", str(network), "--out", str(out), "--tracklets", "1", "--frames", "1"]) == 2
    assert "2.0e-04" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_fixed_numbers(network, tmp_path):
    out = tmp_path / "agw.pt2"
    describer = Describer.load(network, device="cpu")
    assert export.export_describer(describer, out, tracklets=2, frames=1).deviation <= 1e-4
    run = export.open_exported(out)
    assert run(*verify.random_tracklets(2, 1, SIZE)).shape == (2, *describer.shape)
    with pytest.raises(Exception, match=r"(?i)shape|size|guard"):
        run(*verify.random_tracklets(3, 1, SIZE))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--out", "agw.bin"], r"agw\.bin.*\.onnx or \.pt2"),
        (["--out", "agw.pt2", "--format", "onnx"], r"agw\.pt2.*\.onnx"),
        (["--out", "agw.pt2", "--cfgs", "x.yaml"], "--cfgs"),
    ],
)
def test_wrong_options(tmp_path, capsys, monkeypatch, options, reason):
    monkeypatch.chdir(tmp_path)
    assert command("export")(["--network", "nobody", *options]) == 2
    assert re.search(reason, capsys.readouterr().err)


def test_the_command_knows_the_formats():
    assert tuple(export.FORMATS) == command_line.FORMATS


def stand_in(model: torch.nn.Module, kind: object, *transforms: object) -> SimpleNamespace:
    return SimpleNamespace(model=SimpleNamespace(network=model, evaluator_trfs=transforms), kind=kind)


def test_models_that_are_not_exported():
    network = AGWNet.from_config({"backbone": BACKBONE})
    pictures = Pictures(SIZE)
    assert export.frame_describer(stand_in(network, pictures, Normalise())).size == SIZE
    with pytest.raises(ConfigError, match="frames"):
        export.frame_describer(stand_in(network, Prepared("GaitSet"), Normalise()))
    with pytest.raises(ConfigError, match="frames"):
        export.frame_describer(stand_in(torch.nn.Identity(), pictures, Normalise()))
    # Masks that are given beside the frames would have a transform of their own.
    with pytest.raises(ConfigError, match="Normalise, SimpleNamespace"):
        export.frame_describer(stand_in(network, pictures, Normalise(), SimpleNamespace()))


def mitml(positions: int | None) -> export.FrameDescriber:
    torch.manual_seed(0)
    return export.FrameDescriber(
        MITMLNet.from_config({"backbone": BACKBONE, "positions": positions}), Normalise(), SIZE
    )


def test_numbers_of_frames_that_a_network_cannot_take():
    with pytest.raises(ConfigError, match="2 frames, not of 3"):
        export.trace(mitml(2), frames=3)


@pytest.mark.slow
def test_an_lstm_needs_a_number_of_frames():
    module = mitml(None)
    with pytest.raises(ConfigError, match="--frames"):
        export.trace(module)
    program = export.trace(module, frames=2)
    frames, modality = map(torch.from_numpy, verify.random_tracklets(3, 2, SIZE))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(frames, modality), module(frames, modality))


def test_verification_reaches_single_and_odd_numbers():
    sizes = verify.verification_sizes(None, None, 6)
    assert {n for n, _ in sizes} >= {1, 2, 3} and {s for _, s in sizes} >= {1, 6}
    assert set(verify.verification_sizes(4, 6, 6)) == {(4, 6)}
    assert {s for _, s in verify.verification_sizes(None, 2, 0)} == {2}
    assert all(s > 0 for _, s in verify.verification_sizes(None, None, 0))


def test_deviations_are_shares_of_a_descriptors_norm():
    expected = np.array([[[3.0], [4.0]], [[0.0], [2.0]]])
    described = expected + np.array([[[0.0], [0.5]], [[np.nan], [0.0]]])
    assert verify.deviations(described, expected) == [0.1, float("inf")]


def test_random_tracklets():
    frames, modality = verify.random_tracklets(3, 2, SIZE, seed=1)
    assert frames.shape == (3, 2, 3, *SIZE) and frames.dtype == np.uint8 and list(modality) == [0, 1, 0]
    assert np.array_equal(frames, verify.random_tracklets(3, 2, SIZE, seed=1)[0])
    assert frames.std() > 30 and not np.array_equal(frames[0], frames[2])
