"""Registries: adding parts, replacing them temporarily, and looking them up."""

import pytest

from opengait.errors import ConfigError
from opengait.registry import Parts


class Mine:
    pass


@pytest.fixture
def parts():
    return Parts("loss", "opengait.modeling.losses")


def test_added_parts_take_precedence(parts):
    assert parts.get("TripletLoss").__module__ == "opengait.modeling.losses.triplet"
    parts.add(Mine, "TripletLoss")
    assert parts.get("TripletLoss") is Mine and "TripletLoss" in parts
    with pytest.raises(ConfigError, match="already a loss called TripletLoss"):
        parts.add(type("Other", (), {}), "TripletLoss")


def test_a_temporary_part(parts):
    parts.add(Mine)
    with parts.temporarily(int, "Mine") as part, parts.temporarily(str):
        assert part is int and parts.get("Mine") is int and parts.get("str") is str
    assert parts.get("Mine") is Mine and "str" not in parts
    with pytest.raises(ZeroDivisionError), parts.temporarily(int):
        raise ZeroDivisionError
    assert "int" not in parts


def test_errors_for_unknown_names_list_similar_ones(parts):
    with pytest.raises(ConfigError, match="'TripletLos'; did you mean TripletLoss"):
        parts.get("TripletLos")
