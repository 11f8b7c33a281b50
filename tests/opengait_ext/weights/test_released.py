"""Networks that authors publish: fetched, converted, and used by their names."""

import http.server
import io
import threading
from functools import partial

import pytest
import torch
import yaml

from opengait.errors import CheckpointError
from opengait_ext import load_network
from opengait_ext.models.dinogrl.checkpoints import files
from opengait_ext.weights import catalogue, find
from opengait_ext.weights import obtain as obtaining
from opengait_ext.weights.catalogue import Released
from opengait_ext.weights.transfer import fetch
from tests.opengait_ext.models.dinogrl.release.small import small_config, small_network
from tests.opengait_ext.runs.stand_in_runs import command
from tests.paths import ROOT


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Serve the three files of a small network, and return it."""
    network = small_network(seed=5)
    config = {"base": str(ROOT / "configs/dinogrl/hitsz_official.yaml")}
    config["model_cfg"] = small_config() | {"num_classes": 77, "granularities": [2, 4, 8]}
    (tmp_path / "official.yaml").write_text(yaml.safe_dump(config))
    served = tmp_path / "served"
    served.mkdir()
    for number, name in enumerate(Released.files):
        buffer = io.BytesIO()
        torch.save({"entry": torch.full((300,), float(number))}, buffer)
        (served / name).write_bytes(buffer.getvalue())
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    handler.func.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    monkeypatch.setenv("no_proxy", "*")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    entry = Released(
        "tiny_net", "a tiny net", f"http://127.0.0.1:{server.server_port}", str(tmp_path / "official.yaml")
    )
    for module in (catalogue, find):
        monkeypatch.setattr(module, "RELEASED", (entry,))
    monkeypatch.setattr(find, "FOLDER", tmp_path / "weights")
    monkeypatch.setattr(obtaining, "fetch", lambda address, partial_file, pause: fetch(address, partial_file, 0))
    # The small network's tensors; that the release's own are converted is tested with its converter.
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    monkeypatch.setattr(files, "convert_official", lambda *_: {"model": state})
    yield network, served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_a_network_is_fetched_converted_and_used(published, tmp_path, capsys):
    network, served = published
    out = ["--out", str(tmp_path / "weights")]
    with pytest.raises(CheckpointError, match="run `vvi download tiny_net`"):
        load_network("tiny-net")
    assert command("download")(["tiny-net", *out]) == 0
    printed = capsys.readouterr().out
    assert printed.count("fetched and checked") == 3
    assert "5 and 5 people" in printed and "7 parts of 12 channels, granularities [2, 4]; use it as tiny-net" in printed
    # The numbers of the configuration are those of the tensors.
    loaded = load_network("tiny-net", device="cpu")
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    assert command("download")(["tiny_net", *out]) == 0
    assert "already converted" in capsys.readouterr().out
    assert command("download")(["--list", "best_model2.pth", *out]) == 0
    listed = capsys.readouterr().out
    assert "ready to use" in listed and listed.count("already there") == 3
    (tmp_path / "weights/tiny_net/best_model2.pth").write_bytes((served / "best_shape.pth").read_bytes())
    assert command("download")(["tiny_net", *out]) == 2
    assert "differs from the first fetch" in capsys.readouterr().err
