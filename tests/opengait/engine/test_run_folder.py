"""The name of a run's folder."""

import subprocess
import sys

import pytest

from opengait.engine.run_folder import output_path
from tests.paths import ROOT


def test_the_folder_of_each_phase():
    cfgs = {
        "data_cfg": {"dataset_name": "D"},
        "trainer_cfg": {"save_name": "t", "output_root": "o"},
        "evaluator_cfg": {"save_name": "e"},
        "model_cfg": {"model": "M"},
    }
    assert str(output_path(cfgs, True)) == "o/D/M/t"
    assert str(output_path(cfgs, False)) == "o/D/M/e"
    cfgs["data_cfg"] = [{"dataset_name": "A"}, {"dataset_name": "B"}]
    assert str(output_path(cfgs, True)) == "o/A_B/M/t"


@pytest.mark.slow
def test_it_does_not_import_torch():
    code = "import sys; import opengait.engine.run_folder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
