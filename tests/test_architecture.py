"""The architecture's rules about imports; see docs/architecture.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

ENGINE, EXTENSION = "opengait", "opengait_ext"
FACADE = f"{ENGINE}.utils"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for package in (ENGINE, EXTENSION) for path in (ROOT / package).rglob("*.py")}


def imported_names(module: str) -> Iterator[str]:
    """Yield the dotted names in all import statements of a module, including those inside functions."""
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base += [node.module] if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def target(name: str) -> str:
    """Return the project's module that an imported name belongs to, or an empty string."""
    while name and name not in FILES:
        name = name.rpartition(".")[0]
    return name


IMPORTS = {
    module: {imported for name in imported_names(module) if (imported := target(name)) and imported != module}
    for module in FILES
}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of nodes that reach each other."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting.extend(graph.get(node, ()))
        reached[start] = seen
    groups = [{node} | {other for other in reached[node] if node in reached.get(other, ())} for node in graph]
    return [group for position, group in enumerate(groups) if len(group) > 1 and group not in groups[:position]]


def rooms_of(folder: str) -> dict[str, set[str]]:
    """Return the imports between the files and sub-folders of a folder, each of which is one room.

    An `__init__.py` re-exports the modules below it and does not count as a room.
    """

    def room(module: str) -> str | None:
        if module == folder or not module.startswith(f"{folder}."):
            return None
        return module.removeprefix(f"{folder}.").partition(".")[0]

    graph: dict[str, set[str]] = {}
    for module, targets in IMPORTS.items():
        if (source := room(module)) is not None and module != FACADE:
            graph.setdefault(source, set()).update({room(name) for name in targets} - {None, source})
    return graph


def test_no_circle_of_files():
    assert circles(IMPORTS) == []


@pytest.mark.parametrize("folder", sorted(name for name, path in FILES.items() if path.name == "__init__.py"))
def test_no_circle_of_rooms(folder):
    assert circles(rooms_of(folder)) == []


def test_circles_are_detected():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]


def test_the_engine_does_not_import_its_facade():
    assert [module for module, targets in IMPORTS.items() if FACADE in targets] == []


def test_the_engine_does_not_import_its_extensions():
    assert [
        m for m, targets in IMPORTS.items() if m.startswith(f"{ENGINE}.") and any(EXTENSION in f for f in targets)
    ] == []


def test_a_method_imports_only_shared_parts():
    def method(module: str) -> str | None:
        name = module.removeprefix(f"{EXTENSION}.models.").partition(".")[0] if ".models." in module else None
        return None if name == "shared" or not module.startswith(f"{EXTENSION}.") else name

    crossed = {
        (module, name)
        for module, targets in IMPORTS.items()
        for name in targets
        if method(module) and method(name) and method(module) != method(name)
    }
    upward = {m for m, targets in IMPORTS.items() if ".models.shared" in m and any(method(name) for name in targets)}
    assert crossed == set() and upward == set()


def test_no_test_imports_another_test():
    pattern = re.compile(r"^\s*(from|import) tests\.(\w+\.)*test_", re.MULTILINE)
    assert [path for path in (ROOT / "tests").rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))] == []
