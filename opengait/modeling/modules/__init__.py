"""Building blocks of gait networks, under OpenGait's names.

Shapes: n sequences, s or t frames, c channels, h and w the map's height and width, p parts, v joints.
"""

from opengait.modeling.modules.alignment import GaitAlign
from opengait.modeling.modules.attention import SpatialAttention
from opengait.modeling.modules.convolutions import BasicConv2d, BasicConv3d, FocalConv2d, conv1x1, conv3x3
from opengait.modeling.modules.flow import FlowFunc
from opengait.modeling.modules.freezing import RmBN2dAffine
from opengait.modeling.modules.graph import Graph
from opengait.modeling.modules.graph_blocks import (
    SpatialBasicBlock,
    SpatialBottleneckBlock,
    SpatialGraphConv,
    TemporalBasicBlock,
    TemporalBottleneckBlock,
)
from opengait.modeling.modules.parts import HorizontalPoolingPyramid, ParallelBN1d, SeparateBNNecks, SeparateFCs
from opengait.modeling.modules.residual import BasicBlock2D, BasicBlock3D, BasicBlockP3D
from opengait.modeling.modules.wrappers import PackSequenceWrapper, SetBlockWrapper

__all__ = [
    "BasicBlock2D",
    "BasicBlock3D",
    "BasicBlockP3D",
    "BasicConv2d",
    "BasicConv3d",
    "FlowFunc",
    "FocalConv2d",
    "GaitAlign",
    "Graph",
    "HorizontalPoolingPyramid",
    "PackSequenceWrapper",
    "ParallelBN1d",
    "RmBN2dAffine",
    "SeparateBNNecks",
    "SeparateFCs",
    "SetBlockWrapper",
    "SpatialAttention",
    "SpatialBasicBlock",
    "SpatialBottleneckBlock",
    "SpatialGraphConv",
    "TemporalBasicBlock",
    "TemporalBottleneckBlock",
    "conv1x1",
    "conv3x3",
]
