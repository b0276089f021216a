"""The order of the rooms: imports go down, never up; an exception is listed here until mended."""

from __future__ import annotations

import ast

import pytest
from imports import circles, imports, sources

from convdiff.report.formats import FORMATS
from convdiff.worker.ops import OPS, REFERENCE

ROOMS = (
    "errors",
    "atomic",
    "worker",
    "numerics",
    "case",
    "runtime",
    "plan",
    "compare",
    "order",
    "behaviour",
    "lab",
    "recording",
    "diagnose",
    "result",
    "pipeline",
    "comparing",
    "explaining",
    "search",
    "net",
    "report",
    "testing",
    "api",
    "convdiff",
    "cli",
    "__main__",
)
"""From the ground up: a room knows those before it. `convdiff` is the package's `__init__`."""

UP = {
    "convdiff.recording.encode -> convdiff",
    "convdiff.report.json -> convdiff",
    "convdiff.testing.pytest_plugin -> convdiff.cli.options",
    "convdiff.testing.pytest_plugin -> convdiff.cli.recordings",
    "convdiff.testing.pytest_plugin -> convdiff.cli.commands",
    "convdiff.testing.pytest_plugin -> convdiff.cli.session",
}
"""Imports that still go up. The list only shrinks: who mends one takes its line out. Instead of a
new one, move what both need into the lower room, or hand it down as an argument."""

CIRCLES: set[str] = set()
"""Files of one room that import each other. The list only shrinks."""

PRESENTERS = {"console", *(format.name for format in FORMATS)}
"""Of report/: what presents one format each."""


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def rank(module: str) -> int:
    assert room(module) in ROOMS, f"{module} has no place in ROOMS"
    return ROOMS.index(room(module))


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return imports()


def edges(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    return [(name, target) for name, targets in graph.items() for target in targets]


def check_exact(actual: set[str], listed: set[str]) -> None:
    """Hold a list to what is: nothing new, and nothing that was mended meanwhile."""
    new, mended = sorted(actual - listed), sorted(listed - actual)
    assert not new, "new: see what tests/test_rooms.py says of this list"
    assert not mended, "no more: take these out of the list in tests/test_rooms.py"


@pytest.mark.slow
def test_imports_go_down_the_rooms(graph):
    up = {f"{name} -> {target}" for name, target in edges(graph) if rank(name) < rank(target)}
    check_exact(up, UP)


def test_every_room_is_there(graph):
    check_exact({room(name) for name in graph}, set(ROOMS))


def test_the_worker_knows_nothing_of_the_rest(graph):
    known = {target for name, target in edges(graph) if room(name) == "worker"}
    assert {room(target) for target in known} <= {"worker"}


def test_no_files_of_a_room_import_each_other(graph):
    inside = {
        name: {target for target in targets if room(target) == room(name)}
        for name, targets in graph.items()
    }
    check_exact(set(circles(inside)), CIRCLES)


def in_report(module: str) -> str:
    """Return the name of a file or folder of report/, or nothing for what is elsewhere."""
    parts = module.split(".")
    return parts[2] if room(module) == "report" and len(parts) > 2 else ""


def test_no_presenter_is_known_to_another(graph):
    known = set()
    for name, target in edges(graph):
        source, presenter = in_report(name), in_report(target)
        if source and presenter in PRESENTERS and source != presenter:
            known.add(f"{source} -> {target.removeprefix('convdiff.report.')}")
    assert not known, "what two presenters need is a file of its own"


def names_an_op(node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    compared: list[ast.expr] = []
    for operand in (node.left, *node.comparators):
        compared += (
            operand.elts if isinstance(operand, ast.Tuple | ast.List | ast.Set) else [operand]
        )
    names = (*OPS, REFERENCE)
    return any(isinstance(part, ast.Constant) and part.value in names for part in compared)


@pytest.mark.slow
def test_nothing_asks_for_an_op_by_name():
    """Tables do: `convdiff.worker.ops`, and what a cell says of itself."""
    naming = []
    for name, path in sources().items():
        tree = ast.parse(path.read_text("utf-8"))
        if any(names_an_op(node) for node in ast.walk(tree)):
            naming.append(name)
    assert not naming
