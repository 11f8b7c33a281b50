"""Configurations: files with bases, aliases and merge keys, and overrides of the command line."""

import shutil
from pathlib import Path

from tests.paths import ROOT

SAMPLES = {
    "merged.yaml": """\
base: shared.yaml
x-sampler: &sampler {batch_size: [4, 2], sample_type: fixed_unordered, frames_num_fixed: 3}
trainer_cfg:
  sampler: {<<: *sampler, batch_shuffle: true}
  transform: &cut
    - {type: Compose, trf_cfg: [{type: BaseSilCuttingTransform, divsor: 255.0}, {type: RandomRotate, prob: 0.3}]}
  save_name: "007"
  restore_hint: ./output/old.pt
evaluator_cfg: {transform: [{type: BaseSilCuttingTransform}], metric: cos}
loss_cfg:
  - {type: TripletLoss, log_prefix: triplet, margin: 0.2}
  - {type: CrossEntropyLoss, log_prefix: softmax, scale: 16, label_smooth: no}
""",
    "schedule.yaml": """\
data_cfg: {dataset_root: 2024-05-01, num_workers: 2, data_in_use: [true, false]}
model_cfg: {model: Baseline}
optimizer_cfg: {solver: SGD, lr: 1e-1, momentum: .9, groups: [{match: Backbone, lr: 0.01}]}
scheduler_cfg:
  scheduler: SequentialLR
  milestones: [2 epochs]
  schedulers:
    - {scheduler: LinearLR, start_factor: 0.1, total_iters: 2 epochs}
    - {scheduler: MultiStepLR, milestones: [3 epochs, 80]}
trainer_cfg: {steps_per_epoch: 7, total_iter: 20 epochs, seed: 3}
""",
    # A line each is `section.key=value`.
    "overrides.set": """\
data_cfg.dataset_root=/data/vcm #2
trainer_cfg.sampler.batch_size=[8, 4]
trainer_cfg.save_name=20240501
evaluator_cfg.rerank=true
trainer_cfg.transform.0.cutting=5
trainer_cfg.sampler={type: TripletSampler, batch_size: [2, 2], sample_type: fixed_unordered, frames_num_fixed: 2}
""",
}


def samples(folder: Path) -> list[Path]:
    """Write the samples above and a shipped configuration."""
    (folder / "shared.yaml").write_text("trainer_cfg: {seed: 1, log_iter: 10}\n")
    for name, text in SAMPLES.items():
        (folder / name).write_text(text)
    shutil.copy(ROOT / "configs/gaitset/gaitset.yaml", folder / "shipped.yaml")
    return [folder / name for name in (*SAMPLES, "shipped.yaml")]


def read(path: Path) -> None:
    """Load a configuration and write it as YAML, as a run does; or apply a file of overrides."""
    from opengait.config import config_text, load_config

    if path.suffix == ".set":
        overrides = path.read_bytes().decode("utf-8", "surrogateescape").splitlines()
        config_text(load_config(path.with_name("shared.yaml"), overrides))
    else:
        config_text(load_config(path))
