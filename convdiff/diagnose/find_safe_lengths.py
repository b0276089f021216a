"""Which lengths are safe: equal on the case's input, then on random ones until it is no chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from convdiff.case.model import Case
from convdiff.compare.align import aligned, shared
from convdiff.compare.difference import differs
from convdiff.diagnose.safe_lengths import SafeLengths, safe_lengths
from convdiff.diagnose.verdict import Finding
from convdiff.lab.lab import Lab, NotAsked
from convdiff.plan.alike import longest_alike
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Plan
from convdiff.plan.trials import most_trials, trial_cell
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.convolution import Convolution

AGAIN = 8
"""Cells that differ on a random input and are run again, lest run-to-run noise be called length."""

Equal = dict[int, bool | None]
"""Whether each length's bits are the longest one's; None where that can't be said."""


def find_safe_lengths(
    plan: Plan, findings: Sequence[Finding], lab: Lab, *, strict: bool
) -> list[SafeLengths]:
    """Return each runtime's safe lengths; nothing where lengths or random inputs are missing."""
    if len(plan.case.lengths) < 2 or not plan.trials:
        return []
    return [_of_runtime(plan, runtime, findings, lab, strict) for runtime in plan.runtimes]


def _of_runtime(
    plan: Plan, runtime: Runtime, findings: Sequence[Finding], lab: Lab, strict: bool
) -> SafeLengths:
    """Try one runtime's lengths on random inputs.

    Two different orders of a few taps often round alike: as soon as one length is unsafe, all
    others get as many random trials as the case allows.
    """
    equal = _on_case_input(findings, runtime)
    first = {length: range(1, count + 1) for length, count in plan.trials.items()}
    unsafe = _try(plan, runtime, equal, first, lab, strict)
    tried, most = min(plan.trials.values()), most_trials(plan.case)
    safe = _safe(equal)
    if 0 < len(safe) < len(equal):
        held = {longest_alike(plan.case, length) for length in safe}
        more, cells = {}, []
        for length in sorted(held.union(safe), reverse=True):
            more[length] = range(plan.trials[length] + 1, most + 1)
            cells += [trial_cell(plan.case, runtime, length, number) for number in more[length]]
        _run(lab, cells)
        if not lab.log.signal:
            unsafe += _try(plan, runtime, equal, more, lab, strict)
            tried = most
    unstable, others = _unstable(unsafe, lab), _other_grids(plan.case)
    judged = safe_lengths(runtime.id, plan.case.lengths, equal, tried, unstable, others)
    return replace(judged, advised=not _is_mistaken(findings, runtime))


def _other_grids(case: Case) -> list[int]:
    """Return the longest length of each grid of windows that is not the longest one's."""
    longest = {length: longest_alike(case, length) for length in case.lengths[:-1]}
    held = {longer for length, longer in longest.items() if longer != length}
    return sorted(held - {case.lengths[-1]})


def _is_mistaken(findings: Sequence[Finding], runtime: Runtime) -> bool:
    """Return whether a mistake tells a runtime's lengths apart, or the longest one has it.

    The bits of the longest are then none to pad for.
    """
    wrong = [finding.comparison for finding in findings if finding.verdict == "wrong"]
    here = [one.axis for one in wrong if one.candidate.runtime == runtime]
    return not {"length", "exact"}.isdisjoint(here)


def _run(lab: Lab, cells: Sequence[Cell]) -> None:
    for _ in lab.observe(cells):
        pass


def _unstable(unsafe: Sequence[Cell], lab: Lab) -> list[int]:
    """Run a few of the cells that differed again: those that differ from themselves say nothing."""
    some = sorted(unsafe, key=lambda cell: cell.length)[:AGAIN]
    again = [replace(cell, repeat=cell.repeat + 1) for cell in some]
    _run(lab, again)
    unstable = []
    for cell, repeated in zip(some, again, strict=True):
        before, after = lab.bits(cell), lab.bits(repeated)
        if isinstance(before, NoBits) or isinstance(after, NoBits):
            continue
        if differs(before, after, strict=True).any():
            unstable.append(cell.length)
    return unstable


def _on_case_input(findings: Sequence[Finding], runtime: Runtime) -> Equal:
    """Return for each length whether all its comparisons on the case's input were equal."""
    equal: Equal = {}
    for finding in findings:
        comparison = finding.comparison
        if comparison.axis != "length" or comparison.candidate.runtime != runtime:
            continue
        length, difference = comparison.candidate.length, comparison.difference
        here = None if difference is None else difference.differing == 0
        equal[length] = _both(equal.get(length, True), here)
    return equal


def _safe(equal: Equal) -> list[int]:
    return [length for length, same in equal.items() if same]


def _both(one: bool | None, other: bool | None) -> bool | None:
    """Return `one and other` where None is unknown."""
    if one is False or other is False:
        return False
    if one is None or other is None:
        return None
    return True


def _try(
    plan: Plan,
    runtime: Runtime,
    equal: Equal,
    trials: Mapping[int, Iterable[int]],
    lab: Lab,
    strict: bool,
) -> list[Cell]:
    """Take from the safe lengths those that differ on a random input, or gave no bits there.

    Returns the cells that differ.
    """
    unsafe = []
    for length in _safe(equal):
        longest = longest_alike(plan.case, length)
        for trial in trials[length]:
            cell = trial_cell(plan.case, runtime, length, trial)
            baseline = replace(cell, length=longest)
            equal[length] = _equal(plan.case.conv, cell, baseline, lab, strict)
            if equal[length] is False:
                unsafe.append(cell)
            if not equal[length]:
                break
    return unsafe


def _equal(
    conv: Convolution, candidate: Cell, baseline: Cell, lab: Lab, strict: bool
) -> bool | None:
    a, b = lab.bits(baseline), lab.bits(candidate)
    if isinstance(a, NoBits) or isinstance(b, NoBits):
        return None
    what = f"comparing length {candidate.length} on random inputs"
    width = shared(conv, (baseline.length, candidate.length))
    differing = lab.compute(what, lambda: differs(*aligned(a, b, width), strict).any())
    return None if isinstance(differing, NotAsked) else not differing
