"""Shared fixtures and markers: the same environment with and without a GPU, and a synthetic dataset."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from opengait.registry import Parts

HAS_CUDA = torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `cuda` if there is no GPU."""
    for item in items:
        if item.get_closest_marker("cuda") and not HAS_CUDA:
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(scope="session", autouse=True)
def without_cuda() -> Iterator[None]:
    """Hide the GPU, since expected values are computed on a CPU and two processes cannot share one GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


@pytest.fixture(autouse=True)
def with_cuda(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the GPU visible to tests marked `cuda`."""
    if request.node.get_closest_marker("cuda"):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: HAS_CUDA)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a synthetic dataset of eight training and five test identities, and weights of a vision transformer."""
    from tests.opengait_ext.world import draw_world

    return draw_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def temporarily() -> Iterator[Callable[[Parts, Callable], Callable]]:
    """Register parts for the duration of a test: `temporarily(registry.losses, MyLoss)`."""
    with ExitStack() as stack:
        yield lambda parts, part: stack.enter_context(parts.temporarily(part))
