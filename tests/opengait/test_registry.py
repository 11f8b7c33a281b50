"""Registries: adding, replacing for a while, and looking names up."""

import pytest

from opengait.errors import ConfigError
from opengait.registry import Parts


class Mine:
    pass


@pytest.fixture
def parts():
    return Parts("loss", "opengait.modeling.losses")


def test_added_parts_come_first(parts):
    assert parts.get("TripletLoss").__module__ == "opengait.modeling.losses.triplet"
    parts.add(Mine, "TripletLoss")
    assert parts.get("TripletLoss") is Mine and "TripletLoss" in parts
    with pytest.raises(ConfigError, match="already a loss called TripletLoss"):
        parts.add(type("Other", (), {}), "TripletLoss")


def test_a_part_for_a_while(parts):
    parts.add(Mine)
    with parts.temporarily(int, "Mine") as part, parts.temporarily(str):
        assert part is int and parts.get("Mine") is int and parts.get("str") is str
    assert parts.get("Mine") is Mine and "str" not in parts
    with pytest.raises(ZeroDivisionError), parts.temporarily(int):
        raise ZeroDivisionError
    assert "int" not in parts


def test_unknown_names_list_the_nearest(parts):
    with pytest.raises(ConfigError, match="'TripletLos'; did you mean TripletLoss"):
        parts.get("TripletLos")
