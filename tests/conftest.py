"""What all tests share: they see the same machine, whether or not it has a GPU."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import torch

IS_AVAILABLE = torch.cuda.is_available


@pytest.fixture(scope="session", autouse=True)
def without_cuda() -> Iterator[None]:
    """Expected values are a CPU's, and two processes cannot share a GPU, so nothing finds one of itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


@pytest.fixture(autouse=True)
def with_cuda_where_it_is_meant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests with `cuda` in their name find the GPU, if there is one; they are skipped where there is none."""
    if "cuda" in request.node.name:
        monkeypatch.setattr(torch.cuda, "is_available", IS_AVAILABLE)


@pytest.fixture
def temporarily():
    """Register a part for the length of a test: `temporarily(registry.losses, MyLoss)`."""
    with ExitStack() as stack:
        yield lambda parts, part: stack.enter_context(parts.temporarily(part))
