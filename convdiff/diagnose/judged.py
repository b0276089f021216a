"""One comparison judged: by what was measured, by what probes found, and by a second look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from convdiff.behaviour.behaviour import Behaviour
from convdiff.behaviour.known_faults import fit_data
from convdiff.case.model import Case
from convdiff.case.nonfinite import is_finite
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.again import how_to_look, ruled_on_again
from convdiff.diagnose.evidence import Evidence, Look, Side, SideFact
from convdiff.diagnose.steps import by_steps
from convdiff.diagnose.sums import by_sums
from convdiff.diagnose.verdict import Finding, Ruling, accepts, allowance_of, judge
from convdiff.diagnose.verdicts import Verdict
from convdiff.lab.lab import Lab, NotAsked
from convdiff.plan.cell import Cell, NoBits

UNKNOWN = Behaviour(None, None)
LEFT_OPEN: Mapping[Verdict, str] = {
    "rounding": "",
    "wrong": " (sums in fewer bits may look like this, too)",
}
"""What a verdict by size alone leaves open."""

Answer = Behaviour | NotAsked | None
"""What probes found of one side; None where it was not to be probed."""


@dataclass(frozen=True)
class Asked:
    """A comparison, and who can say more of it."""

    case: Case
    comparison: Comparison
    answers: tuple[Answer, Answer]
    """Of baseline and candidate."""
    lab: Lab

    @property
    def known(self) -> tuple[Behaviour, Behaviour]:
        """What probes found of both sides, nothing where they were not asked."""
        baseline, candidate = (
            answer if isinstance(answer, Behaviour) else UNKNOWN for answer in self.answers
        )
        return baseline, candidate

    @property
    def sides(self) -> tuple[tuple[Side, Cell, Behaviour], ...]:
        """The sides that were run, each with its cell and what probes found of it."""
        baseline, candidate = self.known
        one, other = self.comparison.cells
        if one.is_exact:
            return (("candidate", other, candidate),)
        return ("baseline", one, baseline), ("candidate", other, candidate)

    @property
    def is_silent(self) -> bool:
        """Whether a runtime was probed and gave no answer."""
        return any(
            isinstance(answer, Behaviour) and answer.traits is None for answer in self.answers
        )


def judged(asked: Asked, *, noisy: bool) -> Finding:
    """Return the finding; noisy: repeats of a side differ."""
    case, comparison = asked.case, asked.comparison
    baseline, candidate = asked.known
    look = _look(asked)
    order = case.output_order
    spoken = comparison.astray[0].spoken(order), comparison.astray[1].spoken(order)
    ruling = judge(
        replace(comparison, astray=spoken), baseline.traits, candidate.traits, noisy, look
    )
    verdict, evidence = _second_look(asked, ruling[0]) or ruling
    evidence = (*_of_sample(comparison), *evidence)
    finding = Finding(comparison, verdict, False, evidence, silent=asked.is_silent)
    if look and verdict == "wrong":
        finding = replace(finding, fits=look.mistake, fits_side=look.side)
    finding = replace(finding, flushes=verdict == "precision" and comparison.is_flushed)
    finding = replace(finding, evidence=(*_doubts(asked, finding), *_remarks(asked, finding)))
    return replace(finding, allowed=accepts(finding, allowance_of(case, finding)))


def _look(asked: Asked) -> Look | None:
    """Return what a wrong side looks like, on integers or else on the case's own data."""
    if _told_apart(asked):
        return None
    look = _look_on_integers(asked)
    if look or asked.comparison.screen_ratio <= 1:
        return look
    for side, cell, behaviour in reversed(asked.sides):
        fault = None if _has_told(behaviour) else _fit_data(asked, cell)
        if fault:
            return Look(fault, side)
    return None


def _look_on_integers(asked: Asked) -> Look | None:
    """Return the mistake that probes found: of both sides, of the candidate, or of the baseline."""
    baseline, candidate = asked.known
    if candidate.fits:
        return Look(candidate.fits, "both" if candidate.fits == baseline.fits else "candidate")
    return Look(baseline.fits, "baseline") if baseline.fits else None


def _has_told(behaviour: Behaviour) -> bool:
    """Return whether integers told all that the case's own data could tell, and exactly."""
    return behaviour.traits is not None and behaviour.traits.integer_error is not None


def _fit_data(asked: Asked, cell: Cell) -> str | None:
    """Try the known mistakes on the case's own data, for faults that the probes do not trigger.

    With NaN or infinity in them there is nothing to fit.
    """
    output, tensors = asked.lab.bits(cell), asked.lab.inputs(cell)
    if isinstance(output, NoBits) or not is_finite(tensors):
        return None
    conv = asked.case.conv.first(cell.channels)
    tensors = tensors.upto(cell.batch, cell.length).first(conv)
    work = partial(fit_data, conv, tensors, output)
    fault = asked.lab.compute(f"looking for a mistake at length {cell.length}", work)
    return None if isinstance(fault, NotAsked) else fault


def _told_apart(asked: Asked) -> bool:
    """Return whether both sides give one shape, which is not the convolution's, unlike ways."""
    comparison, (baseline, candidate) = asked.comparison, asked.known
    one_shape = comparison.mismatch and comparison.difference is not None
    return one_shape and baseline.fits != candidate.fits


def _second_look(asked: Asked, verdict: Verdict) -> Ruling | None:
    """Return what a verdict becomes by sums of two widths, by steps, and by noise."""
    ruling: Ruling | None = None
    if verdict == "rounding":
        ruling = by_sums(asked.comparison, *asked.known, asked.case.conv.dtype)
    elif verdict == "precision":
        for side, cell, behaviour in asked.sides:
            steps = behaviour.quantisation
            ruling = ruling or by_steps(asked.case.conv, side, cell, steps, asked.lab)
    if _is_suspect(asked, ruling[0] if ruling else verdict):
        return ruled_on_again(asked.comparison, asked.lab) or ruling
    return ruling


def _is_suspect(asked: Asked, verdict: Verdict) -> bool:
    """Return whether what was observed is wrong, or larger than rounding usually is.

    Not where a probe found an error of one side, and found it twice.
    """
    if any(side.traits is not None and side.traits.error for side in asked.known):
        return False
    return verdict == "wrong" or (verdict == "rounding" and asked.comparison.screen_ratio > 1)


def _of_sample(comparison: Comparison) -> Iterator[Evidence]:
    """Say how many outputs were looked at, where not all of them were."""
    if comparison.sampled_of is not None and comparison.difference is not None:
        yield f"at {comparison.difference.elements:,} of {comparison.sampled_of:,} outputs"


def _doubts(asked: Asked, finding: Finding) -> tuple[Evidence, ...]:
    """Return the evidence with what the probes did not say of a rounding."""
    if finding.verdict != "rounding":
        return finding.evidence
    if asked.is_silent:
        return ("the probes got no answer: not taken for rounding unproved", *finding.evidence)
    if asked.answers == (None, None) and len(asked.sides) == 2:
        return (*finding.evidence, "not probed itself: one of many cells")
    return finding.evidence


def _remarks(asked: Asked, finding: Finding) -> Iterator[Evidence]:
    """Yield what each side computes, why none was probed, and how noise is looked for."""
    if _told_apart(asked):
        for side, _, behaviour in asked.sides:
            yield SideFact(side, f"it fits: {behaviour.fits or 'nothing known'}")
    reasons = [answer.reason for answer in asked.answers if isinstance(answer, NotAsked)]
    if len(reasons) == len(asked.sides) and finding.verdict == _by_size(finding):
        listed = "; ".join(dict.fromkeys(reasons))
        yield f"not probed: {listed}{LEFT_OPEN[finding.verdict]}"
    yield from how_to_look(asked.case, finding)


def _by_size(finding: Finding) -> Verdict | None:
    """Return the verdict that the size of a difference leads to where nothing else decides."""
    comparison = finding.comparison
    difference = comparison.difference
    if finding.fits or comparison.mismatch or difference is None or difference.appeared:
        return None
    return "wrong" if comparison.bound_ratio > 1 else "rounding"
