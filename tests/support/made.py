"""Results made by hand: every way that a run can end, without running it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.case.axes import AXES, Axis
from convdiff.case.device import Device
from convdiff.case.load import built_in_case
from convdiff.compare.comparison import Comparison
from convdiff.compare.difference import Difference, measure
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding, outcome_of
from convdiff.errors import Place
from convdiff.plan.cell import Cell, Failure
from convdiff.report.commands import Commands
from convdiff.report.summary import Summary, summarise
from convdiff.result import CaseResult, Result
from convdiff.runtime.model import Interpreter, Runtime, Standing

RUNTIMES = tuple(
    Runtime(Interpreter("tensorflow", "python", settings=(("TF_X", value),)), Device("cpu"))
    for value in "12"
)
CELL = Cell(RUNTIMES[0], "conv2d", 7, 1)
GONE = Standing(
    Runtime(Interpreter("tensorflow", "python"), Device("gpu")),
    False,
    "there is no GPU",
    {"framework": "tensorflow", "version": "2", "threads": 1},
)


def drifted(length: int = 7, elements: int = 3, **changes: Any) -> Finding:
    """Return a length whose first elements differ from length 9's, and must not."""
    a = np.linspace(1, 2, elements + 1, dtype=np.float32).reshape(1, 1, -1, 1)
    b = np.nextafter(a, np.float32(3))
    b[..., -1, :] = a[..., -1, :]
    difference = measure(a, b, strict=True, most=elements)
    assert difference.worst is not None
    comparison = Comparison(
        "length",
        replace(CELL, length=9),
        replace(CELL, length=length),
        difference,
        exact=difference.worst.baseline,
    )
    return replace(Finding(comparison, "rounding", False, ("0.1 of the usual",)), **changes)


def same(axis: Axis = "length", **changes: Any) -> Finding:
    """Return a comparison that found the same bits."""
    sides = (replace(CELL, length=9), replace(CELL, length=8))
    return replace(Finding(Comparison(axis, *sides, Difference(4, 0)), "same", True), **changes)


def untested(reason: str = "the framework refused") -> Finding:
    """Return a comparison of which one side gave no bits."""
    cells = (replace(CELL, length=9), replace(CELL, length=5))
    return Finding(Comparison("length", *cells, None, reason), "untested", True, (reason,))


def failed(reason: str = "out of memory", *, op: Any = "conv2d", died: bool = False) -> Failure:
    """Return a cell that gave no bits."""
    return Failure(replace(CELL, op=op), reason, died)


def case_of(findings: Sequence[Finding], **changes: Any) -> CaseResult:
    """Return a case's result with the outcome that these findings and failures have."""
    failures = changes.get("failures", ())
    file = changes.pop("file", "made.yaml")
    places = {axis: Place(file, number, 3) for number, axis in enumerate((*AXES, "order"), 1)}
    named = {"name": changes.pop("name", "made"), "file": file, "places": places}
    case = replace(built_in_case(), built_in=False, **named)
    made = CaseResult(
        case, outcome_of(findings, failures), RUNTIMES, tuple(findings), (), None, failures
    )
    died = any(failure.died for failure in failures)
    return replace(made, **{"died": died, **changes})


def result_of(*cases: CaseResult, **changes: Any) -> Result:
    """Return a run's result, with both runtimes there."""
    standings = tuple(
        Standing(runtime, True, None, {"framework": "tensorflow", "version": "2", "threads": 1})
        for runtime in RUNTIMES
    )
    return replace(Result(standings, cases), **changes)


def summary_of(result: Result, again: str = "convdiff run again") -> Summary:
    """Return what reports are given of a result; every case is repeated with the same command."""
    commands = [Commands(again, search=f" {one.case.name}") for one in result.cases]
    return summarise(result, commands)


UNSTABLE = SafeLengths(RUNTIMES[0].id, 9, (9,), (7,), (), (7,), 3)
"""What makes a case drift without a comparison that does."""

ENDINGS = {
    "drift": result_of(case_of([same(), drifted()])),
    "a changed order": result_of(case_of([same("baseline", allowed=False, lock="changed")])),
    "unstable on random inputs": result_of(
        case_of([same()], outcome="drift", safe_lengths=(UNSTABLE,))
    ),
    "nothing compared": result_of(case_of([])),
    "only constants": result_of(case_of([same(verdict="mistrusted", evidence=("all zero",))])),
    "one side missing": result_of(case_of([untested()])),
    "cells without bits": result_of(case_of([same(), untested()], failures=(failed(),))),
    "a worker died in a cell": result_of(case_of([same()], failures=(failed(died=True),))),
    "a worker died in a probe": result_of(case_of([same()], died=True)),
    "drift, and a dead worker": result_of(case_of([drifted()], died=True)),
    "a required runtime missing": result_of(case_of([same()]), missing_required=(GONE,)),
    "interrupted in a case": result_of(case_of([same()], interrupted=True), signal=signal.SIGINT),
    "interrupted before any": result_of(signal=signal.SIGINT),
    "an interrupted case of no findings": result_of(
        case_of([], outcome="error", interrupted=True), signal=signal.SIGINT
    ),
    "no case at all": result_of(),
    "one bad case of many": result_of(case_of([same()]), case_of([drifted()]), case_of([same()])),
}
"""Results whose exit code is not 0, by what is amiss."""

FINE = {
    "same": result_of(case_of([same(), same("reference")])),
    "allowed": result_of(case_of([drifted(allowed=True)])),
    "a side untested": result_of(case_of([same(), untested()])),
    "no reference": result_of(case_of([same()], failures=(failed(op="manual"),))),
    "an entry unclaimed": result_of(case_of([same()]), unclaimed=("old-case",)),
    "a GPU missing": replace(
        result_of(case_of([same()])), standings=(*result_of().standings, GONE)
    ),
}
"""Results whose exit code is 0."""

HOSTILE = (
    "a|b `c` ``` <img src=x> [l](u) *s* _e_ &amp; \\| \\< $m$ #1 %0A ::error:: ,x:\\ ]]> é\u202e"
)
NASTY = HOSTILE + "\x00\x1b[31m\n\r\n## h\ud800\uffff\U0001f600"
"""What a name or a reason may hold to break a report."""


def nasty() -> Result:
    """Return a result whose every text tries to break the report."""
    finding = drifted(evidence=(NASTY,))
    case = case_of(
        [finding, untested(NASTY)],
        name=NASTY,
        file=str(Path(NASTY)).replace("\x00", ""),
        failures=(failed(NASTY, died=True),),
        notes=(NASTY,),
    )
    gone = replace(GONE, reason=NASTY)
    return result_of(case, missing_required=(gone,), unclaimed=(NASTY,))
