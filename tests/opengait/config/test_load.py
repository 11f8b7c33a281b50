"""Reading, merging, overriding and checking configurations."""

import pytest
import yaml

from opengait import registry
from opengait.config.load import DEFAULTS, load_config, save_config
from opengait.errors import ConfigError
from tests.opengait import tiny


def test_dicts_are_merged_and_other_values_replaced(write):
    cfg = load_config(
        write(
            """
            trainer_cfg:
              log_iter: 7
              sampler:
                batch_size: [2, 3]
            data_cfg: {dataset_root: somewhere}
            """
        )
    )
    defaults = yaml.safe_load(DEFAULTS.read_text())
    assert cfg["trainer_cfg"]["log_iter"] == 7
    assert cfg["trainer_cfg"]["sampler"]["batch_size"] == [2, 3]
    assert cfg["trainer_cfg"]["sampler"]["frames_num_fixed"] == defaults["trainer_cfg"]["sampler"]["frames_num_fixed"]
    assert cfg["data_cfg"]["dataset_root"] == "somewhere"
    assert cfg["evaluator_cfg"] == defaults["evaluator_cfg"] | {"save_name": "a"}


def test_the_documented_defaults():
    cfg = yaml.safe_load(DEFAULTS.read_text())
    trainer, evaluator = cfg["trainer_cfg"], cfg["evaluator_cfg"]
    assert (trainer["total_iter"], trainer["save_iter"], trainer["log_iter"]) == (80000, 2000, 100)
    assert trainer["enable_float16"] is True
    assert trainer["sampler"]["batch_size"] == [8, 16]
    assert (evaluator["restore_hint"], evaluator["metric"]) == (80000, "euc")
    assert evaluator["sampler"]["sample_type"] == "all_ordered"


def test_unknown_keys_name_file_line_and_similar_key(write):
    file = write(
        """
        trainer_cfg:
          log_iter: 10
          tota_iter: 100
        """
    )
    with pytest.raises(ConfigError) as error:
        load_config(file)
    assert f"{file}, line 4" in str(error.value)
    assert "trainer_cfg.tota_iter" in str(error.value)
    assert "total_iter" in str(error.value).split("did you mean")[1]


def test_unknown_keys_of_a_base_name_its_line(write):
    base = write("evaluator_cfg:\n  metrics: cos", "base.yaml")
    with pytest.raises(ConfigError, match=r"base.yaml, line 2.*did you mean metric"):
        load_config(write("base: base.yaml\nevaluator_cfg: {save_name: x}"))
    assert base.is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainer_cfg: {sampler: {frame_num_fixed: 3}}", "trainer_cfg.sampler.frame_num_fixed.*frames_num_fixed"),
        ("data_cfg: {dataset_rot: x}", "data_cfg.dataset_rot; did you mean dataset_root"),
        ("optimizer_cfg: {solver: SGD, lr: 0.1, momentun: 0.9}", "optimizer_cfg.momentun; did you mean momentum"),
        ("optimizer_cfg: {solver: AdamX, lr: 0.1}", "no 'AdamX'; did you mean .*Adam"),
        ("scheduler_cfg: {scheduler: MultiStepLR, milestone: [1]}", "scheduler_cfg.milestone; did you mean milestones"),
        ("scheduler_cfg: {scheduler: ReduceLROnPlateau}", "ReduceLROnPlateau steps on a metric"),
        (
            "scheduler_cfg: {scheduler: ChainedScheduler, schedulers: [{scheduler: LinearLR, startfactor: 1}]}",
            "schedulers.0.startfactor; did you mean start_factor",
        ),
        ("evaluator_cfg: {eval_func: nothing_like_it}", "no evaluator called 'nothing_like_it'"),
        ("trainer_cfg: {transform: [{type: BaseSilTransfrom}]}", "did you mean BaseSilTransform"),
        ("loss_cfg: {type: TripletLos, log_prefix: a}", "did you mean TripletLoss"),
        ("trainer_confg: {seed: 1}", "unknown section 'trainer_confg'; did you mean trainer_cfg"),
        ("trainer_cfg: 3", "trainer_cfg: expected keys .* got 3"),
        ("[1, 2]", "holds a list"),
        ("trainer_cfg: {a: [}", "line 1.*not valid YAML"),
    ],
)
def test_invalid_files(write, text, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(text))


def test_a_missing_file():
    with pytest.raises(ConfigError, match="Cannot read the configuration nowhere.yaml"):
        load_config("nowhere.yaml")


def test_keys_of_opengait_files_are_accepted(write):
    load_config(
        write(
            """
            data_cfg: {remove_no_gallery: false, frame_threshold: 0, train_data_preload: false, cache: true}
            trainer_cfg: {T_max_iter: 10, fix_lr: false, fix_layers: false, enable_distributed: true}
            evaluator_cfg: {rerank: true, enable_distributed: true}
            loss_cfg: [{type: TripletLoss, margin: 0.2, log_prefix: triplet, gather_and_scale: true}]
            """
        )
    )


def test_arguments_of_another_solver_are_a_warning(write, caplog):
    """OpenGait's files for GaitSet, GaitPart and GaitGL contain `momentum` beside `solver: Adam`."""
    cfg = load_config(
        write(
            """
            optimizer_cfg: {lr: 1.0e-4, momentum: 0.9, solver: Adam, weight_decay: 0}
            scheduler_cfg: {scheduler: CosineAnnealingLR, T_max: 5, gamma: 0.1, milestones: [3]}
            """
        )
    )
    assert cfg["optimizer_cfg"]["momentum"] == 0.9
    for key in ("optimizer_cfg.momentum", "scheduler_cfg.gamma", "scheduler_cfg.milestones"):
        assert f"unknown key {key}" in caplog.text
    with pytest.raises(ConfigError, match="unknown key optimizer_cfg.max_lr"):
        load_config(write("optimizer_cfg: {lr: 1.0e-4, solver: Adam, max_lr: 1}"))
    with pytest.raises(ConfigError, match="unknown key optimizer_cfg.momentum"):
        load_config(write("optimizer_cfg: {lr: 1.0e-4, solver: Adam}"), ["optimizer_cfg.momentum=0.9"])


MODEL = """
from ..base_model import BaseModel

class ReadsMore(BaseModel):
    {declaration}  # a word in the source, such as "distil_iter", does not make a key valid

    def get_optimizer(self, optimizer_cfg):
        return self.engine_cfg["distill_iter"], optimizer_cfg["seg_lr"]
"""
USES = """extensions: [{folder}]
model_cfg: {{model: ReadsMore}}
optimizer_cfg: {{solver: SGD, seg_lr: 1}}
trainer_cfg:
  {key}: 3
"""


def test_a_dropped_in_model_accepts_any_key(write, caplog):
    write(MODEL.format(declaration=""), "undeclared/reads_more.py")
    file = write(USES.format(folder="undeclared", key="distill_iter"))
    cfg = load_config(file, ["trainer_cfg.distill_iter=4"])
    assert (cfg["trainer_cfg"]["distill_iter"], cfg["optimizer_cfg"]["seg_lr"]) == (4, 1)
    assert f"{file}, line 3: unknown key optimizer_cfg.seg_lr" in caplog.text
    assert "unknown key trainer_cfg.distill_iter" in caplog.text and "ReadsMore" in caplog.text
    with pytest.raises(ConfigError, match=r"--set trainer_cfg\.distil_iter"):
        load_config(file, ["trainer_cfg.distil_iter=4"])


def test_a_model_with_declared_keys_accepts_no_others(write, caplog):
    write(MODEL.format(declaration='config_keys = ("distill_iter", "seg_lr")'), "declared/reads_more.py")
    cfg = load_config(write(USES.format(folder="declared", key="distill_iter")))
    assert cfg["trainer_cfg"]["distill_iter"] == 3 and "unknown key" not in caplog.text
    with pytest.raises(ConfigError, match=r"line 5: unknown key trainer_cfg\.distil_iter"):
        load_config(write(USES.format(folder="declared", key="distil_iter")))


def test_models_of_the_engine_declare_their_keys(write):
    for model in ("Baseline", "GaitSet"):
        with pytest.raises(ConfigError, match=r"unknown key trainer_cfg\.in_channels"):
            load_config(write(f"model_cfg: {{model: {model}}}\ntrainer_cfg: {{in_channels: 3}}"))


def test_an_unknown_argument_of_a_loss_is_a_warning(write, caplog):
    load_config(write("loss_cfg: [{type: TripletLoss, margn: 0.2, margin: 0.2, log_prefix: triplet}]"))
    assert "margn" in caplog.text and "margin" in caplog.text


def test_arguments_inherited_for_another_class_are_dropped(write):
    write("optimizer_cfg: {solver: SGD, lr: 0.1, momentum: 0.9}", "base.yaml")
    cfg = load_config(write("base: base.yaml\noptimizer_cfg: {solver: AdamW, betas: [0.8, 0.9]}"))
    assert cfg["optimizer_cfg"] == {"solver": "AdamW", "lr": 0.1, "betas": [0.8, 0.9]}
    cfg = load_config(write("base: base.yaml", "c.yaml"), ["optimizer_cfg.solver=Adam"])
    assert cfg["optimizer_cfg"] == {"solver": "Adam", "lr": 0.1}


def test_lists_of_datasets(write):
    cfg = load_config(write("data_cfg: [{dataset_name: A, dataset_root: a}, {dataset_name: B, dataset_root: b}]"))
    assert [entry["dataset_name"] for entry in cfg["data_cfg"]] == ["A", "B"]
    with pytest.raises(ConfigError, match=r"line 1: unknown key data_cfg.1.rot"):
        load_config(write("data_cfg: [{dataset_name: A}, {rot: b}]"))


def test_keys_declared_by_a_reader(write, temporarily):
    class PlainReader:
        config_keys = ("frame_rate",)

    temporarily(registry.datasets, PlainReader)
    cfg = load_config(write("data_cfg: {reader: PlainReader, frame_rate: 25}"))
    assert cfg["data_cfg"]["frame_rate"] == 25
    with pytest.raises(ConfigError, match="frame_rat; did you mean frame_rate"):
        load_config(write("data_cfg: {reader: PlainReader, frame_rat: 25}"))


def test_overrides(write):
    file = write("loss_cfg: [{type: TripletLoss, margin: 0.2, log_prefix: a}]\nmodel_cfg: {model: X, width: {a: 1}}")
    cfg = load_config(
        file,
        [
            "loss_cfg.0.margin=0.3",
            "data_cfg.dataset_root=/data/x=y",
            "trainer_cfg.sampler.batch_size=[1, 2]",
            "model_cfg.width.a=1e-4",
            "data_cfg.data_in_use=[true, false]",
            "data_cfg.test_dataset_name=",
        ],
    )
    assert cfg["loss_cfg"][0]["margin"] == 0.3
    assert cfg["data_cfg"]["dataset_root"] == "/data/x=y"
    assert cfg["trainer_cfg"]["sampler"]["batch_size"] == [1, 2]
    assert cfg["model_cfg"]["width"]["a"] == 1e-4
    assert cfg["data_cfg"]["data_in_use"] == [True, False]
    assert cfg["data_cfg"]["test_dataset_name"] is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer_cfg.totl_iter=3", "--set trainer_cfg.totl_iter.*did you mean total_iter"),
        ("trainr_cfg.seed=3", "has no key 'trainr_cfg'; did you mean trainer_cfg"),
        ("model_cfg.widht=3", "has no key 'widht'; did you mean width"),
        ("loss_cfg.1.margin=3", "entries 0 to 0, not '1'"),
        ("loss_cfg.0.margn=3", "unknown key loss_cfg.0.margn; did you mean margin"),
        ("trainer_cfg.seed.x=3", "trainer_cfg.seed is 0, which has no keys"),
        ("trainer_cfg.seed", "not of the form"),
        ("trainer_cfg.seed=[", "not a YAML value"),
    ],
)
def test_invalid_overrides(write, override, message):
    file = write("loss_cfg: [{type: TripletLoss, margin: 0.2, log_prefix: a}]\nmodel_cfg: {model: X, width: 3}")
    with pytest.raises(ConfigError, match=message):
        load_config(file, [override])


def test_numbers_in_scientific_notation(write):
    cfg = load_config(write("optimizer_cfg: {solver: Adam, lr: 1e-4, eps: 1.0e-8, weight_decay: +.5E-3}"))
    assert cfg["optimizer_cfg"] == {"solver": "Adam", "lr": 1e-4, "eps": 1e-8, "weight_decay": 5e-4}


def test_a_saved_configuration_loads_unchanged(tmp_path):
    cfg = load_config(tiny.write_config(tmp_path, trainer_cfg={"save_name": "1e5"}), ["optimizer_cfg.lr=1e-5"])
    save_config(cfg, tmp_path / "run" / "config.yaml")
    assert load_config(tmp_path / "run" / "config.yaml") == cfg
