"""Stop a training at an iteration boundary on Ctrl-C or SIGTERM, on all ranks at the same one."""

import contextlib
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from opengait import distributed

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Launchers may deliver one Ctrl-C twice.
_ECHO_SECONDS = 0.3
# How often rank 0 asks whether another rank got a signal.
_POLL_SECONDS = 1.0


class Stopped(Exception):
    """A training ended on request; everything that it had learned is saved.

    Args:
        signum: the signal.
        iteration: the iteration of the last checkpoint.
    """

    def __init__(self, signum: int, iteration: int) -> None:
        super().__init__(f"stopped at iteration {iteration} by {signal.Signals(signum).name}")
        self.signum = signum
        self.iteration = iteration

    @property
    def status(self) -> int:
        """The exit status: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.signum


class StopRequest:
    """Turns the first Ctrl-C or SIGTERM into a request that the training loop answers; a second Ctrl-C interrupts.

        with StopRequest() as stop:
            while iteration < total:
                ...
                if stop.requested(iteration):
                    save()
                    raise Stopped(stop.signum, iteration)

    Ranks must leave the loop together, or the others would wait for them. Rank 0 decides, and publishes in the store of
    the process group, one iteration ahead, which iterations the run does not end after; the other ranks read that. A
    step costs one message to the store (0.1 ms), and nothing on a single process; no rank waits for a device.

    Outside the main thread, where Python has no signal handlers, no request is ever made.
    """

    def __init__(self) -> None:
        self.signum = 0
        self._received = 0.0
        self._stop_at: int | None = None
        self._reported = False
        self._polled = time.monotonic()
        self._previous: dict[int, Any] = {}
        self._store: Any
        self._store, self._key = distributed.shared_store("stop") if distributed.world_size() > 1 else (None, "")

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            # A signal that is ignored, as by nohup or in a background job, stays so.
            wanted = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._previous = {number: signal.signal(number, self._receive) for number in wanted}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def requested(self, iteration: int) -> bool:
        """Return whether the run ends after `iteration`: the same answer on every rank.

        Args:
            iteration: completed iterations; every rank asks after each step, in the same order.
        """
        if self._store is None:
            return bool(self.signum)
        if distributed.is_main():
            self._decide(iteration)
        else:
            self._follow(iteration)
        return self._stop_at is not None and iteration >= self._stop_at

    def _decide(self, iteration: int) -> None:
        if not self.signum and time.monotonic() - self._polled > _POLL_SECONDS:
            self._polled = time.monotonic()
            if self._store.check([f"{self._key}/asked"]):
                self.signum = int(self._store.get(f"{self._key}/asked"))
        if self.signum and self._stop_at is None:
            self._stop_at = iteration + 1
        self._store.set(self._key, f"{iteration + 1} {self._stop_at or 0} {self.signum}")

    def _follow(self, iteration: int) -> None:
        if self.signum and not self._reported:
            self._store.set(f"{self._key}/asked", str(self.signum))
            self._reported = True
        decided = -1
        while decided < iteration:
            if decided >= 0:
                # Rank 0 is more than an iteration behind.
                time.sleep(0.001)
            decided, stop_at, signum = map(int, self._store.get(self._key).split())
        if stop_at:
            self._stop_at, self.signum = stop_at, signum

    def _receive(self, signum: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self.signum and signum == signal.SIGINT and now - self._received > _ECHO_SECONDS:
            raise KeyboardInterrupt
        if not self.signum:
            self.signum, self._received = signum, now
            if distributed.is_main():
                # Not `print`, which the signal may have interrupted; Ctrl-C also ends a `tee` that reads this.
                with contextlib.suppress(OSError):
                    os.write(2, b"\nStopping after this iteration, with a checkpoint; Ctrl-C again stops at once.\n")
