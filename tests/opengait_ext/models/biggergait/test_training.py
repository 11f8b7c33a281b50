"""BiggerGait through the engine: training and testing on both kinds of data, checkpoints and messages."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from opengait.config import load_config
from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models import load_network
from opengait_ext.models.biggergait.model import BiggerGait__DINOv2
from tests.opengait.tiny import trained
from tests.opengait_ext.models.biggergait.hugging_face import version_5_name, weights
from tests.opengait_ext.models.biggergait.tiny import GROUPS, PARTS, model_cfg, published_names, write_weights

pytestmark = pytest.mark.slow
DENSE = "encoder.layer.0.attention.output.dense.bias"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    return write_weights(tmp_path_factory.mktemp("pretrained"))


def run_config(folder: Path, files: dict[str, str], data: dict, **model) -> Path:
    path = folder / "bigger.yaml"
    content = {
        "extensions": ["opengait_ext"],
        "data_cfg": {"num_workers": 0, **data},
        "model_cfg": model_cfg(**files, **model),
        "loss_cfg": [
            {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
            {"type": "CrossEntropyLoss", "log_prefix": "softmax", "log_accuracy": True},
        ],
        "optimizer_cfg": {"solver": "SGD", "lr": 0.05},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [3]},
        "trainer_cfg": {
            "output_root": str(folder / "output"),
            "save_name": "B",
            "total_iter": 2,
            "save_iter": 2,
            "log_iter": 1,
            "sync_BN": True,
            "enable_float16": False,
            "sampler": {"type": "TripletSampler", "batch_size": [4, 2], "frames_num_fixed": 2},
            "transform": [{"type": "BaseRgbTransform"}],
        },
        "evaluator_cfg": {
            "save_name": "B",
            "restore_hint": 2,
            "eval_func": "evaluate_indoor_dataset",
            "transform": [{"type": "BaseRgbTransform"}],
        },
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def vvi(tmp_path_factory, files) -> Path:
    """Write drawn visible and infrared tracklets of four people, and a configuration."""
    from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate

    folder = tmp_path_factory.mktemp("vvi")
    generate(
        folder / "data",
        SyntheticConfig(train_identities=4, test_identities=4, cameras=2, frames=14, size=(32, 16), seed=3),
    )
    data = {"reader": "HITSZVCMDataSet", "dataset_root": str(folder / "data"), "frame_size": [32, 16]}
    path = run_config(folder, files, data | {"dataset_name": "Synthetic-VVI"})
    content = yaml.safe_load(path.read_text())
    content["trainer_cfg"]["sampler"] |= {"type": "CrossModalSampler", "batch_size": [2, 2]}
    content["trainer_cfg"]["transform"] = [{"type": "CrossModalAugmentation"}]
    content["evaluator_cfg"] |= {
        "eval_func": "evaluate_cross_modal",
        "transform": [{"type": "Normalise"}],
        "sampler": {"batch_size": 4, "sample_type": "fixed_segment_first", "frames_num_fixed": 2},
    }
    path.write_text(yaml.safe_dump(content))
    return folder


def test_visible_and_infrared_tracklets(vvi, files):
    trained(vvi, "--cfgs", vvi / "bigger.yaml", "--phase", "train")
    run = vvi / "output/Synthetic-VVI/BiggerGait__DINOv2/B"
    state = torch.load(run / "checkpoints/B-00002.pt", weights_only=True)["model"]
    assert state.keys() == published_names(groups=3, heads=1, depth=3)
    for name, value in weights().items():
        assert torch.equal(state[f"Backbone.{name}"], value), name
    alias = "BNNecks.bn1d.running_mean"
    assert torch.equal(state[f"Gait_Net.real_gait.0.{alias}"], state[f"Gait_Net.Gait_List.2.{alias}"])
    # The checkpoint has the vision model and the mask branch, so their files may be missing.
    test = ["--cfgs", vvi / "bigger.yaml", "--phase", "test"]
    trained(vvi, *test, "--set", "model_cfg.pretrained_mask_branch=null")
    results = json.loads((run / "logs/test-00002.json").read_text())["results"]
    assert {"infrared_to_visible", "visible_to_infrared"} <= results.keys()
    # With the names of transformers 5, and a mask branch's file that is not there.
    torch.save({"model": {version_5_name(name): value for name, value in state.items()}}, vvi / "five.pt")
    changes = ["model_cfg.pretrained_mask_branch=no.pt", f"evaluator_cfg.restore_hint={vvi / 'five.pt'}"]
    trained(vvi, *test, "--set", *changes)
    assert json.loads((run / "logs/test-five.json").read_text())["results"] == results
    network = load_network(vvi / "bigger.yaml", vvi / "five.pt", "cpu", changes)
    assert torch.equal(network.state_dict()["Backbone.encoder.layer.0.attention.output.dense.bias"], weights()[DENSE])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pretrained_mask_branch=null", "model_cfg.pretrained_mask_branch is missing; BiggerGait__DINOv2 never trains"),
        ("pretrained_lvm=null", "model_cfg.pretrained_lvm is missing"),
        ("pretrained_mask_branch=no.pt", "BigGait's mask branch .* are missing: there is no file no.pt"),
    ],
)
def test_a_missing_part_is_one_message(vvi, setting, message):
    cfgs = load_config(vvi / "bigger.yaml", [f"model_cfg.{setting}"])
    with pytest.raises((CheckpointError, ConfigError), match=message):
        BiggerGait__DINOv2(cfgs, True)


def test_opengaits_rgb_pickles(files, tmp_path):
    rng = np.random.default_rng(0)
    ids = [f"{number:03d}" for number in range(1, 6)]
    for label in ids:
        for condition in ("nm-01", "nm-05"):
            view_folder = tmp_path / "data" / label / condition / "000"
            view_folder.mkdir(parents=True)
            frames = rng.integers(0, 255, (int(label) + 2, 3, 32, 16), dtype=np.uint8)
            (view_folder / "000-aligned-rgbs.pkl").write_bytes(pickle.dumps(frames))
            (view_folder / "000-ratios.pkl").write_bytes(pickle.dumps(np.full(len(frames), 0.5)))
    (tmp_path / "partition.json").write_text(json.dumps({"TRAIN_SET": ids[:4], "TEST_SET": ids[4:]}))
    data = {"dataset_root": str(tmp_path / "data"), "dataset_partition": str(tmp_path / "partition.json")}
    cfgs = load_config(run_config(tmp_path, files, data | {"data_in_use": [True, False]}))
    torch.manual_seed(0)
    model = BiggerGait__DINOv2(cfgs, True)
    batch = model.inputs_pretreament(next(iter(model.train_loader)))
    assert batch[0][0].shape == (8, 2, 3, 32, 16)
    losses = []
    for _ in range(6):
        loss, info = model.loss_aggregator(model(batch)["training_feat"])
        losses.append(float(loss.detach()))
        assert model.train_step(loss)
    assert losses[-1] < 0.8 * losses[0] and "scalar/softmax/accuracy" in info

    torch.save({"model": model.state_dict()}, tmp_path / "trained.pt")
    cfgs["evaluator_cfg"]["restore_hint"] = str(tmp_path / "trained.pt")
    restored_model = BiggerGait__DINOv2(cfgs, False)
    packed = restored_model.inputs_pretreament(next(iter(restored_model.test_loader)))
    assert packed[0][0].shape == (1, 7, 3, 32, 16) and packed[4].tolist() == [[7]]
    with torch.no_grad():
        restored = restored_model(packed)["inference_feat"]["embeddings"]
        assert torch.equal(restored, model.eval()(packed)["inference_feat"]["embeddings"])
    assert restored.shape == (1, 5, GROUPS * PARTS)
