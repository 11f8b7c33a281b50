"""The rules by which one configuration overrides another.

Mappings are merged key by key, and any other value is replaced. A list whose entries are named, such as `loss_cfg` (by
`log_prefix`) or `transform` (by `type`), can also be changed entry by entry, with a mapping from names to changes:

    loss_cfg:
      mask: {loss_term_weight: 0.5}   # merged into the entry of that name
      smoothness: null                # removed
      entropy: {type: EntropyLoss, log_prefix: entropy}   # a new name: added at the end
"""

from typing import Any

from opengait.config.source import KeyPath, Origin, Origins, dotted, nearest, place_of
from opengait.errors import ConfigError
from opengait.utils.typed import shown


def merge(src: dict[str, Any], src_origins: Origins, dst: dict[str, Any], dst_origins: Origins) -> None:
    """Merge `src` over `dst` in place, and the origins of its keys over those of `dst`.

    Raises:
        ConfigError: `src` changes an entry of a list that does not exist.
    """
    _merge(src, src_origins, dst, dst_origins, ())


def entry_names(entries: Any) -> list[str] | None:
    """Return the names of a list's entries, `log_prefix` or otherwise `type`; None unless all names are distinct."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    names = [_name(entry) for entry in entries]
    return names if names and None not in names and len(set(names)) == len(names) else None


def _name(entry: dict[str, Any]) -> Any:
    return entry.get("log_prefix", entry.get("type"))


def _merge(src: dict[str, Any], src_origins: Origins, dst: dict[str, Any], dst_origins: Origins, at: KeyPath) -> None:
    for key, value in src.items():
        path, old = (*at, key), dst.get(key)
        if path in src_origins:
            dst_origins[path] = src_origins[path]
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(value, src_origins, old, dst_origins, path)
        elif isinstance(value, dict) and "type" not in value and isinstance(old, list) and entry_names(old):
            _merge_entries(value, src_origins, old, dst_origins, path)
        else:
            dst[key] = value
            _take(dst_origins, path)
            _put(dst_origins, path, _below(src_origins, path))


def _merge_entries(
    changes: dict[str, Any], src_origins: Origins, entries: list[Any], dst_origins: Origins, at: KeyPath
) -> None:
    list_origin = dst_origins.get(at)
    origins = _take(dst_origins, at)
    merged = {_name(entry): (entry, _below(origins, (index,))) for index, entry in enumerate(entries)}
    for name, change in changes.items():
        entry = f"{place_of((*at, name), src_origins)}: {dotted((*at, name))}"
        change_origins = _below(src_origins, (*at, name))
        if change is None:
            if name not in merged:
                raise ConfigError(f"{entry} removes an entry that does not exist; {_hint(name, merged)}")
            del merged[name]
        elif not isinstance(change, dict):
            raise ConfigError(
                f"{entry} is {shown(change)}; expected the keys of the entry to change, or null to remove it."
            )
        elif name in merged:
            merge(change, change_origins, *merged[name])
        elif _name(change) != name or "type" not in change:
            raise ConfigError(f"{entry} changes an entry that does not exist; {_hint(name, merged)}")
        else:
            merged[name] = (change, change_origins)
    entries[:] = [entry for entry, _ in merged.values()]
    if list_origin is not None:
        dst_origins[at] = list_origin
    for index, (_, entry_origins) in enumerate(merged.values()):
        _put(dst_origins, (*at, index), entry_origins)


def _hint(name: str, known: dict[str, Any]) -> str:
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"the entries are {', '.join(map(str, known))}."


def _below(origins: Origins, at: KeyPath) -> Origins:
    """Return the origins at and below a key, with paths relative to it."""
    return {path[len(at) :]: origin for path, origin in origins.items() if path[: len(at)] == at}


def _take(origins: Origins, at: KeyPath) -> Origins:
    """Remove the origins at and below a key, and return them with paths relative to it."""
    taken = _below(origins, at)
    for path in taken:
        del origins[*at, *path]
    return taken


def _put(origins: Origins, at: KeyPath, relative: Origins) -> None:
    origins.update({(*at, *path): origin for path, origin in relative.items()})


def set_value(config: dict[str, Any], origins: Origins, at: KeyPath, value: Any, origin: Origin) -> None:
    """Replace the value at a path whose parent exists."""
    parent: Any = config
    for key in at[:-1]:
        parent = parent[key]
    parent[at[-1]] = value
    _take(origins, at)
    origins[at] = origin
