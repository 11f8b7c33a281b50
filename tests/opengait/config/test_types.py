"""Every setting has a type, and a value of another type is an error that names its key before anything is loaded."""

import inspect

import pytest

from opengait import registry
from opengait.config import load_config, sections
from opengait.config.load import DEFAULTS
from opengait.config.source import read_yaml
from opengait.errors import ConfigError
from opengait.extensions import load_extensions
from opengait.utils.typed import argument_kinds, expected, options
from tests.paths import ROOT

SGD = "optimizer_cfg: {solver: SGD, lr: 0.1}\n"
LOSS = "loss_cfg: [{type: TripletLoss, margin: 0.2, log_prefix: a}]\n"
TABLES = [value for name, value in vars(sections).items() if name.isupper() and isinstance(value, dict)]


def setting(cfg: dict, key: str):
    for part in key.split("."):
        cfg = cfg[int(part)] if isinstance(cfg, list) else cfg[part]
    return cfg


@pytest.fixture(scope="module")
def demo():
    return lambda *overrides: load_config(ROOT / "configs/dinogrl/demo.yaml", overrides)


WRONG = [
    *((key, value) for key in ("trainer_cfg.with_test", "data_cfg.cache") for value in ("'false'", "n", '"no"', "2")),
    *((f"trainer_cfg.{key}", "'no'") for key in ("sync_BN", "fix_BN", "restore_ckpt_strict", "optimizer_reset")),
    *(("data_cfg.trust_pickles", value) for value in ("'false'", "null", "f", "[]")),
    *(("evaluator_cfg.camera_rule", value) for value in ("'false'", "3", "{}")),
    *(("trainer_cfg.total_iter", value) for value in ("many", "0", "-3", "2.5", "true", ".inf", ".nan", "010", "[5]")),
    *(("trainer_cfg.output_root", value) for value in ("null", "~", "")),
    *((f"trainer_cfg.{key}", value) for key in ("save_iter", "log_iter") for value in ("0", "-1", "null", "'5'")),
    *(("data_cfg.num_workers", value) for value in ("-1", "2.5", "true", "two", "null")),
    *(("trainer_cfg.seed", value) for value in ("null", "1.5", "2024-05-01", "9" * 5000)),
    *(("trainer_cfg.sampler.batch_size", value) for value in ("8", "[8]", "[8, 0]", "[8, 4, 2]", "[8, x]", "'[8, 4]'")),
    *(("trainer_cfg.sampler.cameras", value) for value in ("0", "two", "true")),
    *(("trainer_cfg.sampler.frames_num_fixed", value) for value in ("0", "x", "2.5")),
    *(("evaluator_cfg.sampler.batch_size", value) for value in ("[4]", "0")),
    *(("trainer_cfg.restore_hint", value) for value in ("[a]", "{a: 1}", "true", "-3", "2.5", "null", "")),
    *(("evaluator_cfg.metric", value) for value in ("hamming", "[euc]")),
    *(("evaluator_cfg.resamples", value) for value in ("-5", "many")),
    ("evaluator_cfg.population", "half"),
    ("trainer_cfg.amp_dtype", "float32"),
    *(("trainer_cfg.save_name", value) for value in ("a/b", "..", "''", "x" * 300)),
    *(("data_cfg.frame_size", value) for value in ("256", "[256]", "[0, 1]", "[a, b]")),
    *(("data_cfg.minimum_frames", value) for value in ("0", "x")),
    *(("data_cfg.discard_lists", value) for value in ("a.txt", "[/a #b.txt]", "[[a]]")),
    *(("data_cfg.reader", value) for value in ("{a: 1}", "[]", "3", "null")),
    *(("optimizer_cfg.lr", value) for value in ("fast", "-1", "true", "[0.1]", ".nan", "null")),
    *(("optimizer_cfg.solver", value) for value in ("[]", "{}", "3", "null")),
    *(("optimizer_cfg.groups", value) for value in ("3", "[3]", "[{lr: 1}]", "[{match: a, lrr: 1}]", "{a: 1}")),
    *(("scheduler_cfg.scheduler", value) for value in ("[]", "3")),
    *(("extensions", value) for value in ("3", "opengait_ext", "[[a]]", "{a: 1}")),
    *(("trainer_cfg.transform", value) for value in ("3", "[3]", "[{type: [a]}]", "[{a: 1}]")),
    *(("trainer_cfg.transform.0.flip", value) for value in ("x", "true", "1.5", "-0.5", "50")),
    ("trainer_cfg.transform.0.pad", "-1"),
    *(("loss_cfg", value) for value in ("3", "[3]")),
    ("model_cfg.model", ""),
    *((section, value) for section in ("data_cfg", "trainer_cfg", "model_cfg") for value in ("3", "[]", "null")),
    ("trainer_cfg.sampler", "{type: TripletSampler, type: TripletSampler}"),
    ("model_cfg.dimension", "[3"),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda text: text[:40])
def test_a_value_of_the_wrong_type_is_an_error_that_names_the_key(demo, key, value):
    with pytest.raises(ConfigError) as error:
        demo(f"{key}={value}")
    message = str(error.value)
    name = key.rpartition(".")[2] if key.startswith("extensions") else key.split(".")[0]
    assert name in message and "\n" not in message and len(message) < 700


NAMES = ["20240501", "2024-05-01", "2024-13-45", "007", "1_000", "1e3", "1:30", "0x10", "yes", "NO", ".nan", "[x] y"]


@pytest.mark.parametrize("name", [*NAMES, "*x", "&x", "a: b", "%x", "x #2", "{a}", "- a", "!x"])
@pytest.mark.parametrize("key", ["trainer_cfg.save_name", "data_cfg.dataset_name", "data_cfg.dataset_root"])
def test_names_and_folders_of_the_command_line_are_taken_as_they_stand(demo, key, name):
    assert setting(demo(f"{key}={name}"), key) == name


@pytest.mark.parametrize("key", ["optimizer_cfg.solver", "scheduler_cfg.scheduler", "evaluator_cfg.eval_func"])
def test_an_unknown_name_is_an_error_that_names_the_key_once(demo, key):
    with pytest.raises(ConfigError, match=f"^--set {key}: ") as error:
        demo(f"{key}=Foo")
    assert str(error.value).count(key) == 1


def test_null_is_a_name_only_where_it_means_nothing_else(demo):
    assert demo("trainer_cfg.save_name=null")["trainer_cfg"]["save_name"] == "demo"
    for text in ("null", "~"):
        assert demo(f"data_cfg.dataset_root={text}")["data_cfg"]["dataset_root"] == text
    assert demo("data_cfg.dataset_root='/data/x #1'")["data_cfg"]["dataset_root"] == "/data/x #1"
    assert demo("data_cfg.discard_lists=[a.txt, 007]")["data_cfg"]["discard_lists"] == ["a.txt", "007"]
    assert demo("trainer_cfg.restore_hint=out #2/a.pt")["trainer_cfg"]["restore_hint"] == "out #2/a.pt"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "[x] y"])
def test_names_in_a_file_are_taken_as_they_are_written(write, name):
    cfg = load_config(write(f"trainer_cfg:\n  save_name: {name}\ndata_cfg: {{dataset_root: {name}}}"))
    assert (cfg["trainer_cfg"]["save_name"], cfg["data_cfg"]["dataset_root"]) == (name, name)
    cfg = load_config(write(f"x: &x {{save_name: {name}}}\ntrainer_cfg: {{<<: *x}}"))
    assert cfg["trainer_cfg"]["save_name"] == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_cfg: {dataset_root: null}", r"line 1: data_cfg\.dataset_root: .*got null"),
        ("trainer_cfg:\n  save_name: [a]", r"line 2: trainer_cfg\.save_name"),
        ('trainer_cfg:\n  save_name: "a\\nb"', r"line 2: trainer_cfg\.save_name"),
        ("trainer_cfg:\nevaluator_cfg:", "line 1: trainer_cfg: .*got null"),
        ("trainer_cfg: {sampler: {points_in_use: {points_num: x}}}", r"points_in_use\.points_num"),
        ("trainer_cfg: {sampler: {sample_type: fixd_ordered}}", "fixd_ordered"),
        ("trainer_cfg: {transform: [{type: InversePosesPre, joint_format: cocoo}]}", "cocoo"),
        ("trainer_cfg: {transform: [{type: Compose, trf_cfg: [{type: RandomRotate, prob: x}]}]}", r"trf_cfg\.0\.prob"),
        ("trainer_cfg: {sampler: {batch_size: {a: 1}}}", r"sampler\.batch_size"),
        ("loss_cfg: [{type: TripletLoss, margin: big, log_prefix: a}]", r"loss_cfg\.0\.margin"),
        ("loss_cfg: [{type: SupConLoss_Re, contrast_mode: none, log_prefix: a}]", "contrast_mode"),
        (LOSS.replace("]", ", {type: TripletLoss, margin: 0.2, log_prefix: a}]"), "log_prefix"),
        ("data_cfg: []", "data_cfg: .*got"),
        (SGD + "scheduler_cfg:\n  scheduler: MultiStepLR\n  milestones: [a]", r"line 4: scheduler_cfg\.milestones"),
        (SGD + "scheduler_cfg: {scheduler: MultiStepLR, milestones: 3}", r"scheduler_cfg\.milestones"),
        (SGD + "scheduler_cfg: {scheduler: MultiStepLR, milestones: [-3]}", r"scheduler_cfg\.milestones"),
        (
            SGD + "scheduler_cfg: {scheduler: SequentialLR, milestones: [5, 3], schedulers: "
            "[{scheduler: ConstantLR}, {scheduler: ConstantLR}, {scheduler: ConstantLR}]}",
            r"scheduler_cfg\.milestones: .*ascending",
        ),
        (
            SGD + "scheduler_cfg: {scheduler: SequentialLR, milestones: [3], schedulers: 3}",
            r"scheduler_cfg\.schedulers",
        ),
        (SGD + "scheduler_cfg: {scheduler: SequentialLR, milestones: [3]}", r"schedulers is missing"),
        (SGD + "scheduler_cfg: {scheduler: StepLR, step_size: 0, schedulers: 3}", r"scheduler_cfg\.step_size"),
        (SGD + "scheduler_cfg: {scheduler: StepLR, step_size: 0}", r"scheduler_cfg\.step_size"),
        (SGD + "scheduler_cfg: {scheduler: CosineAnnealingLR, T_max: 0}", r"scheduler_cfg\.T_max"),
        (SGD + "scheduler_cfg: {scheduler: OneCycleLR, max_lr: 1, total_steps: 5, div_factor: 0}", "OneCycleLR"),
        ("optimizer_cfg: {solver: SGD, lr: 0.1, nesterov: 'false'}", r"optimizer_cfg\.nesterov"),
        ("optimizer_cfg: {solver: Adam, lr: 0.1, betas: 0.9}", r"optimizer_cfg\.betas"),
    ],
)
def test_values_of_the_wrong_type_in_a_file(write, text, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(text))


def test_loose_values_whose_meaning_is_clear(write):
    cfg = load_config(
        write(
            """
            trainer_cfg: {total_iter: 8e4, with_test: 1, sampler: {batch_size: [8.0, 4]}}
            optimizer_cfg: {solver: SGD, lr: '1e-3', weight_decay: 5.e-4, nesterov: no}
            scheduler_cfg: {scheduler: MultiStepLR, gamma: "0.1", milestones: [2e4, 40000]}
            """
        )
    )
    assert (cfg["trainer_cfg"]["total_iter"], cfg["trainer_cfg"]["with_test"]) == (80000, True)
    assert cfg["trainer_cfg"]["sampler"]["batch_size"] == [8, 4]
    assert cfg["optimizer_cfg"]["lr"] == 0.001 and cfg["scheduler_cfg"]["milestones"] == [20000, 40000]


def test_later_overrides_win(demo):
    assert demo("trainer_cfg.seed=[", "trainer_cfg.seed=5", "trainer_cfg.seed=6")["trainer_cfg"]["seed"] == 6


def test_an_unknown_key_says_how_to_list_the_keys(demo):
    with pytest.raises(ConfigError, match=r"`python -m opengait\.config opengait_ext`"):
        demo("data_cfg.zzz=1")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: next(iter(table)))
def test_types_of_tables_are_in_the_grammar(table):
    for key in table.values():
        assert expected(key.type)
        assert all(option[0] in "'-l" or not option[0].isupper() for option in options(key.type))


def test_every_argument_of_every_part_has_a_type():
    load_extensions(["opengait_ext"])
    untyped = []
    for parts, leading in (
        *((registry.samplers, 1), (registry.transforms, 0), (registry.losses, 0)),
        *((registry.evaluators, 2), (registry.datasets, 2)),
    ):
        for name in parts.names():
            if inspect.getmodule(parts.get(name)).__name__.startswith("opengait"):
                kinds = list(argument_kinds(parts.get(name)).items())[leading:]
                untyped += [f"{name}.{key}" for key, kind in kinds if kind == "any"]
    assert untyped == []


def test_defaults_are_of_their_type():
    defaults = read_yaml(DEFAULTS)[0]
    assert load_config(DEFAULTS)["trainer_cfg"]["optimizer_reset"] is defaults["trainer_cfg"]["optimizer_reset"] is None
