"""Requests to stop a training: one process, several ranks, and a second Ctrl-C."""

import os
import signal
import time

import pytest
import torch.distributed as dist

from opengait.engine.stop import Stopped, StopRequest
from tests.opengait.ranks import on_ranks


@pytest.fixture(autouse=True)
def handlers():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_requests_a_stop(signum, status):
    with StopRequest() as stop:
        assert not stop.requested(1)
        os.kill(os.getpid(), signum)
        assert stop.requested(2)
    assert stop.signum == signum
    assert Stopped(signum, 2).status == status


@pytest.mark.parametrize("then", [signal.SIGINT, signal.SIGTERM])
def test_an_echo_of_the_signal_changes_nothing(then):
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), then)
        assert stop.requested(1)
    assert stop.signum == signal.SIGTERM


def test_a_second_interrupt_ends_at_once():
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        stop._received -= 1
        os.kill(os.getpid(), signal.SIGINT)


def test_a_closed_terminal_does_not_prevent_the_stop(monkeypatch):
    """As of `main.py | tee log`, where Ctrl-C ends `tee` first."""

    def write(*_):
        raise BrokenPipeError

    monkeypatch.setattr("opengait.engine.stop.os.write", write)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested(1)


def test_an_ignored_signal_stays_ignored():
    """As for a job that a shell started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.requested(1)
    finally:
        signal.signal(signal.SIGINT, before)


def _stop_of(signalled: int, step: float) -> list[tuple[int, int]]:
    """Return (iteration, signal) at the end of two loops, the first of which rank `signalled` gets SIGTERM in."""
    ends = []
    for loop in range(2):
        with StopRequest() as stop:
            iteration = 0
            while iteration < 2000:
                iteration += 1
                dist.barrier()
                time.sleep(step)
                if loop == 0 and iteration == 5 and dist.get_rank() == signalled:
                    os.kill(os.getpid(), signal.SIGTERM)
                if stop.requested(iteration) or (loop == 1 and iteration == 50):
                    break
            ends.append((iteration, stop.signum))
    return ends


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [0, 1])
def test_ranks_stop_at_the_same_iteration(tmp_path, signalled):
    first, second = on_ranks(_stop_of, tmp_path, signalled, 0.01)
    assert first == second
    assert 5 < first[0][0] < 2000
    assert first[0][1] == signal.SIGTERM
    assert first[1] == (50, 0)
