"""The keys of the engine's sections, with type and meaning; the defaults are in `default.yaml`.

`opengait.config.keys` checks configurations against these tables, and `python -m opengait.config` prints them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        type: type of the value, in the grammar of `opengait.utils.typed`.
        meaning: one line for the documentation.
    """

    type: str
    meaning: str


IGNORED = Key("any", "Ignored; present in OpenGait's files.")
# Iterations may be given in epochs, such as "35 epochs".
ITERATIONS = "int or epochs"

DATA = {
    "reader": Key("str", "Class of the dataset reader."),
    "dataset_name": Key("name", "Name of the dataset, and of a level of the run's folder."),
    "dataset_root": Key("path", "Folder of the data."),
    "dataset_partition": Key("path", "JSON file with the identities of TRAIN_SET and TEST_SET."),
    "num_workers": Key("non-negative int", "Data loading processes per rank."),
    "cache": Key("bool", "Read the whole dataset into memory at the start."),
    "test_dataset_name": Key("name or null", "Dataset whose protocol the evaluator follows; null: `dataset_name`."),
    "data_in_use": Key(
        "list of bool or list of non-negative int or null",
        "Features of a tracklet to read: mask or indices of its files.",
    ),
    "self_supervised": Key("bool", "Give each tracklet its own label."),
    "trust_pickles": Key("bool", "Allow `.pkl` files to hold any object, which lets them run code."),
    "remove_no_gallery": IGNORED,
    "frame_threshold": IGNORED,
    "train_data_preload": IGNORED,
}
TRAINER = {
    "output_root": Key("path", "Runs are written to `<output_root>/<dataset_name>/<model>/<save_name>`."),
    "save_name": Key("name or null", "Name of the run; null: name of the configuration file, without suffix."),
    "seed": Key("int", "Seed of every random stream."),
    "enable_float16": Key("bool", "Train in mixed precision on CUDA."),
    "amp_dtype": Key("'float16' or 'bfloat16' or 'auto'", "Mixed precision; auto: bfloat16 on GPUs that have it."),
    "sync_BN": Key("bool", "Compute batch norm statistics over all processes."),
    "fix_BN": Key("bool", "Keep batch norm in evaluation mode."),
    "find_unused_parameters": Key("bool", "Let distributed training skip parameters without a gradient."),
    "steps_per_epoch": Key("positive int or null", "Iterations per epoch, for settings such as `35 epochs`."),
    "total_iter": Key(f"positive {ITERATIONS}", "Length of the training."),
    "log_iter": Key(f"positive {ITERATIONS}", "Interval of log lines."),
    "save_iter": Key(f"positive {ITERATIONS}", "Interval of checkpoints."),
    "with_test": Key("bool", "Evaluate on the way and at the end."),
    "test_iter": Key(
        f"positive {ITERATIONS} or null", "Interval of tests on the way, which are saved too; null: `save_iter`."
    ),
    "early_stop": Key("section or null", "End when tests stop improving; see below. Needs `with_test`."),
    "recompute": Key(
        "list of str or null", "Parts of the model, by name, whose activations the backward pass computes again."
    ),
    "sinks": Key("list of ('wandb' or 'trackio') or null", "Trackers that get the numbers of TensorBoard too."),
    "restore_hint": Key(
        f"non-negative {ITERATIONS} or path", "Checkpoint to start from: iteration of this run or a file; 0: none."
    ),
    "restore_ckpt_strict": Key("bool", "Require the checkpoint's parameters to match the model's exactly."),
    "optimizer_reset": Key(
        "bool or null", "Start with a fresh optimiser; null: only where `restore_hint` names a file."
    ),
    "scheduler_reset": Key(
        "bool or null", "Start with a fresh schedule; null: only where `restore_hint` names a file."
    ),
    "sampler": Key("section", "Tracklets and frames of a batch; see below."),
    "transform": Key("list or section or null", "One transform per feature of a tracklet."),
    "T_max_iter": IGNORED,
    "enable_distributed": IGNORED,
    "fix_layers": IGNORED,
    "fix_lr": IGNORED,
}
EARLY_STOP = {
    "metric": Key(
        "str or list of str",
        "Number of the tests, named as in TensorBoard, such as `infrared_to_visible/map`; larger is better. Of a list, "
        "the mean counts.",
    ),
    "patience": Key("positive int", "The training ends after this many tests in a row without a new best."),
}
EVALUATOR = {
    "save_name": Key("name or null", "Name of the run to test; null: `trainer_cfg.save_name`."),
    "enable_float16": Key("bool", "Test in mixed precision on CUDA."),
    "restore_hint": Key(f"non-negative {ITERATIONS} or path", "Checkpoint to test: an iteration of the run or a file."),
    "restore_ckpt_strict": Key("bool", "Require the checkpoint's parameters to match the model's exactly."),
    "eval_func": Key("str", "Evaluator; its arguments are keys of this section too."),
    "metric": Key("str", "Distance of descriptors: `euc`, `cos` or `dot`, minus their product."),
    "cross_view_gallery": Key("bool", "Rank all gallery views together (indoor datasets)."),
    "rerank": Key(
        "bool or 'temporal'",
        "Re-rank with k-reciprocal neighbours, where the evaluator supports it; temporal: also of tracklets' halves.",
    ),
    "save_features": Key("bool", "Save the descriptors in `logs/test-<iteration>.npz`, for reports."),
    "sampler": Key("section", "Batches and frames of the test; see below."),
    "transform": Key("list or section or null", "One transform per feature of a tracklet."),
    "enable_distributed": IGNORED,
}
SAMPLER = {
    "type": Key("str", "Class of the sampler; its arguments are keys of this section too."),
    "batch_size": Key(
        "positive int or list of positive int", "Tracklets per batch over all ranks, or ids and tracklets per id."
    ),
    "batch_shuffle": Key("bool", "Shuffle the identities within a batch."),
    "sample_type": Key("str", "Choice of frames: `fixed`, `unfixed` or `all`, then `_` and a strategy."),
    "frames_num_fixed": Key("positive int or null", "Frames per tracklet (`fixed`)."),
    "frames_num_min": Key("positive int or null", "Smallest number of frames per tracklet (`unfixed`)."),
    "frames_num_max": Key("positive int or null", "Largest number of frames per tracklet (`unfixed`)."),
    "frames_skip_num": Key(
        "non-negative int or null", "Extra frames in the window from which an ordered choice is drawn."
    ),
    "frames_all_limit": Key(
        "positive int or -1 or null", "Largest number of frames per tracklet (`all`); -1: no limit."
    ),
    "points_in_use": Key("section or null", "`pointcloud_index` and `points_num`: points drawn from each cloud."),
}
POINTS = {
    "pointcloud_index": Key("non-negative int or null", "Number of the feature that holds the clouds."),
    "points_num": Key("positive int or null", "Points drawn from each cloud."),
}
LOSS = {
    "type": Key("str", "Class of the loss; its arguments are keys of this section too."),
    "log_prefix": Key("str", "Name of the loss in logs, and its key in the model's `training_feat`."),
    "loss_term_weight": Key("float", "Weight of the loss in the sum."),
    "begin_iter": Key(f"non-negative {ITERATIONS}", "First iteration with this loss; 0 (the default): from the start."),
    "weight_schedule": Key("section or null", "Factor of the weight that changes; see below. Null: none."),
    "trains": Key("str or null", "`module` of the critic that this loss trains; null (the default): the model."),
    "gather_and_scale": IGNORED,
}
WEIGHT_SCHEDULE = {
    "begin": Key("float", "Weight at first; a half cosine leads to the last."),
    "end": Key("float", "Weight at last."),
    "iterations": Key(f"positive {ITERATIONS}", "Length, counted from the start of the training."),
    "step": Key(f"positive {ITERATIONS}", "Iterations with the same weight; 1 (the default): each has its own."),
}
# OpenGait's files contain some of these keys for classes that do not take them.
TRANSFORM = {
    "type": Key("str", "Class of the transform; its arguments are keys of this section too."),
    "img_w": IGNORED,
    "img_h": IGNORED,
    "probability": IGNORED,
    "prob": IGNORED,
}
OPTIMIZER = {
    "solver": Key("str", "Class of `torch.optim`; its arguments are keys of this section too."),
    "groups": Key(
        "list of section or null", "Settings by `match`, part of parameters' names; see `engine.optim.build_optimizer`."
    ),
}
GROUP = {
    "match": Key("str or ''", "Part of the parameters' names."),
    "optional": Key("bool", "Allow a group without parameters."),
}
SCHEDULER = {
    "scheduler": Key(
        "str", "`WarmupCosineLR` or a class of `torch.optim.lr_scheduler`; its arguments are keys here too."
    ),
    "steps_per_epoch": Key("positive int or null", "Iterations per step of the schedule; null, as without it, is one."),
}
CRITIC = {
    "module": Key("str", "Name of the part of the model; losses name it in `trains`."),
    "optimizer_cfg": Key("section", "Its optimiser, as the section of that name."),
    "scheduler_cfg": Key("section or null", "Its schedule, as the section of that name; null: a constant rate."),
}
# The top level of a configuration.
SECTIONS = {
    "base": Key("path or list of path", "Configurations to build on, relative to this file; later ones win."),
    "extensions": Key("list of str or null", "Packages with a `register()`, or folders of model files."),
    "data_cfg": Key("section or list of section", "The dataset; a list trains on several."),
    "model_cfg": Key("section", "The model and its settings, which it reads itself."),
    "loss_cfg": Key("section or list of section", "The losses."),
    "optimizer_cfg": Key("section", "The optimiser."),
    "scheduler_cfg": Key("section", "The learning-rate schedule."),
    "critic_cfg": Key(
        "section or list of section or null",
        "Parts of the model with optimisers and losses of their own; see below.",
    ),
    "trainer_cfg": Key("section", "The training."),
    "evaluator_cfg": Key("section", "The test."),
}
