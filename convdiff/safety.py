"""Which lengths are safe: equal on the case's input, then on random ones until it is no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from convdiff.compare.alignment import aligned
from convdiff.compare.difference import differs
from convdiff.diagnose.safe_lengths import SafeLengths, safe_lengths
from convdiff.diagnose.verdict import Finding
from convdiff.plan import Plan, most_trials, trial_cell
from convdiff.recording.observation import Cell
from convdiff.recording.spool import Spool
from convdiff.runtime.model import Runtime

Run = Callable[[Sequence[Cell]], None]
"""Runs more cells and keeps their observations in the spool."""


def find_safe_lengths(
    plan: Plan, findings: Sequence[Finding], spool: Spool, run: Run | None, strict: bool
) -> Iterator[SafeLengths]:
    """Yield each runtime's safe lengths.

    Two different orders of a few taps often round alike: as soon as one length is unsafe, all
    others get as many random trials as the case allows. `run` is None after an interrupt.
    """
    if len(plan.case.lengths) < 2:
        return
    for runtime in plan.runtimes:
        verdicts = _on_case_input(findings, runtime)
        tried = plan.trials
        _try(plan, runtime, verdicts, range(1, tried + 1), spool, strict)
        left = [length for length, safe in verdicts.items() if safe]
        more = range(tried + 1, most_trials(plan.case) + 1)
        if run is not None and len(left) < len(verdicts) and left and more:
            lengths = (plan.case.lengths[-1], *sorted(left, reverse=True))
            run([trial_cell(plan.case, runtime, n, trial) for n in lengths for trial in more])
            _try(plan, runtime, verdicts, more, spool, strict)
            tried = more[-1]
        yield safe_lengths(runtime.id, plan.case.lengths, verdicts, tried)


def _on_case_input(findings: Sequence[Finding], runtime: Runtime) -> dict[int, bool | None]:
    """Return for each length whether all its comparisons on the case's input were equal."""
    verdicts: dict[int, bool | None] = {}
    for finding in findings:
        comparison = finding.comparison
        if comparison.axis != "length" or comparison.candidate.runtime != runtime:
            continue
        length, difference = comparison.candidate.length, comparison.difference
        equal = None if difference is None else difference.differing == 0
        before = verdicts.get(length, True)
        verdicts[length] = False if False in (before, equal) else None if None in (
            before, equal) else True
    return verdicts


def _try(
    plan: Plan,
    runtime: Runtime,
    verdicts: dict[int, bool | None],
    trials: Iterable[int],
    spool: Spool,
    strict: bool,
) -> None:
    """Take from the safe lengths those that differ on a random input, or gave no bits there."""
    longest = plan.case.lengths[-1]
    for trial in trials:
        for length, safe in list(verdicts.items()):
            if safe:
                cell = trial_cell(plan.case, runtime, length, trial)
                verdicts[length] = _equal(cell, replace(cell, length=longest), spool, strict)


def _equal(candidate: Cell, baseline: Cell, spool: Spool, strict: bool) -> bool | None:
    a, b = spool.get(baseline), spool.get(candidate)
    if a is None or b is None or a.output is None or b.output is None:
        return None
    return not differs(*aligned(a.output, b.output), strict).any()
