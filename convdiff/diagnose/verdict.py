"""The verdicts, and how one is reached from a comparison and what the probes found."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convdiff.behaviour.behaviour import Traits
from convdiff.case.axes import Axis
from convdiff.case.model import NOTED, Allowance, Case
from convdiff.compare.comparison import Comparison
from convdiff.diagnose import nonfinite
from convdiff.diagnose.cause import Explanation
from convdiff.diagnose.evidence import Evidence, Look, Side, SideFact, Sides
from convdiff.diagnose.verdicts import VERDICTS, Verdict, permits
from convdiff.diagnose.with_and_without import WithoutStep
from convdiff.plan.cell import Failure

TINY = 2.0**-100
"""Differences below may come of subnormal numbers that one side takes for zero."""


@dataclass(frozen=True)
class Finding:
    """A comparison with its verdict and the evidence for it."""

    comparison: Comparison
    verdict: Verdict
    allowed: bool
    evidence: tuple[Evidence, ...] = ()
    fits: str | None = None
    """What a wrong result looks like: shifted, flipped, dilation ignored, …"""
    fits_side: Sides | None = None
    """Whose result looks like that, where it `fits` something."""
    why: Explanation | None = None
    """The orders of both sides and the cause, where they were asked for."""
    silent: bool = False
    """A side that was probed gave no answer."""
    unasked: str = ""
    """Why no cause was looked for, where one could have been."""
    replayed: bool = False
    """Its own order was proved, where it is held against the exact result."""
    flushes: bool = False
    """What is off the exact result is what flushing subnormal numbers to zero takes."""
    without: WithoutStep | None = None
    """What its cells give without the step that follows, where they were asked for it."""
    lock: Literal["", "kept", "changed", "unproved"] = ""
    """Whether a locked summation order is the baseline's; empty where none is locked."""

    @property
    def axis(self) -> Axis:
        """The axis along which was compared."""
        return self.comparison.axis


Ruling = tuple[Verdict, tuple[Evidence, ...]]
Probes = Sequence[tuple[Side, Traits]]
"""What was found of the sides that were probed."""


def judge(
    comparison: Comparison,
    baseline: Traits | None,
    candidate: Traits | None,
    unstable: bool,
    look: Look | None,
) -> Ruling:
    """Return the verdict and its evidence. Traits are None where no probe was run.

    `unstable` says that repeats of either side differ; `look` is a known mistake whose result a
    side shows. The first rule that has something to say decides.
    """
    probed: list[tuple[Side, Traits]] = []
    if baseline is not None:
        probed.append(("baseline", baseline))
    if candidate is not None:
        probed.append(("candidate", candidate))
    looks = (look,) if look else ()
    return (
        _by_presence(comparison, looks)
        or _by_special_values(comparison, probed, looks)
        or _by_bits(comparison, probed, unstable=unstable)
        or _by_probes(probed, looks)
        or _by_flushing(comparison, probed, looks)
        or _by_size(comparison, looks)
        or ("rounding", _rounding_evidence(comparison, probed))
    )


def _by_presence(comparison: Comparison, looks: tuple[Look, ...]) -> Ruling | None:
    """Rule on sides that are missing, or of shapes that do not match."""
    if comparison.mismatch:
        return "wrong", (comparison.reason or "the shapes differ", *_between(comparison), *looks)
    if comparison.difference is None:
        return "untested", (comparison.reason or "not run",)
    return None


def _by_special_values(
    comparison: Comparison, probed: Probes, looks: tuple[Look, ...]
) -> Ruling | None:
    """Rule on NaN and infinity in the data: what a transform spreads is no excuse for the rest."""
    ruling = nonfinite.rule(comparison, probed)
    if ruling is None:
        return None
    verdict, evidence = ruling
    beside = _by_probes(probed, ()) or _by_size(comparison, looks)
    if verdict != "wrong" and beside is not None and beside[0] == "wrong":
        return "wrong", (*evidence, *beside[1])
    return verdict, (*evidence, *(looks if verdict == "wrong" else ()))


def _between(comparison: Comparison) -> tuple[str, ...]:
    """Say how two outputs of one shape, which is not the convolution's, differ from each other."""
    difference = comparison.difference
    if difference is None:
        return ()
    if not difference.differing:
        return ("the two are bitwise equal to each other",)
    share = f"{difference.differing:,} of {difference.elements:,}"
    return (f"they differ from each other in {share}, |Δ| ≤ {difference.max_abs:.3g}",)


def _by_bits(comparison: Comparison, probed: Probes, *, unstable: bool) -> Ruling | None:
    """Rule on equal bits, on repeats, and on values that are finite on one side only."""
    difference = comparison.difference
    assert difference is not None
    if difference.differing == 0:
        return _by_equality(comparison, probed)
    noisy = unstable and (comparison.axis != "exact" or comparison.screen_ratio > 1)
    if noisy or comparison.axis == "repeat":
        return "unstable", ("the same cell gives other bits when repeated",)
    if difference.appeared and not comparison.overflows.direct:
        text = f"{difference.appeared} element(s) are NaN or infinite on one side"
        ruling = _by_overflow(comparison, probed, text)
        return ruling or ("wrong", (f"{text}, with no overflow",))
    return None


def _by_equality(comparison: Comparison, probed: Probes) -> Ruling | None:
    """Rule on equal bits: of a sample, probes of all outputs may have found what is not in it."""
    if comparison.sampled_of is not None and any(traits.error for _, traits in probed):
        return None
    if comparison.constant:
        return "mistrusted", (f"equal, but the outputs are {comparison.constant}",)
    return "same", ()


def _by_overflow(comparison: Comparison, probed: Probes, text: str) -> Ruling | None:
    """Rule on values that overflow in float16, or in a transform, and in no direct sum."""
    if any(traits.error for _, traits in probed):
        return None
    facts = _facts(probed, "overflows")
    if facts and comparison.overflows.half:
        return "precision", (*_facts(probed, "narrowed"), *facts, text)
    facts = _facts(probed, "transform")
    if facts and comparison.overflows.mixed:
        return "transform", (*facts, f"{text}: numbers that are mixed overflow sooner")
    return None


TRAITS: tuple[tuple[str, Verdict], ...] = (
    ("shape_error", "wrong"),
    ("integer_error", "wrong"),
    ("unstable", "unstable"),
    ("transform", "transform"),
    ("narrowed", "precision"),
    ("quantised", "precision"),
)
"""What each trait of a side makes of a difference, gravest first."""


def _by_probes(probed: Probes, looks: tuple[Look, ...]) -> Ruling | None:
    """Rule on what the probes found."""
    for trait, verdict in TRAITS:
        evidence = _facts(probed, trait)
        if evidence:
            return verdict, (*evidence, *(looks if verdict == "wrong" else ()))
    return None


def _by_flushing(comparison: Comparison, probed: Probes, looks: tuple[Look, ...]) -> Ruling | None:
    """Rule on what is off by more than a rounding, and by no more than flushing to zero takes."""
    facts = _facts(probed, "flushes")
    if not comparison.is_flushed or (looks and not facts):
        return None
    times = f"|Δ| is {comparison.bound_ratio:.3g} × 2γₙA, more than any rounding"
    return "precision", (*facts, f"{times}, and no more than flushing subnormals to zero takes")


def _facts(probed: Probes, trait: str) -> list[SideFact]:
    """Return what the probes say of one trait, of the sides that have it."""
    of_sides = [(side, getattr(traits, trait)) for side, traits in probed]
    return [SideFact(side, fact) for side, fact in of_sides if fact]


def _by_size(comparison: Comparison, looks: tuple[Look, ...]) -> Ruling | None:
    """Rule on differences that no order of summation can give."""
    if looks:
        return "wrong", looks
    if comparison.bound_ratio > 1:
        times = comparison.bound_ratio
        return "wrong", (f"|Δ| is {times:.3g} × 2γₙA, more than any order of summation can give",)
    return None


def _rounding_evidence(comparison: Comparison, probed: Probes) -> tuple[Evidence, ...]:
    evidence: list[Evidence] = []
    if comparison.screen_ratio <= 1:
        evidence.append(f"{comparison.screen_ratio:.2g} of what rounding usually stays within")
    elif comparison.baseline.is_exact and comparison.likely_ratio <= 1:
        evidence.append(
            f"{comparison.screen_ratio:.3g} × what rounding usually stays within, "
            f"{comparison.likely_ratio:.2g} of what one sum's may give, 8·√n·u·A"
        )
    else:
        evidence.append(
            f"{comparison.screen_ratio:.3g} × what rounding usually stays within, "
            f"{comparison.bound_ratio:.2g} of the worst case 2γₙA: not taken for rounding unproved"
        )
    if len(probed) == 2:
        evidence.append("integer probe exact, inputs and weights kept whole on both sides")
    elif probed:
        side = probed[0][0]
        evidence.append(SideFact(side, "integer probe exact, inputs and weights kept whole"))
    if comparison.difference and comparison.difference.appeared:
        evidence.append(nonfinite.not_finite(comparison.difference))
    if comparison.difference and comparison.difference.max_abs < TINY:
        evidence += _facts(probed, "flushes")
    return tuple(evidence)


def largest_ulp(comparison: Comparison) -> int:
    """Return the distance that an allowance of ulps is held against; infinity is beyond any."""
    difference = comparison.difference
    if difference is None:
        return 0
    return sys.maxsize if difference.appeared else difference.max_ulp


def allowance_of(case: Case, finding: Finding) -> Allowance:
    """Return what a finding is held to.

    Multiply + reduce_sum is convdiff's own opinion, and no patient: where it is held against itself
    elsewhere, its rounding is noted. A bug of it is none the less a bug.
    """
    comparison = finding.comparison
    if not is_opinion(comparison) or finding.verdict == "wrong":
        return case.expect[comparison.axis]
    return case.baseline_reference if comparison.axis == "baseline" else NOTED


def is_opinion(comparison: Comparison) -> bool:
    """Return whether both sides are multiply + reduce_sum, and so no convolution is compared."""
    return comparison.baseline.is_reference and comparison.candidate.is_reference


def accepts(finding: Finding, allowance: Allowance) -> bool:
    """Return whether `expect` allows a finding.

    What is called rounding by its looks alone must look the part: where it is larger than rounding
    usually is, or the probes got no answer, it takes the proof.
    """
    comparison, why = finding.comparison, finding.why
    if not permits(allowance, finding.verdict, largest_ulp(comparison)):
        return False
    # An exact side rounds nothing: all that is off comes of one sum, whose own bound is known.
    ratio = comparison.likely_ratio if comparison.baseline.is_exact else comparison.screen_ratio
    doubtful = finding.verdict == "rounding" and (ratio > 1 or finding.silent)
    proved = finding.replayed or (why is not None and why.status == "proved")
    return proved or not doubtful or allowance.kind == "anything"


def proves_nothing(finding: Finding) -> bool:
    """Return whether a finding, though it is no drift, says nothing of the kernels."""
    idle = VERDICTS[finding.verdict].proves_nothing or finding.lock == "unproved"
    return finding.allowed and idle


def is_refused(finding: Finding) -> bool:
    """Return whether a cell was to be held against a recording and was not.

    There the inputs were others, or there is no entry, or no proof of a locked order.
    """
    untested = finding.axis == "baseline" and finding.verdict == "untested"
    return untested or finding.lock == "unproved"


def outcome_of(
    findings: Sequence[Finding], failures: Sequence[Failure]
) -> Literal["ok", "drift", "untested"]:
    """Reduce findings to a word; equality of nothing, or of constants, is not green.

    Neither is a convolution that gave no bits, nor the reference compared with itself.
    """
    if not all(finding.allowed for finding in findings):
        return "drift"
    compared = any(map(_is_telling, findings))
    refused = any(map(is_refused, findings))
    failed = any(not failure.cell.is_reference and not failure.cell.trial for failure in failures)
    fine = compared and not refused and not failed and not _is_hollow(findings)
    return "ok" if fine else "untested"


def _is_telling(finding: Finding) -> bool:
    """Return whether two convolutions, or one and an opinion, were compared, to some effect."""
    proves_nothing = VERDICTS[finding.verdict].proves_nothing
    alone = finding.comparison.baseline.is_exact
    return not is_opinion(finding.comparison) and not proves_nothing and not alone


def _is_hollow(findings: Sequence[Finding]) -> bool:
    """Return whether all that was held against a recording is equal, and constant."""
    held = [finding for finding in findings if finding.axis == "baseline"]
    verdicts = {one.verdict for one in held if not one.comparison.candidate.is_reference}
    return verdicts == {"mistrusted"}
