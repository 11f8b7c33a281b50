"""A model that overrides every loop and uses `torch.distributed` and the attributes of OpenGait's loaders."""

import numpy as np
import torch
from evaluation import mean_iou
from tqdm import tqdm
from utils import NoOp, Odict, ddp_all_gather, get_msg_mgr, ts2np

from .strips import Strips


class OwnLoops(Strips):
    def train_step(self, loss_sum):
        self.optimizer.zero_grad()
        loss_sum.backward()
        self.optimizer.step()
        self.iteration += 1
        if self.iteration < self.engine_cfg["T_max_iter"]:
            self.scheduler.step()
        return True

    def inference(self, rank):
        assert callable(mean_iou) and rank == torch.distributed.get_rank()
        total_size = len(self.test_loader)
        pbar = tqdm(total=total_size, desc="Transforming", disable=True) if rank == 0 else NoOp()
        info_dict = Odict()
        for inputs in self.test_loader:
            ipts = self.inputs_pretreament(inputs)
            inference_feat = self.forward(ipts)["inference_feat"]
            for k, v in inference_feat.items():
                inference_feat[k] = ts2np(ddp_all_gather(v, requires_grad=False))
            info_dict.append(inference_feat)
            pbar.update(self.test_loader.batch_sampler.batch_size)
        pbar.close()
        for k, v in info_dict.items():
            info_dict[k] = np.concatenate(v)[:total_size]
        return info_dict

    @staticmethod
    def run_train(model):
        assert model.module.iteration == model.iteration
        for inputs in model.train_loader:
            retval = model(model.inputs_pretreament(inputs))
            loss_sum, loss_info = model.loss_aggregator(retval["training_feat"])
            if not model.train_step(loss_sum):
                continue
            visual_summary = retval["visual_summary"]
            visual_summary.update(loss_info)
            visual_summary["scalar/learning_rate"] = model.optimizer.param_groups[0]["lr"]
            get_msg_mgr().train_step(loss_info, visual_summary)
            if model.iteration % model.engine_cfg["save_iter"] == 0:
                model.save_ckpt(model.iteration)
            if model.iteration >= model.engine_cfg["total_iter"]:
                break

    @staticmethod
    def run_test(model):
        with torch.no_grad():
            info = model.inference(torch.distributed.get_rank())
        if torch.distributed.get_rank() != 0:
            return None
        dataset = model.test_loader.dataset
        assert len(info["embeddings"]) == len(dataset.label_list) == len(dataset.types_list) == len(dataset)
        return {"scalar/test_accuracy/size": float(np.linalg.norm(info["embeddings"]))}
