"""Jobs that write silhouettes, a network's or the generator's, for gait models and to measure their overlap."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opengait.data.layout import read_partition
from opengait_ext.experiments.jobs import Job, Run, Step
from opengait_ext.runs.silhouettes.opengait_silhouettes import PARTITION
from opengait_ext.runs.silhouettes.overlap import RESULT

_LISTS = {"train": "TRAIN_SET", "test": "TEST_SET"}


@dataclass(frozen=True, eq=False)
class Silhouettes(Job):
    """Silhouettes of the data of one seed, in OpenGait's layout if a gait model reads them.

    Attributes:
        run: the run of the network that makes them; None for given masks (`data_cfg.mask_root`).
        read: whether a gait model reads them, so that the training people's are needed too.
        truth: folder of true silhouettes to compare with, if there is one.
    """

    run: Run | None = field(default=None, kw_only=True)
    read: bool = field(default=False, kw_only=True)
    truth: Path | None = field(default=None, kw_only=True)

    @property
    def partition(self) -> Path:
        """File of the people, for `data_cfg.dataset_partition`."""
        return self.folder / PARTITION

    @property
    def overlap_file(self) -> Path:
        """File of the overlap with true silhouettes."""
        return self.folder / RESULT

    def steps(self) -> Iterator[Step]:
        """Yield the splits that are not complete, each a command of `vvi`."""
        for split in ("train", "test"):
            compares = split == "test" and self.truth is not None
            complete = not self.read or self._lists(split)
            if complete and not (compares and not self.overlap_file.is_file()):
                continue
            yield Step(f"export of the {split} split", "opengait_ext", tuple(self._arguments(split, compares)))

    def _arguments(self, split: str, compares: bool) -> list[str]:
        common = ["--cfgs", str(self.config_file), "--out", str(self.folder), "--split", split]
        if self.run is None:
            return ["given-silhouettes", *common]
        arguments = ["export-silhouettes", *common, "--checkpoint", str(self.run.checkpoint), "--no-gif"]
        arguments += ["--pkl"] * self.read
        return [*arguments, "--truth", str(self.truth)] if compares else arguments

    def _lists(self, split: str) -> bool:
        """Return whether the silhouettes of a split's people were written, which the partition says at the end."""
        return self.partition.is_file() and bool(read_partition(self.partition).get(_LISTS[split]))
