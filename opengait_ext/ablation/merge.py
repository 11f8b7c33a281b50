"""Carrying what a row changes in one configuration over to another."""

import copy
from typing import Any


def carry_over(before: Any, after: Any, onto: Any) -> Any:
    """`onto` with the changes that lead from `before` to `after`; the three are left as they are.

    Dicts are compared key by key. Lists of losses or transforms are compared entry by entry: an entry goes by its
    `log_prefix`, else by its `type`; one that is gone from `after` goes from `onto`, a new one is added at the end.
    Any other value that differs is taken from `after`.
    """
    if all(isinstance(value, dict) for value in (before, after, onto)):
        kept = {key: value for key, value in onto.items() if key in after or key not in before}
        changed = [key for key in after if key not in before or after[key] != before[key]]
        carried = {key: carry_over(before.get(key), after[key], onto.get(key)) for key in changed}
        return copy.deepcopy(kept | carried)
    named = [_by_name(value) for value in (before, after, onto)]
    if all(entries is not None for entries in named):
        return list(carry_over(*named).values())
    return copy.deepcopy(after)


def first_difference(one: Any, other: Any, at: str = "") -> str | None:
    """Where two configurations differ first, and how: "trainer_cfg.seed is 0 and 1"; None if they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            if (found := first_difference(one.get(key), other.get(key), f"{at}.{key}" if at else str(key))) is not None:
                return found
        return None
    return None if one == other else f"{at} is {one!r} and {other!r}"


def _by_name(entries: Any) -> dict[str, Any] | None:
    """{name: entry} of a list of dicts with a name each; None for anything else."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    names = [entry.get("log_prefix", entry.get("type")) for entry in entries]
    return None if None in names or len(set(names)) < len(names) else dict(zip(names, entries, strict=True))
