"""From comparisons to findings: decide what to probe, then judge each with what probes found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from convdiff.behaviour.behaviour import Behaviour
from convdiff.behaviour.known_faults import fit_data
from convdiff.case.model import Case
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.evidence import Evidence, Side, SideFact
from convdiff.diagnose.verdict import Finding, accepts, allowance_of, judge
from convdiff.diagnose.verdicts import Verdict
from convdiff.lab.lab import Lab, NotAsked
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.cost import HEAVY, products

SAMPLED_SHAPES = 3
"""Shapes probed for each (runtime, op) where all differences have the usual size of rounding."""
UNKNOWN = Behaviour(None, None)
LEFT_OPEN: Mapping[Verdict, str] = {
    "rounding": "",
    "wrong": " (sums in fewer bits may look like this, too)",
}
"""What a verdict by size alone leaves open."""

Behaviours = Mapping[Cell, Behaviour | NotAsked]
"""What probes found in the cells that were to be probed."""
Answers = tuple[Behaviour | NotAsked | None, Behaviour | NotAsked | None]
"""What probes found of both sides."""


def behaviours(case: Case, comparisons: Sequence[Comparison], lab: Lab) -> Behaviours:
    """Probe what a verdict needs; what differs from itself is not worth a probe."""
    unstable = unstable_cells(comparisons)
    cells = cells_to_probe(case, comparisons)
    return {cell: lab.behaviour(cell) for cell in cells if cell not in unstable}


def diagnose(
    case: Case, comparisons: Sequence[Comparison], probed: Behaviours, lab: Lab
) -> list[Finding]:
    """Return a finding for each comparison, in order."""
    unstable = unstable_cells(comparisons)
    return [_finding(case, comparison, probed, unstable, lab) for comparison in comparisons]


def unstable_cells(comparisons: Iterable[Comparison]) -> set[Cell]:
    """Return the cells whose repeats gave other bits."""
    return {c.baseline for c in comparisons if c.axis == "repeat" and _differs(c)}


def unusual(comparison: Comparison) -> bool:
    """Return whether a comparison is more than an everyday rounding difference."""
    if comparison.mismatch:
        return True
    difference = comparison.difference
    if difference is None or not difference.differing:
        return False
    return comparison.screen_ratio > 1 or bool(difference.appeared)


def cells_to_probe(case: Case, comparisons: Sequence[Comparison]) -> list[Cell]:
    """Return both sides of all that is unusual, and a sample of the rest for each (runtime, op)."""
    questions = list(filter(_is_question, comparisons))
    wanted = dict.fromkeys(_sides(filter(unusual, questions)))
    sampled: dict[tuple[str, str], int] = {}
    for cell in _sides(sorted(questions, key=lambda c: -c.screen_ratio)):
        kind = (cell.runtime.id, cell.op)
        enough = sampled.get(kind, 0) >= SAMPLED_SHAPES
        if cell not in wanted and not enough and products(case, cell) <= HEAVY:
            sampled[kind] = sampled.get(kind, 0) + 1
            wanted[cell] = None
    return list(wanted)


def _is_question(comparison: Comparison) -> bool:
    """Return whether probes are to say what a comparison found.

    Sums are off the exact result everywhere: that alone is not worth a probe.
    """
    if comparison.axis in ("repeat", "exact"):
        return comparison.axis == "exact" and unusual(comparison)
    return comparison.mismatch or _differs(comparison)


def _sides(comparisons: Iterable[Comparison]) -> Iterator[Cell]:
    """Yield the cells that were run: nobody can ask the exact result."""
    for comparison in comparisons:
        if not comparison.baseline.is_exact:
            yield comparison.baseline
        yield comparison.candidate


def _differs(comparison: Comparison) -> bool:
    return comparison.difference is not None and comparison.difference.differing > 0


def _finding(
    case: Case, comparison: Comparison, probed: Behaviours, unstable: set[Cell], lab: Lab
) -> Finding:
    """Judge one comparison."""
    answers = _answers(comparison, probed)
    baseline, candidate = _known(answers[0]), _known(answers[1])
    apart = _told_apart(comparison, baseline, candidate)
    fits = None if apart else candidate.fits or baseline.fits
    if fits is None and comparison.screen_ratio > 1:
        fits = _fit_data(case, comparison, lab)
    noisy = not unstable.isdisjoint(_sides([comparison]))
    verdict, evidence = judge(comparison, baseline.traits, candidate.traits, noisy, fits)
    evidence = (*evidence, *apart)
    silent = _is_silent(answers[0]) or _is_silent(answers[1])
    if verdict == "rounding":
        evidence = _doubts(comparison, answers, evidence, silent=silent)
    if verdict == _by_size_alone(comparison, fits):
        evidence = (*evidence, *_unasked(verdict, answers))
    finding = Finding(comparison, verdict, False, evidence, fits, silent=silent)
    if comparison.baseline.is_exact:
        finding = _against_exact(finding)
    return replace(finding, allowed=accepts(finding, allowance_of(case, finding)))


def _answers(comparison: Comparison, probed: Behaviours) -> Answers:
    """Return what probes found of both sides.

    What was asked because of another comparison says nothing of one that looks like rounding
    against the exact result.
    """
    if comparison.baseline.is_exact and not unusual(comparison):
        return None, None
    return probed.get(comparison.baseline), probed.get(comparison.candidate)


def _doubts(
    comparison: Comparison, answers: Answers, evidence: tuple[Evidence, ...], *, silent: bool
) -> tuple[Evidence, ...]:
    """Return the evidence of a rounding with what the probes did not say of it."""
    if silent:
        return ("the probes got no answer: not taken for rounding unproved", *evidence)
    if answers == (None, None) and not comparison.baseline.is_exact:
        return (*evidence, "not probed itself: one of many cells")
    return evidence


def _against_exact(finding: Finding) -> Finding:
    """Return a finding with what is said of an output that was held against the exact one."""
    comparison, verdict = finding.comparison, finding.verdict
    evidence, difference = finding.evidence, comparison.difference
    if comparison.sampled_of is not None and difference is not None:
        evidence = (f"at {difference.elements:,} of {comparison.sampled_of:,} outputs", *evidence)
    flushes = verdict == "precision" and comparison.is_flushed
    fits = finding.fits if verdict == "wrong" else None
    return replace(finding, evidence=evidence, fits=fits, flushes=flushes)


def _by_size_alone(comparison: Comparison, fits: str | None) -> Verdict | None:
    """Return the verdict that the size of a difference leads to where nothing else decides."""
    difference = comparison.difference
    if fits or comparison.mismatch or difference is None or difference.appeared:
        return None
    return "wrong" if comparison.bound_ratio > 1 else "rounding"


def _unasked(verdict: Verdict, answers: Sequence[Behaviour | NotAsked | None]) -> tuple[str, ...]:
    """Say that neither side could be probed, and what that leaves open."""
    reasons = [answer.reason for answer in answers if isinstance(answer, NotAsked)]
    if len(reasons) < len(answers):
        return ()
    return (f"not probed: {'; '.join(dict.fromkeys(reasons))}{LEFT_OPEN[verdict]}",)


def _told_apart(
    comparison: Comparison, baseline: Behaviour, candidate: Behaviour
) -> tuple[SideFact, ...]:
    """Say what each side computes where both give one shape that is not the convolution's."""
    if not comparison.mismatch or not comparison.difference or baseline.fits == candidate.fits:
        return ()
    sides: tuple[tuple[Side, Behaviour], ...] = (("baseline", baseline), ("candidate", candidate))
    return tuple(SideFact(side, f"it fits: {one.fits or 'nothing known'}") for side, one in sides)


def _known(answer: Behaviour | NotAsked | None) -> Behaviour:
    return answer if isinstance(answer, Behaviour) else UNKNOWN


def _is_silent(answer: Behaviour | NotAsked | None) -> bool:
    """Return whether a runtime was probed and gave no answer."""
    return isinstance(answer, Behaviour) and answer.traits is None


def _fit_data(case: Case, comparison: Comparison, lab: Lab) -> str | None:
    """Try the known mistakes on the case's own data, for faults that the probes do not trigger."""
    for cell in reversed(list(_sides([comparison]))):
        output = lab.bits(cell)
        if isinstance(output, NoBits):
            continue
        tensors = lab.inputs(cell)
        cut = np.ascontiguousarray(tensors.input_nhwc[: cell.batch, :, : cell.length])
        fault = fit_data(case.conv, replace(tensors, input_nhwc=cut), output)
        if fault:
            return fault
    return None
