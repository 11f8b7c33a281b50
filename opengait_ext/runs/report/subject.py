"""What a report is about: tested runs, their frames and the network."""

from dataclasses import dataclass, field
from functools import cached_property

from opengait.errors import UserError
from opengait_ext.evaluation.protocol import CROSS_MODAL
from opengait_ext.models import DinoGRLNet
from opengait_ext.runs.figures.network import network_of
from opengait_ext.runs.run_frames import RunFrames
from opengait_ext.runs.tested_run import Ranking, TestedRun


@dataclass
class Subject:
    """What the sections are made from.

    Attributes:
        runs: the run, and the one that it is held against, if any.
        overrides: changes to the run's configuration, such as where the data is now.
        seed: of what is chosen at random.
        remarks: what cannot be shown, and why.
    """

    runs: list[TestedRun]
    overrides: tuple[str, ...] = ()
    seed: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def run(self) -> TestedRun:
        """The run that the page is about."""
        return self.runs[0]

    @cached_property
    def frames(self) -> RunFrames | None:
        """Frames of the run's tracklets, or None where the data is not here."""
        try:
            return RunFrames(self.run, self.overrides)
        except UserError as error:
            self.remarks.append(f"Frames cannot be shown: {error}")
            return None

    @cached_property
    def network(self) -> DinoGRLNet | None:
        """The network that was tested, or None where it is not here or finds no silhouettes."""
        if self.frames is None:
            return None
        try:
            return network_of(self.run, self.frames)
        except UserError as error:
            self.remarks.append(f"Silhouettes cannot be shown: {error}")
            return None

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Both directions between the modalities, for the run."""
        return [Ranking(self.run, direction) for direction in CROSS_MODAL]
