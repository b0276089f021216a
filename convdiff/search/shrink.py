"""The smallest case that still shows the same verdict and cause."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from convdiff.case.arrays import Tensors
from convdiff.case.axes import Axis
from convdiff.case.model import Allowance, Case
from convdiff.case.words import plural
from convdiff.diagnose.verdict import Finding
from convdiff.lab.live import LiveLab
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.pipeline import Ask, examine
from convdiff.plan.cell import Cell
from convdiff.plan.plan import Pair, Plan
from convdiff.result import CaseResult
from convdiff.runtime.model import Runtime
from convdiff.search.kept import Kept
from convdiff.search.ledger import Value
from convdiff.search.plainer import plainer
from convdiff.search.reduce import reduce
from convdiff.search.signature import Signature, signature_of
from convdiff.search.smaller import Problem, smaller

MOST = 200
"""Runs that a search takes, unless it is told otherwise."""


@dataclass(frozen=True)
class Target:
    """The comparison whose kind of difference is to stay."""

    axis: Axis
    cells: tuple[Cell, Cell]
    """Baseline and candidate."""
    signature: Signature


@dataclass(frozen=True)
class Shrunk:
    """The least case that was found, and what it shows."""

    problem: Problem
    target: Target
    runs: int
    """How many cases were run, the first included, by this search or by one before."""
    is_minimal: bool
    """No single step is left untried."""
    before: Problem

    @property
    def cells(self) -> tuple[Cell, Cell]:
        """What is compared in it: baseline and candidate."""
        return _cells_of(self.problem.case, self.target)


class Shrinker:
    """Runs ever smaller problems on a session's workers."""

    def __init__(
        self,
        target: Target,
        session: Session,
        fingerprints: Mapping[Runtime, Mapping[str, Any]],
        ask: Ask,
        watch: Watch,
        kept: Kept,
    ) -> None:
        self.target, self._session, self._fingerprints = target, session, fingerprints
        self._ask, self._watch, self._kept = ask, watch, kept
        self._runs = 0

    def shows(self, problem: Problem) -> bool | None:
        """Return whether a problem shows what the target does; None once it is stopped."""
        self._runs += 1
        target = self.target
        asked = (target.axis, target.cells, self._ask)
        work = partial(self._examined, problem)
        value = self._kept.step("shrink", problem.case, problem.tensors, asked, work)
        if value is None or self._session.signal:
            return None
        what = f"{problem.case.name}: shrinking, {self._runs:,} runs: {size_of(problem)}"
        self._watch.tell(what)
        return target.signature.told in value["shown"]

    def _examined(self, problem: Problem) -> Value | None:
        """Return what the one pair of a problem shows; None where it was cut short."""
        result = self._result(problem)
        if result.interrupted:
            return None
        return {"shown": [one.told for one in filter(None, map(signature_of, result.findings))]}

    def _result(self, problem: Problem) -> CaseResult:
        """Compare the one pair of a problem, and diagnose it."""
        case, tensors = problem.case, problem.tensors
        budget, watch = self._ask.budget, self._watch
        lab = LiveLab(case, tensors, self._session, self._fingerprints, budget, watch, whole=True)
        with closing(lab):
            return examine(plan_of(case, self.target), lab, tensors, self._ask)


def shrink(start: Problem, most: int, shrinker: Shrinker) -> Shrunk | None:
    """Return the least problem that shows the target; None where `start` does not."""
    if not shrinker.shows(start):
        return None
    least = reduce(start, _moves, lambda one: one.key, shrinker.shows, most - 1)
    return Shrunk(least.least, shrinker.target, least.tried + 1, least.is_minimal, start)


def _moves(problem: Problem) -> Iterator[Problem]:
    yield from smaller(problem)
    yield from plainer(problem)


def target_of(finding: Finding) -> Target:
    """Return what is to stay of a finding, whose sides differ."""
    comparison, signature = finding.comparison, signature_of(finding)
    assert signature is not None, "a search is for a difference"
    return Target(comparison.axis, comparison.cells, signature)


def size_of(problem: Problem) -> str:
    """Say how large a problem is."""
    case = problem.case
    outputs = math.prod(case.conv.output_shape(case.batches[-1], case.height, case.lengths[0]))
    return f"{plural(case.conv.taps, 'tap')}, {plural(outputs, 'output')}"


def plan_of(case: Case, target: Target) -> Plan:
    """Return the one comparison of a case that a search looks at."""
    baseline, candidate = _cells_of(case, target)
    runtimes = tuple(dict.fromkeys((baseline.runtime, candidate.runtime)))
    return Plan(case, runtimes, (baseline, candidate), (Pair(target.axis, baseline, candidate),))


def _cells_of(case: Case, target: Target) -> tuple[Cell, Cell]:
    """Return the target's cells at a case's own lengths, batches and channels."""
    one, other = target.cells
    length, batch = case.lengths[-1], case.batches[-1]
    baseline = replace(one, length=length, batch=batch)
    smaller = {
        "length": {"length": case.lengths[0], "batch": batch},
        "batch": {"length": length, "batch": case.batches[0]},
    }.get(target.axis, {"length": length, "batch": batch})
    channels = case.channels_out[0] if case.channels_out else 0
    candidate = replace(other, channels=channels, **smaller)  # type: ignore[arg-type]
    return baseline, candidate


def problem_of(case: Case, tensors: Tensors, target: Target) -> Problem:
    """Return the target's comparison of a case as a problem of its own: bitwise, and no more."""
    cells = target.cells
    one = replace(
        case,
        lengths=_values(cell.length for cell in cells),
        batches=_values(cell.batch for cell in cells),
        channels_out=tuple(sorted({cell.channels for cell in cells} - {0})),
        devices=tuple(dict.fromkeys(cell.runtime.device for cell in cells)),
        repeat=2 if target.axis == "repeat" else 1,
        expect={**case.expect, target.axis: Allowance("bitwise")},
        layout="nhwc",
        built_in=False,
    )
    return Problem(one, tensors.upto(one.batches[-1], one.lengths[-1]))


def _values(numbers: Sequence[int] | Iterator[int]) -> tuple[int, ...]:
    return tuple(sorted(set(numbers)))
