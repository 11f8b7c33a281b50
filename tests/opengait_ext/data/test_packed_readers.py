"""The data readers on a pack: the same tracklets, batches and labels as from files."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from opengait import registry
from opengait.data.loader import build_loader
from opengait.data.packs.read import Pack
from opengait.data.packs.write import write_pack
from opengait.errors import ConfigError, DataError
from opengait_ext.data import HITSZVCM
from opengait_ext.data.augment import CrossModalAugmentation
from opengait_ext.data.bupt_campus.reader import BUPTCampus
from opengait_ext.data.readers import BUPTCampusDataSet, HITSZVCMDataSet
from opengait_ext.data.sampler import CrossModalSampler
from tests.golden.vvi import mini_bupt, mini_hitsz
from tests.opengait_ext.runs.stand_in_runs import command

pack = command("pack")

SPLITS = ("train", "query", "gallery")
SAMPLER = {
    "type": "CrossModalSampler",
    "batch_size": [3, 2],
    "sample_type": "fixed_segment_random",
    "frames_num_fixed": 4,
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Return the folder and the pack of each dataset."""
    roots = {}
    for name, generator, flags in (
        ("hitsz", mini_hitsz, {}),
        ("flat", mini_hitsz, {"flat": True}),
        ("bupt", mini_bupt, {}),
    ):
        folder = tmp_path_factory.mktemp(name)
        root = generator.write(folder / "tree", **flags)
        write_pack(root, folder / "pack", shard_bytes=100_000)
        roots[name] = root, folder / "pack"
    return roots


READERS = {"hitsz": HITSZVCM, "flat": HITSZVCM, "bupt": BUPTCampus}
DATA_SETS = {"hitsz": HITSZVCMDataSet, "bupt": BUPTCampusDataSet}


def described(data, root):
    return [
        (t.person, t.modality, t.view, [Path(frame).relative_to(root).as_posix() for frame in t.frames])
        for split in SPLITS
        for t in getattr(data, split)
    ]


@pytest.mark.parametrize("name", READERS)
def test_same_tracklets(trees, name):
    root, pack = trees[name]
    from_files, from_pack = READERS[name](root), READERS[name](pack)
    assert from_files.pack is None and isinstance(from_pack.pack, Pack)
    assert described(from_pack, pack) == described(from_files, root)
    assert from_pack.summary().split("\n")[1:] == from_files.summary().split("\n")[1:]


@pytest.mark.parametrize("name", DATA_SETS)
def test_same_frames(trees, name):
    root, pack = trees[name]
    cfg = {"frame_size": [16, 8]}
    for training in (True, False):
        from_files, from_pack = (DATA_SETS[name](cfg | {"dataset_root": str(path)}, training) for path in (root, pack))
        assert from_pack.label_list == from_files.label_list and from_pack.views_list == from_files.views_list
        for index in range(0, len(from_files), 5):
            one, other = from_files[index][0][0], from_pack[index][0][0]
            assert np.array_equal(one[range(len(one))], other[range(len(other))])


@pytest.mark.parametrize("workers", [0, 2])
def test_same_batches(trees, workers, temporarily):
    temporarily(registry.samplers, CrossModalSampler)
    batches = []
    for root in trees["hitsz"]:
        data = HITSZVCMDataSet({"dataset_root": str(root), "frame_size": [16, 8]}, True)
        loader = build_loader(data, SAMPLER, [CrossModalAugmentation()], training=True, seed=3, num_workers=workers)
        batches.append(list(itertools.islice(loader, 2)))
    for one, other in zip(*batches, strict=True):
        assert torch.equal(one[0][0], other[0][0]) and one[1:4] == other[1:4]


def test_a_pack_without_frames_of_a_split_is_reported(trees, tmp_path):
    for name, folder, message in (
        ("hitsz", "Test", "first test tracklet .* has no folder"),
        ("bupt", "DATA", "not found at .*no DATA/ in it"),
    ):
        root = Path(shutil.copytree(trees[name][0], tmp_path / name))
        shutil.rmtree(root / folder)
        if name == "bupt":
            (root / "one.jpg").write_bytes(b"")
        write_pack(root, tmp_path / f"{name}-pack")
        with pytest.raises(DataError, match=message):
            READERS[name](tmp_path / f"{name}-pack")


def test_a_damaged_pack_is_reported(trees, tmp_path):
    pack = Path(shutil.copytree(trees["hitsz"][1], tmp_path / "pack"))
    shard = next(pack.glob("frames-*.bin"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DataError, match="has 100 bytes"):
        HITSZVCM(pack)


def test_reduced_decode_is_a_key_of_both_readers(trees):
    root = trees["hitsz"][0]
    plain, reduced = (
        HITSZVCMDataSet({"dataset_root": str(root), "frame_size": [8, 4]} | extra, True)[0][0][0]
        for extra in ({}, {"reduced_decode": True})
    )
    assert (plain.reduced, reduced.reduced) == (False, True) and reduced[[0]].shape == (1, 3, 8, 4)
    for name, data_set in DATA_SETS.items():
        assert "reduced_decode" in data_set.config_keys
        with pytest.raises(ConfigError, match="data_cfg.reduced_decode: .*'yes'"):
            data_set({"dataset_root": str(trees[name][0]), "reduced_decode": "yes"}, True)


def test_the_command_line(trees, tmp_path, capsys):
    root, out = trees["bupt"][0], tmp_path / "pack"
    assert pack([str(root), "--out", str(out), "--verify", "--shard-size", "1"]) == 0
    images = len(list(root.rglob("*.jpg")))
    assert f"all {images:,} images and the lists match their checksums" in capsys.readouterr().out
    assert pack([str(out), "--verify"]) == 0
    shard = out / "frames-00000.bin"
    data = bytearray(shard.read_bytes())
    data[200] ^= 255
    shard.write_bytes(data)
    assert pack([str(out), "--verify"]) == 1
    assert "is damaged." in capsys.readouterr().out
    assert pack([str(tmp_path / "none"), "--out", str(tmp_path / "p")]) == 2
    assert capsys.readouterr().err.startswith("error: There is no folder")
    assert pack([str(root)]) == 2
    assert "--out PACK" in capsys.readouterr().err
