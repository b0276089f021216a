"""From comparisons to findings: decide what to probe, then judge each with what probes found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from convdiff.behaviour.behaviour import Behaviour
from convdiff.case.model import Case
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.judged import Answer, Asked, judged
from convdiff.diagnose.verdict import Finding
from convdiff.lab.lab import Lab, NotAsked
from convdiff.lab.pace import Work
from convdiff.plan.cell import Cell
from convdiff.plan.cost import CALL, HEAVY, products

SAMPLED_SHAPES = 3
"""Shapes probed for each (runtime, op) where all differences have the usual size of rounding."""
Behaviours = Mapping[Cell, Behaviour | NotAsked]
"""What probes found in the cells that were to be probed."""


def behaviours(case: Case, comparisons: Sequence[Comparison], lab: Lab) -> Behaviours:
    """Probe what a verdict needs; what differs from itself is not worth a probe."""
    unstable = unstable_cells(comparisons)
    cells = [cell for cell in cells_to_probe(case, comparisons) if cell not in unstable]

    def work_of(cell: Cell) -> Work:
        return Work(CALL + products(case, cell), (cell.runtime, cell.op))

    return {cell: lab.behaviour(cell) for cell in lab.paced(cells, work_of)}


def diagnose(
    case: Case, comparisons: Sequence[Comparison], probed: Behaviours, lab: Lab
) -> list[Finding]:
    """Return a finding for each comparison, in order."""
    unstable = unstable_cells(comparisons)
    findings = []
    for comparison in comparisons:
        answers = _answers(comparison, probed)
        noisy = not unstable.isdisjoint(_sides([comparison]))
        findings.append(judged(Asked(case, comparison, answers, lab), noisy=noisy))
    return findings


def unstable_cells(comparisons: Iterable[Comparison]) -> set[Cell]:
    """Return the cells whose repeats gave other bits."""
    return {c.baseline for c in comparisons if c.axis == "repeat" and _differs(c)}


def unusual(comparison: Comparison) -> bool:
    """Return whether a comparison is more than an everyday rounding difference."""
    if comparison.mismatch or comparison.strayed:
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

    Sums are off the exact result everywhere: that alone is not worth a probe, but where a format of
    16 bits leaves more room than sums of float32 need. Where only some outputs were compared with
    the reference, probes look at all.
    """
    if comparison.axis in ("repeat", "exact"):
        return comparison.axis == "exact" and (unusual(comparison) or comparison.wide_ratio > 1)
    unlike = comparison.mismatch or comparison.strayed or _differs(comparison)
    return unlike or comparison.sampled_of is not None


def _sides(comparisons: Iterable[Comparison]) -> Iterator[Cell]:
    """Yield the cells that were run: nobody can ask the exact result."""
    for comparison in comparisons:
        if not comparison.baseline.is_exact:
            yield comparison.baseline
        yield comparison.candidate


def _differs(comparison: Comparison) -> bool:
    return comparison.difference is not None and comparison.difference.differing > 0


def _answers(comparison: Comparison, probed: Behaviours) -> tuple[Answer, Answer]:
    """Return what probes found of both sides.

    What was asked because of another comparison says nothing of one that looks like rounding
    against the exact result, but for errors that hide in what 16 bits leave room for.
    """
    answers = probed.get(comparison.baseline), probed.get(comparison.candidate)
    if not comparison.baseline.is_exact or unusual(comparison):
        return answers
    hidden = comparison.wide_ratio > 1 and _is_error(answers[1])
    return None, answers[1] if hidden else None


def _is_error(answer: Answer) -> bool:
    """Return whether probes found what no rounding can do."""
    return isinstance(answer, Behaviour) and answer.traits is not None and bool(answer.traits.error)
