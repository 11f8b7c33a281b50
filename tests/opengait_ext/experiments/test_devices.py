"""Devices of parallel runs."""

import os
import sys

import pytest

from opengait.errors import ConfigError
from opengait_ext.experiments import devices as devices_module
from opengait_ext.experiments.devices import Device, devices_of


def test_devices(monkeypatch):
    monkeypatch.setattr(devices_module.torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert devices_of([]) == [Device((number,), 8) for number in range(4)]
    assert devices_of(["0,2", "3"]) == [Device((0, 2), 8), Device((3,), 8)]
    assert devices_of(["0,2"])[0].environment == {"CUDA_VISIBLE_DEVICES": "0,2"}
    assert "--nproc_per_node=2" in devices_of(["0,2"])[0].command() and len(devices_of(["3"])[0].command()) == 2
    assert devices_of(["cpu", "cpu"]) == [Device((), 4)] * 2
    for texts, message in ((["1", "1,2"], "twice"), (["4"], "devices 0 to 3"), (["gpu"], "'gpu'")):
        with pytest.raises(ConfigError, match=message):
            devices_of(texts)
    monkeypatch.setattr(devices_module.torch.cuda, "device_count", lambda: 0)
    assert devices_of([]) == [Device((), 4)] * 2
    with pytest.raises(ConfigError, match="no CUDA device; give cpu"):
        devices_of(["0"])


def test_a_module_runs_as_one_process_on_any_device():
    assert devices_of(["cpu"])[0].command("opengait_ext") == [sys.executable, "-m", "opengait_ext"]
    assert Device((0, 2)).command("opengait_ext") == [sys.executable, "-m", "opengait_ext"]
