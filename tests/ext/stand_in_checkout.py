"""The bare bones of a checkout of OpenGait: its entry point, discovery of models, logger and default configuration.

Written from the facts of OpenGait's interface: top-level names `modeling` and `utils`, a model built from
`(cfgs, training)`, DDP around it, and the static `run_train` and `run_test`.
"""

from pathlib import Path

FILES = {
    "configs/default.yaml": """
data_cfg: {dataset_name: CASIA-B, dataset_root: none, num_workers: 1, cache: false}
trainer_cfg: {enable_float16: true, with_test: false, total_iter: 80000, save_name: tmp, restore_hint: 0}
evaluator_cfg: {enable_float16: false, restore_hint: 80000, eval_func: evaluate_indoor_dataset, metric: euc}
""",
    "opengait/main.py": """
import argparse
import logging
import os

import torch
import torch.distributed as dist
import torch.nn as nn

from modeling import models
from utils import config_loader, get_ddp_module, get_msg_mgr, params_count

parser = argparse.ArgumentParser()
parser.add_argument("--cfgs")
parser.add_argument("--phase", default="train")
parser.add_argument("--iter", default=0)
opt = parser.parse_args()

dist.init_process_group("gloo", init_method="env://")
cfgs = config_loader(opt.cfgs)
training = opt.phase == "train"
section = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
folder = os.path.join("output", cfgs["data_cfg"]["dataset_name"], cfgs["model_cfg"]["model"], section["save_name"])
get_msg_mgr().init_logger(folder)
Model = getattr(models, cfgs["model_cfg"]["model"])
model = Model(cfgs, training)
if training and cfgs["trainer_cfg"]["sync_BN"] and torch.cuda.is_available():
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
if cfgs["trainer_cfg"]["fix_BN"]:
    model.fix_BN()
model = get_ddp_module(model, cfgs["trainer_cfg"]["find_unused_parameters"])
get_msg_mgr().log_info(params_count(model))
get_msg_mgr().log_info("Model Initialization Finished!")
if training:
    Model.run_train(model)
else:
    Model.run_test(model)
""",
    "opengait/utils/__init__.py": """
import logging
import os

import yaml
from torch.nn.parallel import DistributedDataParallel as DDP


def merge(new, old):
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            merge(value, old[key])
        else:
            old[key] = value


def config_loader(path):
    with open("./configs/default.yaml") as stream:
        whole = yaml.safe_load(stream)
    with open(path) as stream:
        merge(yaml.safe_load(stream), whole)
    return whole


class Passthrough(DDP):
    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)


def get_ddp_module(module, find_unused_parameters=False):
    if len(list(module.parameters())) == 0:
        return module
    return Passthrough(module, find_unused_parameters=find_unused_parameters)


def params_count(net):
    return "Parameters Count: %.5fM" % (sum(p.numel() for p in net.parameters()) / 1e6)


class Manager:
    def init_logger(self, folder):
        os.makedirs(os.path.join(folder, "logs"), exist_ok=True)
        self.logger = logging.getLogger("opengait")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        handler = logging.FileHandler(os.path.join(folder, "logs", "theirs.txt"))
        handler.setFormatter(logging.Formatter("[%(asctime)s] [%(levelname)s]: %(message)s"))
        self.logger.addHandler(handler)
        self.log_info = self.logger.info


manager = Manager()


def get_msg_mgr():
    return manager
""",
    "opengait/modeling/__init__.py": "",
    "opengait/modeling/base_model.py": "class BaseModel:\n    pass\n",
    "opengait/modeling/models/__init__.py": """
from importlib import import_module
from inspect import isclass
from pathlib import Path
from pkgutil import iter_modules

for _, name, _ in iter_modules([str(Path(__file__).resolve().parent)]):
    module = import_module(f"{__name__}.{name}")
    for attribute_name in dir(module):
        attribute = getattr(module, attribute_name)
        if isclass(attribute):
            globals()[attribute_name] = attribute
""",
    "opengait/modeling/models/theirs.py": "from ..base_model import BaseModel\nclass Theirs(BaseModel):\n    pass\n",
}


def write_checkout(root: Path) -> Path:
    """Write the stand-in below `root`, which is returned."""
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip("\n"))
    return root
