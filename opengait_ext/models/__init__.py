"""The parts of the paper, one file each, and the assembled network."""

from opengait_ext.models.dinogrl_net import DinoGRLNet, DinoGRLOutput

__all__ = ["DinoGRLNet", "DinoGRLOutput"]
