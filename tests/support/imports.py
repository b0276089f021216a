"""What the package's files import of each other, read from their text: nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from program import REPOSITORY

PACKAGE = REPOSITORY / "convdiff"


def sources() -> dict[str, Path]:
    """Return each module's file; a package's module is its `__init__.py`."""
    return {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports() -> dict[str, set[str]]:
    """Return what each module imports of ours, at whatever time and for whatever use.

    A submodule's name stands for itself, any other name for the module that it is taken from.
    """
    modules = sources()
    return {name: _imported(name, path, modules) for name, path in modules.items()}


def circles(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the modules that reach each other, one line a circle."""
    reach = {name: _reachable(name, graph) for name in graph}
    mutual = {
        frozenset(other for other in reach[name] if name in reach[other])
        for name in graph
        if name in reach[name]
    }
    return sorted(" <-> ".join(sorted(names)) for names in mutual)


def _name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, modules: Mapping[str, Path]) -> set[str]:
    targets: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = _home(node, name, path)
            targets |= {_target(home, alias.name, modules) for alias in node.names}
    return {target for target in targets if target in modules and target != name}


def _home(node: ast.ImportFrom, name: str, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    above = package[: len(package) - node.level + 1]
    return ".".join([*above, *filter(None, [node.module])])


def _target(home: str, name: str, modules: Mapping[str, Path]) -> str:
    inner = f"{home}.{name}"
    return inner if inner in modules else home


def _reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = list(graph[start])
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead.extend(graph[name])
    return reached
