"""Extensions: packages that register parts, folders of model files, and the names imported by such files."""

import importlib
import sys

import pytest
import torch

import opengait.data.transform
import opengait.modeling.base_model
import opengait.utils
from opengait import compat, registry
from opengait.errors import ConfigError
from opengait.extensions import load_extensions
from opengait.modeling import models
from tests.opengait import tiny


@pytest.fixture
def folder(tmp_path):
    def write(files: dict[str, str]):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


@pytest.fixture(autouse=True)
def clean_import_state(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in (*compat.BARE_NAMES, "plug_in", "silent_plug_in", "needy_plug_in"):
            del sys.modules[name]


def test_a_model_folder_imports_the_modules_of_the_engine():
    classes = compat.load_model_folder(tiny.MODELS)
    assert issubclass(classes.TinySil, opengait.modeling.base_model.BaseModel)
    assert classes.BaseModel is opengait.modeling.base_model.BaseModel


FORMS = """
import utils
import data.transform
import data.transform as base_transform
from utils import get_msg_mgr
from data import transform
from modeling import losses, backbones
from .. import backbones as near_backbones
from ..losses.base import BaseLoss
from ..modules import SetBlockWrapper

class Forms:
    seen = dict(utils=utils, data=data, transform=base_transform, message=get_msg_mgr)
    same = transform is base_transform and near_backbones is backbones

    def late(self):
        from evaluation import evaluator
        from modeling.base_model import BaseModel
        return evaluator, BaseModel
"""


def test_import_statements_of_opengait_files(folder):
    classes = compat.load_model_folder(folder({"forms.py": FORMS}))
    assert classes.Forms.same
    assert classes.Forms.seen["utils"] is opengait.utils
    assert classes.Forms.seen["data"] is opengait.data
    assert classes.Forms.seen["transform"] is opengait.data.transform
    assert classes.Forms.seen["message"] is opengait.utils.get_msg_mgr
    assert classes.Forms().late()[1] is opengait.modeling.base_model.BaseModel


def test_file_names_that_are_not_identifiers_and_sub_packages(folder):
    inner = "from ..aside import helper\nfrom ... import backbones\nclass Inner: tools = helper, backbones\n"
    classes = compat.load_model_folder(
        folder(
            {
                "plain++.py": "from .pack.inner import Inner\nclass PlusPlus(Inner): pass\n",
                "pack/__init__.py": "from .inner import Inner\n",
                "pack/inner.py": inner,
                "aside/helper.py": "from utils import is_list\n",
            }
        )
    )
    assert issubclass(classes.PlusPlus, classes.Inner)
    assert classes.Inner.tools[0].is_list is opengait.utils.is_list
    assert classes.Inner.tools[1] is importlib.import_module("opengait.modeling.backbones")


def test_an_unrelated_package_of_the_same_name_is_not_replaced(folder, monkeypatch):
    root = folder(
        {"mine/utils.py": "MINE = True\n", "models/a.py": "from utils import is_list\nclass A: check = is_list\n"}
    )
    monkeypatch.syspath_prepend(str(root / "mine"))
    monkeypatch.delitem(sys.modules, "utils", raising=False)
    assert importlib.import_module("utils").MINE
    assert compat.load_model_folder(root / "models").A.check is opengait.utils.is_list
    assert importlib.import_module("utils").MINE


def test_free_bare_names_refer_to_the_same_modules(monkeypatch):
    compat.install()
    for name in ("utils", "modeling", "modeling.base_model", "data", "data.transform"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert importlib.import_module("utils") is opengait.utils
    assert importlib.import_module("modeling.base_model") is opengait.modeling.base_model
    assert importlib.import_module("data.transform") is opengait.data.transform
    assert opengait.utils.__spec__.name == "opengait.utils"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("modeling.nothing_of_that_name")


def test_the_last_file_wins_and_is_logged(folder, caplog):
    files = {"Big.py": "class Twin: file = 'Big'\n", "baseline.py": "class Twin: file = 'baseline'\n"}
    with caplog.at_level("INFO", "opengait"):
        classes = compat.load_model_folder(folder(files))
    assert classes.Twin.file == "baseline"
    assert "Twin" in caplog.text and "replaces" in caplog.text


def test_a_missing_package_is_an_error_on_use(folder, caplog):
    files = {
        "needs.py": "import no_such_package_here.x\nclass NeedyModel: pass\n",
        "fine.py": "class FineModel: pass\n",
    }
    with caplog.at_level("INFO", "opengait"):
        load_extensions([str(folder(files))])
    assert "needs.py" in caplog.text and "no_such_package_here" in caplog.text
    assert registry.models.get("FineModel").__name__ == "FineModel"
    with pytest.raises(ConfigError, match="NeedyModel is not available.*no_such_package_here.*not installed"):
        registry.models.get("NeedyModel")
    with pytest.raises(ConfigError, match="no model called 'NedyModel'"):
        registry.models.get("NedyModel")


def test_a_broken_file_is_skipped(folder, caplog):
    files = {
        "broken.py": "class Broken:\n    def half(self:\n",
        "old.py": "import numpy as np\nclass Old:\n    kind = np.float\n",
        "fine.py": "class Whole: pass\n",
        "nulls.py": "\0",
    }
    with caplog.at_level("INFO", "opengait"):
        classes = compat.load_model_folder(folder(files))
    assert classes.Whole.__name__ == "Whole" and not hasattr(classes, "Broken")
    assert "Skipped model file broken.py: broken.py, line 2" in caplog.text
    assert "Skipped model file old.py: old.py, line 3: AttributeError" in caplog.text
    with pytest.raises(AttributeError, match="Old is not available, because .*line 3"):
        _ = classes.Old
    with pytest.raises(AttributeError, match="no class 'Nothing'"):
        _ = classes.Nothing
    with pytest.raises(ConfigError, match="Broken is not available.*line 2"):
        registry.models.get("Broken")


CUDA = """
import torch

class Moves(torch.nn.Module):
    def forward(self, x):
        mask = torch.ones(2, 2).cuda()
        mask = mask.to("cuda:0").to(torch.device("cuda", 1), torch.float32).to(0) + torch.zeros(2, device="cuda")
        module = torch.nn.Linear(2, 2).cuda(x.get_device()).cuda(device=0).to(torch.float32)
        return module(x.cuda(non_blocking=True) * mask.to(*["cpu", torch.float32])), torch.cuda.is_available()
"""


def test_cuda_calls_of_model_files_work_without_a_device(folder):
    root = folder({"moves.py": CUDA})
    out, available = compat.load_model_folder(root).Moves()(torch.ones(2, 2))
    assert out.device.type == "cpu" and not available
    with pytest.raises((RuntimeError, AssertionError)):
        torch.ones(1).cuda()
    assert not list(root.rglob("*.pyc"))


def test_an_imported_class_does_not_hide_a_model(folder):
    inner = {"tools/net.py": "class GaitSet: pass\n", "outer.py": "from .tools.net import GaitSet\nclass Outer: pass\n"}
    root = folder(inner)
    load_extensions([str(root)])
    assert issubclass(models.GaitSet, opengait.modeling.base_model.BaseModel)
    assert compat.load_model_folder(root).GaitSet.__module__.endswith("tools.net")


def test_a_folder_relative_to_the_configuration(folder, monkeypatch):
    root = folder({"my_models/net.py": "class RelativeNet: pass\n"})
    monkeypatch.chdir("/")
    load_extensions(["my_models"], root)
    assert models.RelativeNet.__module__.endswith("net")


def test_a_package_registers_its_parts(folder):
    root = folder(
        {
            "plug_in/__init__.py": "CALLS = []\n\ndef register():\n    CALLS.append(1)\n",
            "silent_plug_in/__init__.py": "",
            "needy_plug_in/__init__.py": "import no_such_package_here\n",
        }
    )
    load_extensions(["plug_in"], root)
    assert importlib.import_module("plug_in").CALLS == [1]
    with pytest.raises(ConfigError, match="silent_plug_in .* has no function register"):
        load_extensions(["silent_plug_in"], root)
    with pytest.raises(ConfigError, match="package 'no_such_package_here'"):
        load_extensions(["needy_plug_in"], root)


@pytest.mark.parametrize("name", ["no_such_extension", "./no/such/folder", 3])
def test_a_name_that_is_neither_package_nor_folder(name):
    with pytest.raises(ConfigError, match=str(name)):
        load_extensions([name])


def test_a_package_named_by_path(folder):
    root = folder(
        {
            "by_path/__init__.py": "import not_run\n\ndef register():\n    pass\n",
            "models_of_opengait/__init__.py": "from . import net\n",
            "models_of_opengait/net.py": "class PathNet: pass\n",
        }
    )
    for name in ("./by_path", str(root / "by_path"), "by_path/"):
        with pytest.raises(ConfigError, match="import name, by_path"):
            load_extensions([name], root)
    load_extensions(["./models_of_opengait"], root)
    assert models.PathNet
