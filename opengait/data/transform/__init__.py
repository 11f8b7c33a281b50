"""Transforms of a tracklet's frames, by the names a configuration uses.

A transform is called with one feature of one tracklet, an array whose first axis is time, and returns an array.
Random ones draw from the global stream of `random`, or of `numpy.random` for skeletons and point clouds, in OpenGait's
order: the gate first, then the parameters, once per call.
"""

from opengait.data.transform.basic import (
    BaseParsingCuttingTransform,
    BaseRgbTransform,
    BaseSilCuttingTransform,
    BaseSilTransform,
    NoOperation,
    RandomErasing,
    RandomHorizontalFlip,
    RatioHW,
    Rearrange,
)
from opengait.data.transform.compose import Compose, DA4GaitSSB, get_transform
from opengait.data.transform.parts import RandomPartBlur, RandomPartDilate
from opengait.data.transform.point_clouds import PointCloudsTransform
from opengait.data.transform.pose import (
    FlipSequence,
    InversePosesPre,
    JointNoise,
    MirrorPoses,
    NormalizeEmpty,
    PointNoise,
    RandomMove,
    RandomSelectSequence,
    SelectSequenceCenter,
)
from opengait.data.transform.pose_input import (
    GaitGraph1Input,
    GaitGraphMultiInput,
    GaitTRMultiInput,
    MSGGTransform,
    SkeletonInput,
    TwoView,
)
from opengait.data.transform.warp import RandomAffine, RandomPerspective, RandomRotate

__all__ = [
    "BaseParsingCuttingTransform",
    "BaseRgbTransform",
    "BaseSilCuttingTransform",
    "BaseSilTransform",
    "Compose",
    "DA4GaitSSB",
    "FlipSequence",
    "GaitGraph1Input",
    "GaitGraphMultiInput",
    "GaitTRMultiInput",
    "InversePosesPre",
    "JointNoise",
    "MSGGTransform",
    "MirrorPoses",
    "NoOperation",
    "NormalizeEmpty",
    "PointCloudsTransform",
    "PointNoise",
    "RandomAffine",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomMove",
    "RandomPartBlur",
    "RandomPartDilate",
    "RandomPerspective",
    "RandomRotate",
    "RandomSelectSequence",
    "RatioHW",
    "Rearrange",
    "SelectSequenceCenter",
    "SkeletonInput",
    "TwoView",
    "get_transform",
]
