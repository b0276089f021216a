"""Who agrees with whom: the square of all pairs, and the groups of equal bits."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from convdiff.case.device import Device
from convdiff.compare.comparison import Comparison
from convdiff.compare.difference import Difference
from convdiff.diagnose.agreement import agreement
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import VERDICTS, Verdict
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Interpreter, Runtime

RUNTIMES = tuple(Runtime(Interpreter(name, "python"), Device("cpu")) for name in "abcd")


def found(
    one: Runtime,
    other: Runtime,
    verdict: Verdict = "same",
    *,
    allowed: bool = True,
    ulp: int = 0,
    length: int = 7,
    **changes: Any,
) -> Finding:
    """Return a comparison of two runtimes: 2 of 10 elements differ, unless they are the same."""
    sides = (Cell(one, "conv2d", length, 1), Cell(other, "conv2d", length, 1))
    sides = tuple(replace(side, **changes) for side in sides)
    difference = None if verdict == "untested" else Difference(10, 2 if ulp else 0, max_ulp=ulp)
    return Finding(Comparison("runtime", *sides, difference), verdict, allowed)


def square(**verdicts: Verdict) -> list[Finding]:
    """Return findings of all pairs, the same but for those named, as in ab="rounding"."""
    return [
        found(
            one,
            other,
            verdicts.get(one.interpreter.framework + other.interpreter.framework, "same"),
        )
        for one, other in combinations(RUNTIMES, 2)
    ]


def test_the_square_is_symmetric_and_its_diagonal_is_empty():
    seen = agreement(RUNTIMES, square(ab="rounding", cd="wrong"))
    assert seen.runtimes == RUNTIMES
    for i in range(4):
        assert seen.pairs[i][i] is None
        for j in range(4):
            assert seen.pairs[i][j] == seen.pairs[j][i]
    assert seen.pairs[0][1].verdict == "rounding"
    assert seen.pairs[3][2].verdict == "wrong"
    assert seen.pairs[0][2].verdict == "same"


def test_the_order_of_baseline_and_candidate_does_not_matter():
    turned = [
        replace(
            f,
            comparison=replace(
                f.comparison, baseline=f.comparison.candidate, candidate=f.comparison.baseline
            ),
        )
        for f in square(ad="rounding")
    ]
    assert agreement(RUNTIMES, turned) == agreement(RUNTIMES, square(ad="rounding"))


@pytest.mark.parametrize(("worse", "better"), list(combinations(VERDICTS, 2)))
def test_the_gravest_of_all_lengths_is_told(worse: Verdict, better: Verdict):
    a, b = RUNTIMES[:2]
    for order in ([worse, better], [better, worse]):
        findings = [found(a, b, verdict, length=n) for n, verdict in enumerate(order, 7)]
        assert agreement((a, b), findings).pairs[0][1].verdict == worse


def test_drift_at_one_length_is_drift_of_the_pair_and_counts_add_up():
    a, b = RUNTIMES[:2]
    seen = agreement(
        (a, b),
        [
            found(a, b, "rounding", ulp=3, length=7),
            found(a, b, "rounding", ulp=5, allowed=False, length=8),
            found(a, b, "same", length=9),
            found(a, b, "untested", length=10),
        ],
    )
    pair = seen.pairs[0][1]
    assert (pair.verdict, pair.allowed, pair.max_ulp) == ("rounding", False, 5)
    assert (pair.differing, pair.elements) == (4, 30)


def test_groups_of_equal_bits_are_told_the_largest_first():
    seen = agreement(RUNTIMES, square(ab="rounding", ac="rounding", ad="rounding"))
    assert seen.alike == ((1, 2, 3), (0,))
    seen = agreement(RUNTIMES, square(ab="rounding", ad="wrong", bc="rounding", cd="rounding"))
    assert seen.alike == ((0, 2), (1, 3))
    nobody = dict.fromkeys(("ab", "ac", "ad", "bc", "bd", "cd"), "rounding")
    assert agreement(RUNTIMES, square(**nobody)).alike == ((0,), (1,), (2,), (3,))


@pytest.mark.parametrize("verdict", ["untested", "mistrusted", "rounding"])
def test_only_what_was_seen_to_be_the_same_is_in_a_group(verdict: Verdict):
    a, b = RUNTIMES[:2]
    assert agreement((a, b), [found(a, b, verdict)]).alike == ((0,), (1,))


def test_references_repeats_and_own_lengths_are_no_pairs():
    a, b = RUNTIMES[:2]
    others = [
        found(a, b, "wrong", op="manual"),
        found(a, a, "wrong"),
        found(b, b, "unstable"),
        found(a, RUNTIMES[2], "wrong"),
    ]
    assert agreement((a, b), others) is None
    assert agreement((a, b), [*others, found(a, b)]).pairs[0][1].verdict == "same"


def test_there_is_no_square_of_one_or_with_holes():
    assert agreement(RUNTIMES[:1], []) is None
    assert agreement((), []) is None
    assert agreement(RUNTIMES, square()[:-1]) is None
