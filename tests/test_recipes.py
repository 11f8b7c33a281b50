"""The gait models' configurations hold OpenGait's values, but for the departures that their headers name."""

import re
from typing import Any

import pytest
import yaml

from opengait.config import load_config
from tests.paths import GOLDEN_DIR, ROOT

RECIPES = yaml.safe_load((GOLDEN_DIR / "opengait/recipes.yaml").read_text())
HEADER = re.compile(r"# Departures from OpenGait's (?P<recipe>[\w/.-]+\.yaml)[^\n]*:\n(?P<lines>(?:#   \S[^\n]*\n)+)")
PLAIN = {"gaitbase/gaitbase_da_casiab", "gaitset/gaitset"}
DEPARTING = {
    *("biggait/ccpg", "biggait/sustech1k", "biggait/ccgr_mini", "biggait/hitsz"),
    *("biggergait/ccpg", "biggergait/ccpg_layers", "biggergait/hitsz", "gaitbase/hitsz", "gaitset/hitsz"),
}


def recipe_of(name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the recipe of one of our configurations, and the keys in which its header says that it departs."""
    if name in PLAIN:
        return RECIPES[f"{name}.yaml"], []
    match = HEADER.search((ROOT / f"configs/{name}.yaml").read_text())
    assert match is not None, f"{name} names no recipe"
    keys = [key.strip() for line in match["lines"].splitlines() for key in line[1:].partition(":")[0].split(",")]
    return RECIPES[match["recipe"]], keys


def leaves(value: Any, at: str) -> dict[str, Any]:
    """Return the values below a mapping by dotted key; a list is one value."""
    if not isinstance(value, dict):
        return {at: value}
    found: dict[str, Any] = {}
    for key, entry in value.items():
        found |= leaves(entry, f"{at}.{key}" if at else key)
    return found


def default_of(key: str) -> Any:
    """Return what upstream assumes where neither the file nor the defaults have the key."""
    return False if key == "data_cfg.remove_no_gallery" else None


def differing(name: str, recipe: dict[str, Any]) -> set[str]:
    ours = leaves(load_config(ROOT / f"configs/{name}.yaml"), "")
    return {key for key, value in leaves(recipe, "").items() if ours.get(key, default_of(key)) != value}


def covers(departure: str, key: str) -> bool:
    return key == departure or key.startswith(f"{departure}.")


@pytest.mark.parametrize("name", sorted(PLAIN | DEPARTING))
def test_only_the_named_keys_depart_from_the_recipe(name):
    recipe, departures = recipe_of(name)
    keys = differing(name, recipe)
    assert {key for key in keys if not any(covers(departure, key) for departure in departures)} == set()
    assert [departure for departure in departures if not any(covers(departure, key) for key in keys)] == []


def test_every_configuration_of_a_gait_model_has_a_recipe():
    folders = ("biggait", "biggergait", "gaitbase", "gaitset")
    names = {f"{path.parent.name}/{path.stem}" for folder in folders for path in (ROOT / "configs" / folder).iterdir()}
    # On BUPTCampus they differ from HITSZ-VCM in their data only.
    assert names == PLAIN | DEPARTING | {f"{folder}/bupt" for folder in folders}


def test_a_changed_value_is_noticed():
    recipe, departures = recipe_of("biggait/ccpg")
    changed = {**recipe, "optimizer_cfg": {**recipe["optimizer_cfg"], "lr": 0.2}}
    assert differing("biggait/ccpg", changed) - set(departures) == {"optimizer_cfg.lr"}
