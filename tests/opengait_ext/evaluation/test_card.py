"""The record of a result: fingerprint, protocol card, intervals, features and run capsule."""

import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

import opengait
from opengait import registry
from opengait.config import load_config
from opengait.data.fingerprint import facts_of, fingerprint
from opengait.engine.capsule import read_capsule
from opengait.engine.results import frames_used
from opengait.errors import DataError
from opengait.evaluation.features import load_features, save_features
from opengait.main import main
from opengait.modeling.base_model import BaseModel
from opengait.utils import environment, messages
from opengait_ext.data.readers import HITSZVCMDataSet
from opengait_ext.evaluation import cross_modal_metrics, evaluate_cross_modal
from tests.golden.vvi import mini_hitsz

TRACKLETS = [
    ["0001", "visible", "c1-t00001", ("/data/Test/0001/rgb/1.jpg", "/data/Test/0001/rgb/2.jpg")],
    ["0001", "infrared", "c1-t00002", ("/data/Test/0001/ir/1.jpg",)],
    ["0002", "visible", "c2-t00003", ("/data/Test/0002/rgb/1.jpg", "/data/Test/0002/rgb/6.jpg")],
]


class TestFingerprint:
    def test_computed_by_hand(self):
        lines = [
            "\0".join(["0001", "infrared", "c1-t00002", "1", "0001/ir/1.jpg"]),
            "\0".join(["0001", "visible", "c1-t00001", "2", "0001/rgb/1.jpg", "0001/rgb/2.jpg"]),
            "\0".join(["0002", "visible", "c2-t00003", "2", "0002/rgb/1.jpg", "0002/rgb/6.jpg"]),
        ]
        expected = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
        assert fingerprint(TRACKLETS) == expected

    def test_order_and_root_do_not_matter(self):
        other_root = [[*info[:3], [Path("/mnt/b") / name[11:] for name in info[3]]] for info in TRACKLETS[::-1]]
        assert fingerprint(other_root) == fingerprint(TRACKLETS)

    @pytest.mark.parametrize(
        "change",
        [
            lambda t: t[:2],
            lambda t: [["0003", *t[0][1:]], *t[1:]],
            lambda t: [[t[0][0], "infrared", *t[0][2:]], *t[1:]],
            lambda t: [[*t[0][:2], "c9-t00001", t[0][3]], *t[1:]],
            lambda t: [[*t[0][:3], t[0][3][:1]], *t[1:]],
            lambda t: [[*t[0][:3], t[0][3][::-1]], *t[1:]],
            lambda t: [[*t[0][:3], (t[0][3][0], "/data/Test/0001/rgb/3.jpg")], *t[1:]],
        ],
        ids=["fewer", "label", "type", "view", "fewer frames", "frame order", "frame name"],
    )
    def test_everything_else_matters(self, change):
        assert fingerprint(change([list(info) for info in TRACKLETS])) != fingerprint(TRACKLETS)

    def test_counts_without_reading_frames(self):
        class Reader:
            config_keys = ("minimum_frames",)
            seqs_info = TRACKLETS

        facts = facts_of(Reader(), {"dataset_name": "toy", "reader": "Reader", "minimum_frames": 1, "num_workers": 2})
        assert facts["settings"] == {"minimum_frames": 1}
        assert (facts["tracklets"], facts["labels"], facts["files"]) == (3, 2, 5)
        assert "fingerprint" not in facts_of(object(), {"dataset_name": "toy"})
        assert fingerprint([]) == hashlib.sha256().hexdigest()


class TestFeatures:
    DATA = {
        "embeddings": np.arange(24, dtype=np.float64).reshape(3, 4, 2),
        "labels": ["a", "b", "ü"],
        "types": ["visible"] * 3,
        "views": ["c1-t1", "c2-t2", "c3-t3-query"],
    }

    def test_round_trip_without_objects(self, tmp_path):
        save_features(tmp_path / "logs" / "test-00003.npz", self.DATA, "toy", "ab12", 3)
        features = load_features(tmp_path / "logs" / "test-00003.npz")
        assert features.embeddings.dtype == np.float32 and np.array_equal(features.embeddings, self.DATA["embeddings"])
        assert [features.labels.tolist(), features.types.tolist(), features.views.tolist()] == list(self.DATA.values())[
            1:
        ]
        assert (features.dataset, features.fingerprint, features.iteration, len(features)) == ("toy", "ab12", 3, 3)
        assert features.labels.dtype.kind == "U"
        assert [path.name for path in (tmp_path / "logs").iterdir()] == ["test-00003.npz"]

    def test_rejects_other_files(self, tmp_path):
        with pytest.raises(DataError, match=r"Cannot read .*none.npz"):
            load_features(tmp_path / "none.npz")
        (tmp_path / "text.npz").write_text("not numpy")
        with pytest.raises(DataError, match="text.npz"):
            load_features(tmp_path / "text.npz")
        np.savez(tmp_path / "objects.npz", embeddings=np.array([{}], dtype=object))
        with pytest.raises(DataError, match="objects.npz"):
            load_features(tmp_path / "objects.npz")
        np.save(tmp_path / "one.npy", np.zeros(3))
        with pytest.raises(DataError, match="one.npy"):
            load_features(tmp_path / "one.npy")
        np.savez(tmp_path / "other.npz", embeddings=np.zeros(3))
        with pytest.raises(DataError, match="other.npz has no `labels`"):
            load_features(tmp_path / "other.npz")
        save_features(tmp_path / "short.npz", self.DATA | {"labels": ["a"]}, "toy", "", 0)
        with pytest.raises(DataError, match="short.npz differ"):
            load_features(tmp_path / "short.npz")
        with pytest.raises(DataError, match="save_features: .* got"):
            save_features(tmp_path / "x.npz", {}, "toy", "", 0)
        with pytest.raises(DataError, match=r"got \(3, 8\)"):
            save_features(tmp_path / "x.npz", self.DATA | {"embeddings": np.zeros((3, 8))}, "toy", "", 0)


def test_frames_used_holds_the_keys_of_the_sample_type():
    sampler = {"frames_num_fixed": 6, "frames_num_min": 2, "frames_num_max": 9, "batch_size": 4}
    expected = {
        "fixed_segment_first": {"frames_num_fixed": 6},
        "unfixed_ordered": {"frames_num_min": 2, "frames_num_max": 9},
        "all_ordered": {},
    }
    for sample_type, counts in expected.items():
        assert frames_used(sampler | {"sample_type": sample_type}) == {"sample_type": sample_type, **counts}


class TestSourceState:
    def git(self, folder, *arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)

    @pytest.mark.slow
    def test_commit_and_changes(self, tmp_path):
        assert environment.source_state(tmp_path) is None
        self.git(tmp_path, "init")
        (tmp_path / "a.py").write_text("1\n")
        assert environment.source_state(tmp_path) is None
        self.git(tmp_path, "add", "a.py")
        self.git(tmp_path, "commit", "-m", "first")
        clean = environment.source_state(tmp_path)
        assert len(clean["commit"]) == 40 and clean["dirty"] is False and clean["changes"] is None
        (tmp_path / "a.py").write_text("2\n")
        two = environment.source_state(tmp_path)
        (tmp_path / "a.py").write_text("3\n")
        three = environment.source_state(tmp_path)
        assert two["dirty"] and three["dirty"] and len({two["changes"], three["changes"], None}) == 3
        assert two["commit"] == clean["commit"]

    @pytest.mark.slow
    def test_an_ignored_copy_is_not_the_repository(self, tmp_path):
        self.git(tmp_path, "init")
        (tmp_path / ".gitignore").write_text("installed/\n")
        self.git(tmp_path, "add", ".gitignore")
        self.git(tmp_path, "commit", "-m", "first")
        (tmp_path / "installed").mkdir()
        (tmp_path / "installed/a.py").write_text("1\n")
        assert environment.source_state(tmp_path / "installed") is None


class MeanColour(BaseModel):
    """A linear layer on the mean colour of a tracklet."""

    def build_network(self, model_cfg):
        self.linear = nn.Linear(3, 6)

    def forward(self, inputs):
        (frames,), labels, _, _, _ = inputs
        embeddings = self.linear(frames.mean(dim=(1, 3, 4))).unflatten(1, (3, 2))
        return {
            "training_feat": {"triplet": {"embeddings": embeddings, "labels": labels}},
            "visual_summary": {},
            "inference_feat": {"embeddings": embeddings},
        }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train on the mini HITSZ-VCM with an evaluation in between, then test with saved features."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "weights.pth").write_bytes(b"not a real checkpoint")
    config = {
        "extensions": ["opengait_ext"],
        "data_cfg": {
            "dataset_name": "HITSZ-VCM",
            "reader": "HITSZVCMDataSet",
            "dataset_root": str(mini_hitsz.write(folder / "data")),
            "frame_size": [16, 8],
            "num_workers": 0,
        },
        "model_cfg": {"model": "MeanColour", "weights": str(folder / "weights.pth")},
        "loss_cfg": [{"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2}],
        "optimizer_cfg": {"solver": "SGD", "lr": 0.1},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [4], "gamma": 0.1},
        "trainer_cfg": {
            "output_root": str(folder / "output"),
            "save_name": "mini",
            "seed": 5,
            "total_iter": 2,
            "save_iter": 1,
            "log_iter": 1,
            "with_test": True,
            "enable_float16": False,
            "sampler": {"type": "CrossModalSampler", "batch_size": [3, 2], "sample_type": "fixed_segment_random"}
            | {"frames_num_fixed": 4},
            "transform": [{"type": "Normalise"}],
        },
        "evaluator_cfg": {
            "save_name": "mini",
            "restore_hint": 2,
            "eval_func": "evaluate_cross_modal",
            "resamples": 50,
            "save_features": True,
            "sampler": {"sample_type": "fixed_segment_first", "frames_num_fixed": 6, "batch_size": 4},
            "transform": [{"type": "Normalise"}],
        },
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    arguments = ["--cfgs", str(folder / "run.yaml"), "--log_to_file", "--phase"]
    try:
        with registry.models.temporarily(MeanColour):
            statuses = [main([*arguments, phase]) for phase in ("train", "test")]
    finally:
        messages.reset()
        torch.backends.cudnn.deterministic = False
    assert statuses == [0, 0]
    out = folder / "output/HITSZ-VCM/MeanColour/mini"
    return out, config, "".join(file.read_text() for file in sorted((out / "logs").glob("*.txt")))


def content(folder, iteration=2):
    return json.loads((folder / "logs" / f"test-{iteration:05d}.json").read_text())


class TestRun:
    def test_card_describes_the_measurement(self, run):
        folder, config, log = run
        result = content(folder)
        card = result["card"]
        checkpoint = folder / "checkpoints/mini-00002.pt"
        assert (result["dataset"], result["iteration"]) == ("HITSZ-VCM", 2)
        assert card["protocol"] == "hitsz-vcm" and card["camera_rule"] is card["protocol_followed"] is True
        assert card["removed"] == ["gallery tracklets of the query's person and camera number"]
        assert card["re_ranking"] is False and card["precision"] == "float32"
        assert card["distance"]["metric"] == "euc" and card["distance"]["parts"] == 2
        assert card["frames"] == {"sample_type": "fixed_segment_first", "frames_num_fixed": 6}
        assert card["checkpoint"]["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        assert (card["checkpoint"]["file"], card["checkpoint"]["iteration"]) == (checkpoint.name, 2)
        data = HITSZVCMDataSet(config["data_cfg"], training=True)
        assert card["trained_on"] == {"name": "HITSZ-VCM", "fingerprint": fingerprint(data.seqs_info)}
        assert (card["model"], card["seed"], card["world_size"]) == ("MeanColour", 5, 1)
        assert card["versions"]["torch"] == torch.__version__ and card["versions"]["opengait"] == opengait.__version__
        data = HITSZVCMDataSet(config["data_cfg"], training=False)
        assert card["data"]["fingerprint"] == fingerprint(data.seqs_info)
        assert card["data"]["settings"]["frame_size"] == [16, 8]
        assert card["data"]["tracklets"] == 41 and card["data"]["labels"] == 6
        population = card["populations"]["full"]["infrared_to_visible"]
        assert (population["queries"], population["gallery"]) == (22, 19)
        assert "Protocol card:\nprotocol: hitsz-vcm" in log and card["data"]["fingerprint"] in log

    def test_metrics_intervals_and_features_agree(self, run):
        folder, _, _ = run
        result = content(folder)
        features = load_features(folder / "logs" / result["features"])
        assert features.fingerprint == result["card"]["data"]["fingerprint"] and features.iteration == 2
        repeated = evaluate_cross_modal(
            {name: getattr(features, name) for name in ("embeddings", "labels", "types", "views")},
            features.dataset,
            resamples=50,
        )
        for direction in ("infrared_to_visible", "visible_to_infrared"):
            assert result["results"][direction] == pytest.approx(repeated[direction])
            for key, (low, high) in result["intervals"][direction].items():
                assert low <= result["results"][direction][key] <= high
                assert (low, high) == pytest.approx(repeated["intervals"][direction][key])
        assert set(result["results"]) == {"infrared_to_visible", "visible_to_infrared", "chance_rank1"}
        metrics = cross_modal_metrics(np.zeros((1, 1)), [1], [1], None, None, False)
        assert set(result["results"]["infrared_to_visible"]) == {*metrics, "chance_rank1"}

    def test_evaluations_during_training_are_kept(self, run):
        folder, _, _ = run
        first = content(folder, 1)
        assert first["checkpoint"].endswith("checkpoints/mini-00001.pt")
        assert first["card"]["checkpoint"]["iteration"] == 1
        checkpoint = folder / "checkpoints/mini-00001.pt"
        assert first["card"]["checkpoint"]["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        assert first["capsule"].startswith("capsule-train-")

    def test_capsule_describes_the_run(self, run):
        folder, config, _ = run
        result = content(folder)
        capsules = {read_capsule(path)["phase"]: path for path in folder.glob("capsule-*.json")}
        assert set(capsules) == {"train", "test"} and capsules["test"].name == result["capsule"]
        for phase, path in capsules.items():
            capsule = read_capsule(path)
            assert load_config(path.with_suffix(".yaml")) == capsule["config"]
            assert capsule["seed"] == 5 and capsule["world_size"] == 1
            assert capsule["versions"]["torch"] == torch.__version__ and "pillow" in capsule["versions"]
            assert capsule["hardware"]["threads"] >= 1 and capsule["hardware"]["device"] in ("cpu", "cuda")
            assert capsule["command"] == shlex.join(sys.orig_argv)
            weights = config["model_cfg"]["weights"]
            assert capsule["files"] == {weights: hashlib.sha256(b"not a real checkpoint").hexdigest()}
            prints = {facts["phase"]: facts["fingerprint"] for facts in capsule["data"]}
            assert set(prints) == ({"train", "test"} if phase == "train" else {"test"})
            assert prints["test"] == result["card"]["data"]["fingerprint"]
            assert capsule["git"] is None or len(capsule["git"]["commit"]) == 40
        assert not list(folder.glob("**/*.part*"))

    def test_rejects_files_that_are_not_capsules(self, run, tmp_path):
        with pytest.raises(DataError, match="test-00002.json"):
            read_capsule(run[0] / "logs/test-00002.json")
        (tmp_path / "broken.json").write_text("{")
        with pytest.raises(DataError, match="broken.json"):
            read_capsule(tmp_path / "broken.json")
        with pytest.raises(DataError, match=r"none\.json is missing"):
            read_capsule(tmp_path / "none.json")
