"""What a verdict makes of NaN and infinity in the data that became something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convdiff.behaviour.behaviour import Traits
from convdiff.case.words import given
from convdiff.compare.astray import Astray, Places
from convdiff.compare.comparison import Comparison
from convdiff.compare.difference import Difference
from convdiff.diagnose.evidence import Evidence, Side, SideFact
from convdiff.diagnose.verdicts import Verdict

SIDES: tuple[Side, ...] = ("baseline", "candidate")
UNPROBED = "not probed: a transform algorithm spreads NaN so, too"


def rule(
    comparison: Comparison, probed: Sequence[tuple[Side, Traits]]
) -> tuple[Verdict, tuple[Evidence, ...]] | None:
    """Return the verdict on what is astray on either side, or None where nothing is.

    A transform (Winograd, FFT) spreads a NaN over its tile, and makes NaN of an infinity; that it
    loses one, or that a direct sum does any of it, is a bug.
    """
    verdict: Verdict = "transform"
    facts: list[Evidence] = []
    traits = dict(probed)
    for side, one in zip(SIDES, comparison.astray, strict=True):
        if not one:
            continue
        facts += [SideFact(side, words) for words in _words(one)]
        side_traits = traits.get(side)
        if side_traits is not None and side_traits.transform and not one.lost:
            facts.append(SideFact(side, f"{side_traits.transform}, which spreads NaN"))
        else:
            verdict = "wrong"
            if side_traits is None and not one.lost:
                facts.append(SideFact(side, UNPROBED))
    if facts:
        return verdict, tuple(facts)
    return _flushed(comparison)


def _flushed(comparison: Comparison) -> tuple[Verdict, tuple[Evidence, ...]] | None:
    """Rule on sides that differ where inf·0 is NaN on one.

    Where that takes subnormal numbers for zero, or multiplies the zeros of padding, too.
    """
    difference = comparison.difference
    if difference is None or not difference.differing:
        return None
    one, other = comparison.astray
    if comparison.baseline.is_exact:  # which has such NaN where the candidate has them
        legal = {"padded": one.padded, "limited": one.limited, "multiplied": one.multiplied}
        other = replace(other, **legal)
    if _legal(one) == _legal(other):
        return None  # the same on both sides: what differs is something else
    facts: list[Evidence] = []
    for side, its in zip(SIDES, (one, other), strict=True):
        kinds = (
            ("infinity times a subnormal number is inf·0, NaN", its.flushed),
            (
                "the zeros of padding are multiplied, and 0 times what is not finite is NaN",
                its.padded,
            ),
            ("the step takes NaN for one of its limits, as max(x, 0) may", its.limited),
            (
                "the step multiplies what is below zero by it, and 0 times an infinity is NaN",
                its.multiplied,
            ),
        )
        facts += [SideFact(side, words) for words in _at(kinds)]
    return ("precision", tuple(facts)) if facts else None


def _legal(one: Astray) -> tuple[Places, ...]:
    return one.flushed, one.padded, one.limited, one.multiplied


def not_finite(difference: Difference) -> str:
    """Say what legal values that are not finite differ by; NaN of other bits only if strict."""
    worst = difference.worst
    if worst is not None and np.isnan(worst.baseline).all() and np.isnan(worst.candidate).all():
        return "one NaN has other bits than the other"
    return "some sums overflow on the way"


def _words(one: Astray) -> list[str]:
    """Say what is astray, and where."""
    kinds = (
        ("NaN or infinity lost", one.lost),
        ("NaN or infinity where none belongs", one.unwanted),
        ("NaN and infinity, or two infinities, mistaken for each other", one.changed),
    )
    return _at(kinds)


def _at(kinds: Sequence[tuple[str, Places]]) -> list[str]:
    """Say of each kind that is anywhere where it is."""
    return [f"{what}: {_listed(places)}" for what, places in kinds if places]


def _listed(places: Places) -> str:
    """Name the first positions, and say how many more there are."""
    shown = ", ".join(f"({','.join(map(str, index))})" for index in places.first)
    return shown + given(places.count - len(places.first), " and {:,} more")
