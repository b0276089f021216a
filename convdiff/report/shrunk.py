"""The least case of a search: as a case file, as a script, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convdiff.case.words import given
from convdiff.case.write import text_of
from convdiff.report.numbers import count
from convdiff.report.script import script
from convdiff.runtime.model import Runtime
from convdiff.search.shrink import Shrunk, size_of


def sentences(least: Shrunk) -> Iterator[str]:
    """Yield what became of it."""
    yield f"{_shows(least)}: {size_of(least.before)} before, {size_of(least.problem)} now"
    end = "more --runs may find less"
    if least.is_minimal:
        end = "no single step makes it smaller"
    yield f"{count(least.runs)} cases run; {end}"


def case_text(least: Shrunk) -> str:
    """Return the least case as a file."""
    return text_of(least.problem.case, least.problem.tensors, [_shows(least)])


def script_text(least: Shrunk, fingerprints: Mapping[Runtime, Mapping[str, Any]]) -> str:
    """Return it as a script of its own. Raises ConvdiffError for what no script is written of."""
    problem, title = least.problem, f"{_shows(least)}."
    return script(problem.case, problem.tensors, least.cells, fingerprints, title)


def _shows(least: Shrunk) -> str:
    """Say what it shows: the verdict and cause, and between which two."""
    signature, (one, other) = least.target.signature, least.cells
    sides = f"{one.runtime.id} and {other.runtime.id}"
    if one.runtime == other.runtime:
        sides = one.runtime.id
    axis = {
        "length": f" at lengths {other.length} and {one.length}",
        "batch": f" in batches of {other.batch} and {one.batch}",
        "channels": f" with {other.channels} filters and with all",
    }.get(signature.axis, "")
    return f"{sides}{axis}: {signature.words}{given(signature.is_proved, ', proved by replay')}"
