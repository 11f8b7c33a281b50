"""The short form of the names campaign."""

import logging
from collections.abc import Iterator

import pytest

from tests.campaigns.names import NAMES, Page, folders, footage, names, report, run, search

# As many faults in one name as go together, since a report takes seconds.
FEW = ("<script>alert(1)</script>\"' onload=alert(1) x='$\\frac{$\na\udcffb\u202e", "../../" + "x" * 300)


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Log nothing: pytest's processes cannot exchange captured text with undecodable names."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("use", [footage, folders])
def test_no_name_leaves_the_output_folder(use):
    assert run(NAMES, [use]) == []


@pytest.mark.slow
@pytest.mark.parametrize("use", [report, search])
def test_no_name_runs_in_a_page_or_breaks_a_figure(use):
    assert run(FEW, [use]) == []


def test_what_a_name_would_do_to_a_page_is_found():
    for text in ("<script>1</script>", "<p onload='1'>", "<iframe>", "<a href='http://x'>"):
        page = Page()
        page.feed(text)
        assert page.scripts or page.foreign
    assert list(names(len(NAMES) + 2, 1))[: len(NAMES)] == list(NAMES)
