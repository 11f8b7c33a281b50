"""`data_cfg`, `sampler` and `transform` sections as in OpenGait's configurations of every model family.

Each is read from a YAML file and must yield training and test batches of the shapes that the family's models expect.
"""

import json
import pickle
from itertools import product

import numpy as np
import pytest
import torch
import yaml

from opengait import registry
from opengait.config import load_config
from opengait.data.loader import build_loader
from opengait.data.transform import get_transform

FRAMES = 5
SILHOUETTE, PARSING, RGB, RATIO, COCO, OPENPOSE, HEATMAP, CLOUD, HEIGHT_WIDTH, CHANNELS_LAST, SMPL = range(11)


def features(rng: np.random.Generator) -> dict[str, object]:
    """Return the files of a tracklet, sorted by name, in the order of the numbers above."""
    poses = rng.random((FRAMES, 17, 3))
    poses[0, 3, 0] = 0
    return {
        "00-sils": rng.integers(0, 256, (FRAMES, 64, 64), dtype=np.uint8),
        "01-parsing": rng.integers(0, 12, (FRAMES, 64, 64), dtype=np.uint8),
        "02-aligned-rgbs": rng.integers(0, 256, (FRAMES, 3, 16, 8), dtype=np.uint8),
        "03-ratios": rng.random(FRAMES),
        "04-pose": poses,
        "05-pose-18": rng.random((FRAMES, 18, 3)),
        "06-heatmap": rng.integers(0, 256, (FRAMES, 2, 64, 64), dtype=np.uint8),
        "07-PCDs": [rng.random((int(points), 3)) for points in rng.integers(9, 30, FRAMES)],
        "08-Ratios-HW": rng.random((FRAMES, 2)) + 1,
        "09-RGB_raw": rng.integers(0, 256, (FRAMES, 16, 8, 3), dtype=np.uint8),
        "10-smpls": rng.random((FRAMES, 85), dtype=np.float32),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("families"), np.random.default_rng(0)
    for label, kind, view in product(("001", "002", "003"), ("nm-01", "nm-05"), ("000", "090")):
        directory = folder / "data" / label / kind / view
        directory.mkdir(parents=True)
        for name, content in features(rng).items():
            (directory / f"{name}.pkl").write_bytes(pickle.dumps(content))
    (folder / "partition.json").write_text(json.dumps({"TRAIN_SET": ["001", "002"], "TEST_SET": ["003"]}))
    return folder


def t(name: str, **arguments) -> dict:
    return {"type": name, **arguments}


def chain(*entries: dict) -> dict:
    return t("Compose", trf_cfg=list(entries))


CUT, SIL, PARTS, NO, COLOUR = (
    t(name)
    for name in (
        *("BaseSilCuttingTransform", "BaseSilTransform", "BaseParsingCuttingTransform", "NoOperation"),
        "BaseRgbTransform",
    )
)


def augmented(base: dict) -> dict:
    return chain(
        t("RandomPerspective", prob=0.9), base, t("RandomHorizontalFlip", prob=0.9), t("RandomRotate", prob=0.9)
    )


TWO_VIEWS = [
    *(t("FlipSequence", probability=0.5), t("RandomSelectSequence", sequence_length=3)),
    *(t("PointNoise", std=0.05), t("JointNoise", std=0.2), t("GaitGraph1Input")),
]
# Name: features in use, transforms in training and in testing, shapes of a training batch of 4 x 4 frames each.
FAMILIES = {
    "gaitset": ([SILHOUETTE], None, None, [(4, 4, 64, 44)]),
    "gaitbase_da": ([SILHOUETTE], [augmented(CUT)], [CUT], [(4, 4, 64, 44)]),
    "gaitbase_da_casiab": (
        *([SILHOUETTE], [chain(CUT, t("RandomRotate", prob=0.9), t("RandomErasing", prob=0.9))], [CUT]),
        [(4, 4, 64, 44)],
    ),
    "img_w": ([SILHOUETTE], [t("BaseSilCuttingTransform", img_w=64)], [CUT], [(4, 4, 64, 44)]),
    "multigaitpp_gait3d": ([SILHOUETTE], [augmented(SIL)], [SIL], [(4, 4, 64, 64)]),
    "parsing": ([PARSING], [PARTS], [PARTS], [(4, 4, 64, 44)]),
    "smplgait": ([SILHOUETTE, SMPL], [CUT, NO], [CUT, NO], [(4, 4, 64, 44), (4, 4, 85)]),
    "gaitedge": (
        *([RATIO, RGB, SILHOUETTE], [NO, COLOUR, SIL], [NO, COLOUR, SIL]),
        [(4, 4), (4, 4, 3, 16, 8), (4, 4, 64, 64)],
    ),
    "biggait_ccpg": (
        *([RGB, RATIO], [chain(t("RandomHorizontalFlip", prob=0.5), COLOUR), NO], [COLOUR, NO]),
        [(4, 4, 3, 16, 8), (4, 4)],
    ),
    "biggait_sustech": (
        [CHANNELS_LAST, HEIGHT_WIDTH],
        [chain(t("Rearrange", source="T H W C", destination="T C H W"), COLOUR), t("RatioHW")],
        [chain(t("Rearrange", source="T H W C", destination="T C H W"), COLOUR), t("RatioHW")],
        [(4, 4, 3, 16, 8), (4, 4)],
    ),
    "gaitssb": ([SILHOUETTE], [t("DA4GaitSSB", cutting=10, ra_prob=0.9, rpb_prob=0.9)], [CUT], [(4, 4, 64, 44)]),
    "gaitgraph1": (
        [COCO],
        [t("TwoView", trf_cfg=[t("InversePosesPre", probability=0.1), *TWO_VIEWS])],
        [chain(t("SelectSequenceCenter", sequence_length=16), t("GaitGraph1Input"))],
        [(4, 3, 6, 17, 1)],
    ),
    "gaitgraph1_oumvlp": (
        [OPENPOSE],
        [t("TwoView", trf_cfg=[t("MirrorPoses", probability=0.1), *TWO_VIEWS])],
        [chain(t("SelectSequenceCenter", sequence_length=3), t("GaitGraph1Input"))],
        [(4, 3, 6, 18, 1)],
    ),
    "gaitgraph2": (
        [COCO],
        [
            chain(
                *(t("NormalizeEmpty"), t("FlipSequence", probability=0.5)),
                *(t("InversePosesPre", probability=0.1, joint_format="coco"), t("JointNoise", std=0.25)),
                *(t("PointNoise", std=0.05), t("RandomMove", random_r=[4, 1])),
                t("GaitGraphMultiInput", joint_format="coco"),
            )
        ],
        [chain(t("NormalizeEmpty"), t("GaitGraphMultiInput", joint_format="coco"))],
        [(4, 4, 17, 3, 5)],
    ),
    "gaittr_oumvlp": (
        [OPENPOSE],
        [
            chain(
                *(t("PointNoise", std=0.3), t("InversePosesPre", probability=0.1, joint_format="alphapose")),
                *(t("JointNoise", std=0.3), t("GaitTRMultiInput", joint_format="alphapose"), t("SkeletonInput")),
            )
        ],
        [chain(t("GaitTRMultiInput", joint_format="alphapose"), t("SkeletonInput"))],
        [(4, 4, 10, 18, 1)],
    ),
    "msgg": ([OPENPOSE], [t("MSGGTransform", prob="alphapose")], [t("MSGGTransform", prob="coco")], [(4, 4, 12, 3)]),
    "skeletongait": ([HEATMAP], [chain(CUT, t("RandomHorizontalFlip", prob=0.5))], [CUT], [(4, 4, 2, 64, 44)]),
    "skeletongait++": (
        *([HEATMAP, SILHOUETTE], [augmented(CUT), augmented(CUT)], [CUT, CUT]),
        [(4, 4, 2, 64, 44), (4, 4, 64, 44)],
    ),
    "lidargaitv2": (
        [CLOUD],
        [t("PointCloudsTransform", xyz_only=True, scale_aware=True, flip_prob=0.15, scale_prob=1)],
        [t("PointCloudsTransform", xyz_only=True, scale_aware=True)],
        [(4, 4, 7, 4)],
    ),
}


def loaders(folder, in_use, train, test, sampler=None, **data_cfg):
    sampler_cfg = {"batch_size": [2, 2], "sample_type": "fixed_unordered", "frames_num_fixed": 4, **(sampler or {})}
    points = {"points_in_use": {"pointcloud_index": 0, "points_num": 7}} if in_use == [CLOUD] else {}
    content = {
        "data_cfg": {
            "dataset_name": "CASIA-B",
            "dataset_root": str(folder / "data"),
            "dataset_partition": str(folder / "partition.json"),
            "data_in_use": in_use,
            "remove_no_gallery": False,
            **data_cfg,
        },
        "trainer_cfg": {"sampler": sampler_cfg | points} | ({"transform": train} if train else {}),
        "evaluator_cfg": {"sampler": {"batch_size": 4, "sample_type": "all_ordered", "frames_all_limit": 720} | points}
        | ({"transform": test} if test else {}),
    }
    file = folder / "family.yaml"
    file.write_text(yaml.safe_dump(content))
    cfgs = load_config(file)
    for training, section in ((True, "trainer_cfg"), (False, "evaluator_cfg")):
        transforms = get_transform(cfgs[section]["transform"])
        dataset = registry.datasets.get("DataSet")(cfgs["data_cfg"], training)
        yield build_loader(dataset, cfgs[section]["sampler"], transforms, training=training, seed=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_sections_of_a_family_yield_its_batches(folder, family):
    in_use, train, test, shapes = FAMILIES[family]
    training, testing = loaders(folder, in_use, train, test)
    seqs, labels, _, _, lengths = next(iter(training))
    assert [tuple(feature.shape) for feature in seqs] == shapes and lengths is None and labels[0] == labels[1]
    assert all(feature.dtype == torch.float32 and feature.isfinite().all() for feature in seqs)
    seqs, _, _, views, lengths = next(iter(testing))
    assert len(views) == 1 and lengths.tolist() == [[FRAMES]] and all(len(feature) == 1 for feature in seqs)


@pytest.mark.parametrize(
    ("sampler", "packed"),
    [
        ({"sample_type": "fixed_ordered", "frames_skip_num": 3}, False),
        ({"sample_type": "fixed_allordered"}, False),
        ({"sample_type": "unfixed_unordered", "frames_num_min": 2, "frames_num_max": 7}, True),
        ({"sample_type": "unfixed_ordered", "frames_num_min": 2, "frames_num_max": 7, "frames_skip_num": 0}, True),
        ({"sample_type": "all_ordered", "frames_all_limit": 3, "batch_shuffle": True}, True),
        ({"type": "CommonSampler", "batch_size": 4}, False),
        ({"type": "BilateralSampler", "batch_size": [2, 1]}, False),
    ],
)
@pytest.mark.parametrize("data_cfg", [{}, {"cache": True}, {"self_supervised": True}], ids=str)
def test_samplers_and_data_keys(folder, sampler, packed, data_cfg):
    in_use = [number == SILHOUETTE for number in range(11)]
    training, _ = loaders(folder, in_use, [CUT], [CUT], sampler, **data_cfg)
    (seqs,), labels, _, _, lengths = next(iter(training))
    assert len(labels) == 4 and (lengths is not None) == packed
    assert tuple(seqs.shape) == ((1, int(lengths.sum()), 64, 44) if packed else (4, 4, 64, 44))
