"""The grammar of types, the values that each allows, and the types of annotations."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import torch

from opengait.errors import ConfigError
from opengait.utils.typed import argument_kinds, checked_arguments, kind_of, shown, typed

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bool", [True, False]),
        ("int", [0, -3, 2**40]),
        ("positive int", [1]),
        ("non-negative int", [0]),
        ("float", [0, 1.5, -1e30]),
        ("str", ["a", "off", "a/b"]),
        ("name", ["a b", "007"]),
        ("path", ["/data/x #2", Path("a")]),
        ("section", [{}, {"a": 1}]),
        ("list of 2 positive int", [[1, 2], (1, 2)]),
        ("list of bool or list of int", [[True], [1, 0], []]),
        ("share", [0, 0.5, 1.0]),
        ("list of (float or null)", [[1.0, None]]),
        ("'euc' or 'cos' or -1 or null", ["cos", -1, None]),
        ("any", [object]),
    ],
)
def test_values_of_a_type_stay_as_they_are(kind, values):
    for value in values:
        assert typed(value, kind) is value


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bool", ["false", "n", "off", "no", "", 2, None, 0.0, []]),
        ("int", [True, "3", 2.5, NAN, INF, None, 2**70, [1]]),
        ("positive int", [0, -1, 0.0]),
        ("non-negative int", [-1]),
        ("float", [True, "fast", "nan", "inf", "1_0", NAN, INF, None, [0.1], 10**400]),
        ("share", [-0.1, 1.5, 7, True, "half", NAN, None]),
        ("str", [3, None, True, "", " ", "a\nb", "a\0", "\ud800", ["a"]]),
        ("name", ["a/b", "..", "a\\b", "x" * 300]),
        ("path", [3, None, ""]),
        ("section", [[], "a"]),
        ("list of 2 positive int", [[1], [1, 2, 3], [1, 0], "12", 1]),
        ("list of bool or list of int", [[True, 3], ["1"]]),
        ("'euc' or 'cos' or -1", ["hamming", 1, "-1", None]),
        ("epochs", ["3 epochs"]),
    ],
)
def test_other_values_are_refused(kind, values):
    for value in values:
        with pytest.raises(ValueError, match=r"expected .* got "):
            typed(value, kind)


@pytest.mark.parametrize(
    ("value", "kind", "taken"),
    [
        ("1e-3", "float", 0.001),
        (" 1", "float or str", " 1"),
        (8e4, "positive int", 80000),
        ([2.0, 3], "list of int", [2, 3]),
        (1, "bool", True),
        (0, "bool or null", False),
        (1, "int or bool", 1),
    ],
)
def test_values_whose_meaning_is_clear_are_converted(value, kind, taken):
    assert typed(value, kind) == taken and type(typed(value, kind)) is type(taken)


def test_scalars_become_text_only_where_nothing_else_is_meant():
    assert typed(7, "name", lambda at: "007") == "007"
    assert typed([1, True], "list of path", lambda at: f"entry {at[0]}") == ["entry 0", "entry 1"]
    assert typed(None, "str or null", lambda at: "~") is None
    with pytest.raises(ValueError, match="got 2.5"):
        typed(2.5, "int or path", lambda at: "2.5")


def test_messages():
    with pytest.raises(ValueError, match=r"a list of 2 positive integers or null, got the text 'a'"):
        typed("a", "list of 2 positive int or null")
    assert [shown(value) for value in (None, True, 3, "a")] == ["null", "true", "3", "the text 'a'"]
    assert len(shown("9" * 5000)) < 100 and len(shown(10**400)) < 100


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (bool, "bool"),
        (int | None, "int or null"),
        (float | torch.Tensor, "float"),
        (str | Path, "str or path"),
        (Literal["a", "b", 3], "'a' or 'b' or 3"),
        (Annotated[int, "positive int"] | None, "positive int or null"),
        (tuple[int, int], "list of 2 int"),
        (tuple[float | torch.Tensor, float | torch.Tensor], "list of 2 float"),
        (tuple[float | None, float], "list of 2 any"),
        (tuple[int, ...], "list of int"),
        (Sequence[Sequence[int]], "list of list of int"),
        (Iterable[float | None], "list of (float or null)"),
        (Mapping[str, Any] | bool, "section or bool"),
        ("Iterable[int]", "list of int"),
        ("NoSuchName", "any"),
        (torch.nn.Module | None, "any"),
        (list, "list"),
    ],
)
def test_types_of_annotations(annotation, kind):
    assert kind_of(annotation) == kind


def test_arguments_of_a_part():
    class Part:
        def __init__(self, width: int, flag=False, other=3, *, name: str = "a", **rest) -> None: ...

    assert argument_kinds(Part) == {"width": "int", "flag": "bool", "other": "any", "name": "str"}
    assert checked_arguments(Part, {"width": 3.0, "other": "x"}, "model_cfg") == {"width": 3, "other": "x"}
    with pytest.raises(ConfigError, match=r"model_cfg\.part\.flag: .*'false'"):
        checked_arguments(Part, {"flag": "false"}, "model_cfg.part")
