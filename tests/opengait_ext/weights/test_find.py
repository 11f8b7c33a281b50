"""Names of trained networks, and a hub of which only the cache is there."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from opengait.config import load_config
from opengait.errors import CheckpointError, ConfigError
from opengait.utils.files import sha256_of
from opengait_ext.search import describer
from opengait_ext.search.save import calibration_of
from opengait_ext.weights.find import find_trained
from opengait_ext.weights.folder import facts_of, read_facts, without_folders, write_network
from opengait_ext.weights.hub import is_hub_name
from tests.paths import ROOT

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network") / "net"
    config = load_config(ROOT / "configs/gaitset/hitsz.yaml")
    test = {"dataset": "SET", "results": {"infrared_to_visible": {"rank1": 51.234, "rank5": 60, "map": 41, "minp": 9}}}
    facts = facts_of(config, (4, 2)) | {"license": "mit", "trained_on": {"name": "SET"}, "tests": [test]}
    shared = torch.ones(3)
    write_network(folder, config, {"a": shared, "b": shared}, facts)
    return folder


def cached(network, folder):
    """Copy a network to where huggingface_hub would have put it."""
    repository = folder / "models--somebody--net"
    shutil.copytree(network, repository / "snapshots" / REVISION)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(REVISION)
    return repository / "snapshots" / REVISION


def test_the_folder_and_its_card(network):
    assert read_facts(network)["license"] == "mit"
    card = (network / "README.md").read_text()
    header = card.split("---")[1]
    assert "license: mit" in header and "library_name: opengait-dinogrl" in header
    for part in ("| infrared to visible | 51.23 | 60.00 | 41.00 | 9.00 |", "4 channels and 2 parts", "SHA-256 `"):
        assert part in card
    assert load_config(network / "config.yaml")["model_cfg"]["model"] == "GaitSet"
    assert without_folders({"a": ["/home/me/x.pth", "b/c.pth"]}) == {"a": ["x.pth", "b/c.pth"]}


def test_a_network_on_a_hub_is_read_from_the_cache(network, tmp_path):
    snapshot = cached(network, tmp_path)
    for name in ("somebody/net", "hf-hub:somebody/net", "somebody/net@main"):
        trained = find_trained(name, cache_dir=tmp_path, local_files_only=True)
        assert trained.checkpoint == snapshot / "model.safetensors" and trained.facts["model"] == "GaitSet"
    with pytest.raises(CheckpointError, match="somebody/other is neither a folder here nor"):
        find_trained("somebody/other", cache_dir=tmp_path, local_files_only=True)
    with pytest.raises(TypeError, match="'devise'"):
        find_trained(network, devise="cpu")


@pytest.mark.parametrize(("line", "reason"), [("extensions: [./models]", "./models"), ("base: x.yaml", "another file")])
def test_code_of_strangers_is_not_run(network, tmp_path, line, reason):
    snapshot = cached(network, tmp_path)
    config = (snapshot / "config.yaml").read_text()
    kept = [text for text in config.splitlines() if not text.startswith(("extensions", "base"))]
    (snapshot / "config.yaml").write_text("\n".join([line, *(t for t in kept if t != "- opengait_ext")]))
    with pytest.raises(CheckpointError, match=reason):
        find_trained("somebody/net", cache_dir=tmp_path, local_files_only=True)


def test_facts_of_strangers_change_no_setting(network, tmp_path, monkeypatch):
    snapshot = cached(network, tmp_path)
    facts = json.loads((snapshot / "config.json").read_text()) | {"overrides": ["extensions=[./models]"], "device": "x"}
    (snapshot / "config.json").write_text(json.dumps(facts))
    asked = []
    monkeypatch.setattr(describer, "load_config", lambda _, overrides: asked.append(list(overrides)) or {})
    monkeypatch.setattr(describer, "kind_of", lambda _: None)
    monkeypatch.setattr(describer, "load_model", lambda *given: (_ for _ in ()).throw(ConfigError(str(given[2]))))
    with pytest.raises(ConfigError, match="None"):
        describer.Describer.from_pretrained("somebody/net", cache_dir=tmp_path, local_files_only=True)
    assert asked == [[]]


def test_a_calibration_of_an_earlier_checkpoint_is_left_behind(network, tmp_path):
    copy = shutil.copytree(network, tmp_path / "copy")
    trained = find_trained(copy)
    (copy / "calibration.json").write_text(json.dumps({"network": "of an earlier checkpoint"}))
    assert calibration_of(trained) is None
    own = {"network": sha256_of(trained.checkpoint)}
    (copy / "calibration.json").write_text(json.dumps(own))
    assert calibration_of(trained) == own


def test_names_that_name_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "output").mkdir()
    # A wrong last part of a path is no reason to ask a server.
    for name in ("nothing", "output/run", "a/b/c"):
        with pytest.raises(CheckpointError, match=f"no trained network {name}; .*dinogrl-hitsz, dinogrl-bupt"):
            find_trained(name)
    save_file({"a": torch.ones(1)}, tmp_path / "alone.safetensors")
    with pytest.raises(CheckpointError, match=r"alone\.safetensors lies in no run folder"):
        find_trained(tmp_path / "alone.safetensors")
    assert is_hub_name("a/b") and is_hub_name("hf-hub:a/b@v1") and not is_hub_name("a") and not is_hub_name("a/b/c")
