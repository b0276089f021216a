"""Which lengths are safe: equal on the case's input, then on random ones until it is no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from convdiff.compare.align import aligned
from convdiff.compare.difference import differs
from convdiff.diagnose.safe_lengths import SafeLengths, safe_lengths
from convdiff.diagnose.verdict import Finding
from convdiff.lab.store import Spool
from convdiff.plan.cell import Cell
from convdiff.plan.expand import Plan, most_trials, trial_cell
from convdiff.runtime.model import Runtime

AGAIN = 8
"""Cells that differ on a random input and are run again, lest run-to-run noise be called length."""

Run = Callable[[Sequence[Cell]], None]
"""Runs more cells and keeps their observations in the spool."""


def find_safe_lengths(
    plan: Plan, findings: Sequence[Finding], spool: Spool, run: Run | None, strict: bool
) -> Iterator[SafeLengths]:
    """Yield each runtime's safe lengths.

    Two different orders of a few taps often round alike: as soon as one length is unsafe, all
    others get as many random trials as the case allows. `run` is None after an interrupt.
    """
    if len(plan.case.lengths) < 2 or not plan.trials:
        return
    for runtime in plan.runtimes:
        verdicts = _on_case_input(findings, runtime)
        first = {t: range(1, n + 1) for t, n in plan.trials.items()}
        unsafe = _try(plan, runtime, verdicts, first, spool, strict)
        tried, most = min(plan.trials.values()), most_trials(plan.case)
        left = sorted((length for length, safe in verdicts.items() if safe), reverse=True)
        if run is not None and left and len(left) < len(verdicts):
            more = {t: range(plan.trials[t] + 1, most + 1) for t in (plan.case.lengths[-1], *left)}
            run(
                [trial_cell(plan.case, runtime, t, n) for t, trials in more.items() for n in trials]
            )
            unsafe += _try(plan, runtime, verdicts, more, spool, strict)
            tried = most
        unstable = [] if run is None else _unstable(unsafe, spool, run)
        yield safe_lengths(runtime.id, plan.case.lengths, verdicts, tried, unstable)


def _unstable(unsafe: Sequence[Cell], spool: Spool, run: Run) -> list[int]:
    """Run a few of the cells that differed again: those that differ from themselves say nothing."""
    some = sorted(unsafe, key=lambda cell: cell.length)[:AGAIN]
    before = {cell: spool.get(cell) for cell in some}
    if some:
        run(some)
    found = []
    for cell, first in before.items():
        again = spool.get(cell)
        if first is None or again is None or first.output is None or again.output is None:
            continue
        if differs(first.output, again.output, strict=True).any():
            found.append(cell.length)
    return found


def _on_case_input(findings: Sequence[Finding], runtime: Runtime) -> dict[int, bool | None]:
    """Return for each length whether all its comparisons on the case's input were equal."""
    verdicts: dict[int, bool | None] = {}
    for finding in findings:
        comparison = finding.comparison
        if comparison.axis != "length" or comparison.candidate.runtime != runtime:
            continue
        length, difference = comparison.candidate.length, comparison.difference
        equal = None if difference is None else difference.differing == 0
        both = (verdicts.get(length, True), equal)
        verdicts[length] = False if False in both else None if None in both else True
    return verdicts


def _try(
    plan: Plan,
    runtime: Runtime,
    verdicts: dict[int, bool | None],
    trials: Mapping[int, Iterable[int]],
    spool: Spool,
    strict: bool,
) -> list[Cell]:
    """Take from the safe lengths those that differ on a random input, or gave no bits there.

    Returns the cells that differ.
    """
    longest, unsafe = plan.case.lengths[-1], []
    for length in [length for length, safe in verdicts.items() if safe]:
        for trial in trials[length]:
            cell = trial_cell(plan.case, runtime, length, trial)
            verdicts[length] = _equal(cell, replace(cell, length=longest), spool, strict)
            if verdicts[length] is False:
                unsafe.append(cell)
            if not verdicts[length]:
                break
    return unsafe


def _equal(candidate: Cell, baseline: Cell, spool: Spool, strict: bool) -> bool | None:
    a, b = spool.get(baseline), spool.get(candidate)
    if a is None or b is None or a.output is None or b.output is None:
        return None
    return not differs(*aligned(a.output, b.output), strict).any()
