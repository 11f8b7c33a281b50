"""A model with its own constructor, which assembles OpenGait's data classes itself."""

from os.path import join

import data.sampler as Samplers
import torch
import torch.utils.data as tordata
from data.collate_fn import CollateFn
from data.dataset import DataSet
from data.transform import get_transform
from utils import get_attr_from, get_msg_mgr, get_valid_args

from ..base_model import BaseModel
from ..loss_aggregator import LossAggregator
from .strips import Strips


class OwnStart(Strips):
    def __init__(self, cfgs, training):
        super(BaseModel, self).__init__()
        self.msg_mgr = get_msg_mgr()
        self.cfgs = cfgs
        self.iteration = 0
        self.engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
        self.save_path = join("output/", "own", self.engine_cfg["save_name"])  # noqa: PTH118
        self.build_network(cfgs["model_cfg"])
        self.init_parameters()
        self.trainer_trfs = get_transform(cfgs["trainer_cfg"]["transform"])
        self.evaluator_trfs = get_transform(cfgs["evaluator_cfg"]["transform"])
        if training:
            self.train_loader = self.get_loader(cfgs["data_cfg"], train=True)
        else:
            self.test_loader = self.get_loader(cfgs["data_cfg"], train=False)
        self.device = torch.distributed.get_rank()
        if training:
            self.loss_aggregator = LossAggregator(cfgs["loss_cfg"])
            self.optimizer = self.get_optimizer(cfgs["optimizer_cfg"])
            self.scheduler = self.get_scheduler(cfgs["scheduler_cfg"])
        self.train(training)
        if self.engine_cfg["restore_hint"] != 0:
            self.resume_ckpt(self.engine_cfg["restore_hint"])

    def get_loader(self, data_cfg, train=True):
        sampler_cfg = self.cfgs["trainer_cfg" if train else "evaluator_cfg"]["sampler"]
        dataset = DataSet(data_cfg, train)
        Sampler = get_attr_from([Samplers], sampler_cfg["type"])
        sampler = Sampler(dataset, **get_valid_args(Sampler, sampler_cfg, free_keys=["sample_type", "type"]))
        return tordata.DataLoader(
            dataset=dataset,
            batch_sampler=sampler,
            collate_fn=CollateFn(dataset.label_set, sampler_cfg),
            num_workers=data_cfg["num_workers"],
        )
