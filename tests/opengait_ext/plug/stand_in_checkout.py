"""A stand-in for a checkout of OpenGait: its entry point, importable names, logger and default configuration.

Written from the facts of OpenGait's interface: the folder `opengait/` comes first on `sys.path`, so `modeling`,
`data`, `utils` and `evaluation` are top-level names, some of them plain folders; every file of `modeling/models` is
imported before the configuration is read; a model is built from `(cfgs, training)`, converted, wrapped in DDP, and run
by its static `run_train` and `run_test`. Without a GPU, the processes use gloo instead of nccl.
"""

from pathlib import Path

FILES = {
    # The documented defaults, into which configurations are merged, so keys that they lack stay.
    "configs/default.yaml": """
data_cfg:
  dataset_name: CASIA-B
  dataset_root: your_path
  dataset_partition: ./datasets/CASIA-B/CASIA-B.json
  num_workers: 1
  cache: false
  remove_no_gallery: false
  test_dataset_name: CASIA-B
evaluator_cfg:
  enable_float16: false
  restore_ckpt_strict: true
  restore_hint: 80000
  save_name: tmp
  eval_func: evaluate_indoor_dataset
  cross_view_gallery: false
  metric: euc
  sampler: {batch_size: 4, sample_type: all_ordered, type: InferenceSampler}
  transform: [{type: BaseSilCuttingTransform}]
loss_cfg: {type: TripletLoss, log_prefix: triplet, loss_term_weight: 1.0, margin: 0.2}
optimizer_cfg: {solver: SGD, lr: 0.1, momentum: 0.9, weight_decay: 0.0005}
scheduler_cfg: {scheduler: MultiStepLR, gamma: 0.1, milestones: [10000, 20000]}
trainer_cfg:
  enable_float16: true
  with_test: false
  fix_BN: false
  sync_BN: false
  find_unused_parameters: false
  log_iter: 100
  save_iter: 2000
  total_iter: 80000
  save_name: tmp
  restore_hint: 0
  restore_ckpt_strict: true
  optimizer_reset: false
  scheduler_reset: false
  sampler:
    type: TripletSampler
    batch_size: [8, 16]
    batch_shuffle: false
    sample_type: fixed_unordered
    frames_num_fixed: 30
    frames_num_min: 25
    frames_num_max: 50
  transform: [{type: BaseSilCuttingTransform}]
""",
    "opengait/main.py": """
import argparse
import os

import torch
import torch.nn as nn

from modeling import models
from utils import config_loader, get_ddp_module, get_msg_mgr, init_seeds, params_count

parser = argparse.ArgumentParser()
parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
parser.add_argument("--cfgs", type=str, default="config/default.yaml")
parser.add_argument("--phase", default="train", choices=["train", "test"])
parser.add_argument("--log_to_file", action="store_true")
parser.add_argument("--iter", default=0)
opt = parser.parse_args()


def initialization(cfgs, training):
    engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
    names = cfgs["data_cfg"]["dataset_name"]
    folder = os.path.join("output/", names, cfgs["model_cfg"]["model"], engine_cfg["save_name"])
    if training:
        hint = engine_cfg["restore_hint"] if isinstance(engine_cfg["restore_hint"], int) else 0
        get_msg_mgr().init_manager(folder, opt.log_to_file, engine_cfg["log_iter"], hint)
    else:
        get_msg_mgr().init_logger(folder, opt.log_to_file)
    get_msg_mgr().log_info(engine_cfg)
    init_seeds(torch.distributed.get_rank())


def run_model(cfgs, training):
    model_cfg = cfgs["model_cfg"]
    get_msg_mgr().log_info(model_cfg)
    Model = getattr(models, model_cfg["model"])
    model = Model(cfgs, training)
    if training and cfgs["trainer_cfg"]["sync_BN"]:
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


if __name__ == "__main__":
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", init_method="env://")
    if torch.cuda.is_available() and torch.distributed.get_world_size() != torch.cuda.device_count():
        raise ValueError("world size and number of GPUs differ")
    cfgs = config_loader(opt.cfgs)
    if opt.iter != 0:
        cfgs["evaluator_cfg"]["restore_hint"] = cfgs["trainer_cfg"]["restore_hint"] = int(opt.iter)
    training = opt.phase == "train"
    initialization(cfgs, training)
    run_model(cfgs, training)
""",
    "opengait/utils/__init__.py": """
from .common import config_loader, get_ddp_module, get_valid_args, init_seeds, params_count
from .msg_manager import get_msg_mgr
""",
    "opengait/utils/common.py": """
import inspect
import random

import numpy as np
import torch
import yaml
from torch.nn.parallel import DistributedDataParallel as DDP


def merge(src, dst):
    for key, value in src.items():
        if type(value) is dict and isinstance(dst.get(key), dict):
            merge(value, dst[key])
        else:
            dst[key] = value


def config_loader(path):
    with open(path) as stream:
        src = yaml.safe_load(stream)
    with open("./configs/default.yaml") as stream:
        dst = yaml.safe_load(stream)
    merge(src, dst)
    return dst


def get_valid_args(obj, input_args, free_keys=[]):
    names = inspect.getfullargspec(obj.__init__ if inspect.isclass(obj) else obj)[0]
    return {key: value for key, value in input_args.items() if key in names}


def init_seeds(seed=0, cuda_deterministic=True):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)


class Passthrough(DDP):
    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)


def get_ddp_module(module, find_unused_parameters=False, **kwargs):
    if len(list(module.parameters())) == 0:
        return module
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else None
    return Passthrough(module, device_ids=devices, find_unused_parameters=find_unused_parameters, **kwargs)


def params_count(net):
    return "Parameters Count: {:.5f}M".format(sum(p.numel() for p in net.parameters()) / 1e6)
""",
    "opengait/utils/msg_manager.py": """
import logging
import os
import time

import torch.distributed as dist
from torch.utils.tensorboard import SummaryWriter


class MessageManager:
    def init_manager(self, save_path, log_to_file, log_iter, iteration=0):
        self.iteration, self.log_iter = iteration, log_iter
        os.makedirs(os.path.join(save_path, "summary"), exist_ok=True)
        self.writer = SummaryWriter(os.path.join(save_path, "summary"), purge_step=iteration)
        self.init_logger(save_path, log_to_file)

    def init_logger(self, save_path, log_to_file):
        self.logger = logging.getLogger("opengait")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        formatter = logging.Formatter("[%(asctime)s] [%(levelname)s]: %(message)s", "%Y-%m-%d %H:%M:%S")
        handlers = [logging.StreamHandler()]
        if log_to_file:
            folder = os.path.join(save_path, "logs")
            os.makedirs(folder, exist_ok=True)
            handlers.append(logging.FileHandler(os.path.join(folder, time.strftime("%Y-%m-%d-%H-%M-%S.txt"))))
        for handler in handlers:
            handler.setFormatter(formatter)
            self.logger.addHandler(handler)

    def log_info(self, *args, **kwargs):
        self.logger.info(*args, **kwargs)


class NoOp:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


manager, silence = MessageManager(), NoOp()


def get_msg_mgr():
    return silence if dist.is_initialized() and dist.get_rank() > 0 else manager
""",
    # `data` and `modeling` are folders without an `__init__.py`: the hardest case for a package of the same name.
    "opengait/data/transform.py": """
class BaseSilCuttingTransform:
    theirs = True


def get_transform(cfg=None):
    pass
""",
    "opengait/data/sampler.py": "class TripletSampler:\n    theirs = True\n",
    "opengait/data/collate_fn.py": "class CollateFn:\n    theirs = True\n",
    "opengait/data/dataset.py": "from utils import get_msg_mgr\n\n\nclass DataSet:\n    theirs = True\n",
    "opengait/evaluation/__init__.py": "def mean_iou():\n    pass\n",
    "opengait/evaluation/evaluator.py": "def evaluate_indoor_dataset(data, dataset, metric='euc'):\n    pass\n",
    "opengait/modeling/backbones/__init__.py": "",
    "opengait/modeling/losses/__init__.py": "",
    "opengait/modeling/base_model.py": """
import torch.nn as nn

from data.collate_fn import CollateFn
from data.dataset import DataSet
from data.transform import get_transform
from evaluation import evaluator as eval_functions
from utils import get_msg_mgr, get_valid_args

from . import backbones


class BaseModel(nn.Module):
    theirs = True
""",
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
    # One file before the plug in name order, and one after it that imports names for the first time.
    "opengait/modeling/models/BigGait.py": """
from ..base_model import BaseModel


class BigGait__Dinov2_Gaitbase(BaseModel):
    pass
""",
    "opengait/modeling/models/theirs.py": """
from modeling.base_model import BaseModel
from data.sampler import TripletSampler
from data.transform import BaseSilCuttingTransform
from evaluation import mean_iou
from utils.common import params_count


class Theirs(BaseModel):
    parts = (TripletSampler, BaseSilCuttingTransform)
""",
}


def write_checkout(root: Path) -> Path:
    """Write the stand-in below `root` and return it."""
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip("\n"))
    return root
