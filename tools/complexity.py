"""Holds the package to plain code; `make check` runs it and fails where a limit is passed.

Complexity is cyclomatic, as radon counts it for functions, methods and classes. Also counted is
what plain statements say better: a conditional expression inside another, a comprehension with two
conditions (or with one over two loops), a function that fills more than a screen.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radon.complexity import cc_visit_ast

ROOT = Path(__file__).parents[1]
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Function = ast.FunctionDef | ast.AsyncFunctionDef

MEAN_COMPLEXITY = 3.5
HIGHEST_COMPLEXITY = 12
LONGEST_FUNCTION = 40
"""Lines, from `def` to the last."""
NESTED_CONDITIONALS = 0
DENSE_COMPREHENSIONS = 0
LONG_FUNCTIONS = 0
"""How many there may be."""


@dataclass(frozen=True)
class Limit:
    """What is counted, how much of it there may be, and the places that add to it."""

    what: str
    value: float
    most: float
    places: Sequence[str] = ()


def main() -> int:
    """Print each limit beside what is there; return 1 where one is passed."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted_sources()}
    limits = [*complexity(trees), *density(trees)]
    for limit in limits:
        passed = limit.value > limit.most
        print(
            f"{'FAIL' if passed else 'ok':<5}{limit.what}: {limit.value:g}, at most {limit.most:g}"
        )
        for place in limit.places if passed else ():
            print(f"     {place}")
    return int(any(limit.value > limit.most for limit in limits))


def sorted_sources() -> list[Path]:
    """Return the package's files."""
    return sorted((ROOT / "convdiff").rglob("*.py"))


def complexity(trees: dict[Path, ast.Module]) -> list[Limit]:
    """Return the mean over all blocks, and the highest with those that are over the limit."""
    blocks = []
    for path, tree in trees.items():
        for block in cc_visit_ast(tree):
            blocks.append((block.complexity, f"{place(path, block.lineno)} {block.fullname}"))
    mean = sum(value for value, _ in blocks) / len(blocks)
    high = [f"{where} has {value}" for value, where in blocks if value > HIGHEST_COMPLEXITY]
    return [
        Limit("mean complexity", round(mean, 2), MEAN_COMPLEXITY),
        Limit("highest complexity", max(blocks)[0], HIGHEST_COMPLEXITY, high),
    ]


def density(trees: dict[Path, ast.Module]) -> list[Limit]:
    """Return what plain statements would say better, with where it is."""
    nested, dense, long = [], [], []
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if is_nested(node):
                nested.append(place(path, node.lineno))
            elif is_dense(node):
                dense.append(place(path, node.lineno))
            elif is_long(node):
                long.append(f"{place(path, node.lineno)} {node.name}")
    return [
        Limit("nested conditional expressions", len(nested), NESTED_CONDITIONALS, nested),
        Limit("comprehensions with two conditions", len(dense), DENSE_COMPREHENSIONS, dense),
        Limit(f"functions over {LONGEST_FUNCTION} lines", len(long), LONG_FUNCTIONS, long),
    ]


def is_nested(node: ast.AST) -> bool:
    """Tell whether a conditional expression is a direct part of this one."""
    if not isinstance(node, ast.IfExp):
        return False
    return any(isinstance(part, ast.IfExp) for part in (node.test, node.body, node.orelse))


def is_dense(node: ast.AST) -> bool:
    """Tell whether a comprehension has two conditions, or one over two loops."""
    if not isinstance(node, Comprehension):
        return False
    conditions = sum(len(loop.ifs) for loop in node.generators)
    return conditions > 1 or (conditions == 1 and len(node.generators) > 1)


def is_long(node: ast.AST) -> bool:
    """Tell whether a function has more lines than it may."""
    if not isinstance(node, Function):
        return False
    return (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION


def place(path: Path, line: int) -> str:
    """Return where it is, as editors and compilers write it."""
    return f"{path.relative_to(ROOT)}:{line}"


if __name__ == "__main__":
    sys.exit(main())
