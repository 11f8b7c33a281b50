"""The subject of a report: tested runs, their frames and the network."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from opengait.errors import UserError
from opengait_ext.evaluation.protocol import CROSS_MODAL
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.runs.figures.network import network_of
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.run_frames import RunFrames, UnreadableFrames
from opengait_ext.runs.tested_run import TestedRun


@dataclass
class Subject:
    """The contents of a report.

    Attributes:
        runs: the run and, optionally, a run to compare it with.
        overrides: changes to the run's configuration, such as where the data is now.
        seed: seed of random choices.
        remarks: sentences that say what cannot be shown, and why.
        unreadable: why frames of a tracklet cannot be shown, by its index.
    """

    runs: list[TestedRun]
    overrides: tuple[str, ...] = ()
    seed: int = 0
    remarks: list[str] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)

    @property
    def run(self) -> TestedRun:
        """The run that the page is about."""
        return self.runs[0]

    @cached_property
    def frames(self) -> RunFrames | None:
        """Frames of the run's tracklets, or None if the data is missing."""
        try:
            frames = RunFrames(self.run, self.overrides)
            # Missing frames are noticed only when they are read.
            _ = frames.are_silhouettes
            return frames
        except UserError as error:
            self.remarks.append(f"Frames cannot be shown: {error}")
            return None

    def look(self, tracklet: int, count: int) -> np.ndarray | None:
        """Return evenly spread frames of a tracklet, or None if they cannot be read.

        Args:
            tracklet: its index in the run.
            count: number of frames.

        Returns:
            uint8 (count or fewer, h, w, 3).
        """
        if self.frames is None:
            return None
        try:
            return self.frames(tracklet, count)
        except UnreadableFrames as error:
            self.unreadable[tracklet] = str(error)
            return None

    @cached_property
    def network(self) -> PlainNetwork | None:
        """The tested network, or None if it is missing or makes no silhouettes, perhaps because it takes some."""
        if self.frames is None or self.frames.are_silhouettes:
            return None
        try:
            return network_of(self.run, self.frames)
        except UserError as error:
            self.remarks.append(f"Silhouettes cannot be shown: {error}")
            return None

    def rankings_of(self, run: TestedRun) -> list[Ranking]:
        """Return the rankings of a run in both cross-modal directions."""
        return self.rankings if run is self.run else [Ranking(run, direction) for direction in CROSS_MODAL]

    @cached_property
    def rankings(self) -> list[Ranking]:
        """The rankings of `run` in both cross-modal directions."""
        return [Ranking(self.run, direction) for direction in CROSS_MODAL]

    def all_remarks(self) -> list[str]:
        """Return the remarks, with one about tracklets whose frames cannot be read."""
        if not self.unreadable:
            return self.remarks
        count, total = len(self.unreadable), len(self.run.features)
        reason = self.unreadable[min(self.unreadable)]
        return [*self.remarks, f"Frames of {count:,} of {total:,} tracklets cannot be shown, such as: {reason}"]
