"""The tables of keys, and the documentation page generated from them."""

import subprocess
import sys

import pytest

from opengait.config import sections
from opengait.config.load import DEFAULTS
from opengait.config.source import read_yaml
from opengait.data.frame_picker import FRAME_KEYS
from tests.paths import ROOT


@pytest.mark.slow
def test_the_page_is_up_to_date():
    """Run `python -m opengait.config opengait_ext > docs/configuration.md` if this fails."""
    command = [sys.executable, "-m", "opengait.config", "opengait_ext"]
    page = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert page == (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("", sections.SECTIONS),
        ("data_cfg", sections.DATA),
        ("trainer_cfg", sections.TRAINER),
        ("evaluator_cfg", sections.EVALUATOR),
        ("trainer_cfg.sampler", sections.SAMPLER),
        ("evaluator_cfg.sampler", sections.SAMPLER),
    ],
)
def test_every_default_has_a_documented_key(path, keys):
    section = read_yaml(DEFAULTS)[0]
    for key in filter(None, path.split(".")):
        section = section[key]
    assert set(section) <= set(keys)


def test_keys_of_the_frame_picker_are_documented():
    assert set(FRAME_KEYS) <= set(sections.SAMPLER)
