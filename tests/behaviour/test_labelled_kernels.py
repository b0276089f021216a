"""Thousands of synthetic kernels with labels: what each is called, held against its label."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labelled import drawn, drawn_of_any
from labelled_sums import BFLOAT16, PLAIN, TF32, in_halves, to_float16
from labels_judged import Drawn, Outcome, finding_of, outcome_of, where
from soak import WHOLE

from convdiff.worker.ops.convolution import Convolution

ALWAYS, CHUNK = 150, 50
MORE = 10_000 - ALWAYS if WHOLE else CHUNK
"""What the soak judges beyond those that are always judged, which are fewer than a twentieth."""
MORE_OF_ANY = 5000 if WHOLE else CHUNK


def check(outcomes: list[Outcome]) -> None:
    """Hold what is said to the labels; what has no name has a place."""
    told = [
        (one.number, one.said, one.made.label, one.finding.fits, one.finding.evidence)
        for one in outcomes
        if one.said not in ALLOWED[one.made.kind] or lacks_a_place(one)
    ]
    assert not told


def lacks_a_place(one: Outcome) -> bool:
    """Return whether a fault without a name is not said with its place, though it has one."""
    difference = one.finding.comparison.difference
    if one.said != "unnamed" or difference is None or difference.elements == 1:
        return False
    return not where(one.finding)


ALLOWED = {
    "arithmetic": {"right"},
    "named": {"named", "same numbers", "unnamed"},
    "two named": {"named", "same numbers", "unnamed"},
    "other": {"unnamed", "same numbers"},
    "two others": {"unnamed", "same numbers"},
}
"""Never a bug that is called rounding or precision, nor the other way round, nor a wrong name."""


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, ALWAYS, CHUNK))
def test_150_kernels_are_called_what_they_are(start: int) -> None:
    outcomes = [outcome_of(number) for number in range(start, start + CHUNK)]
    check(outcomes)
    named = [one for one in outcomes if one.made.kind == "named"]
    assert sum(one.said == "unnamed" for one in named) <= 1


@pytest.mark.slow
def test_100_of_any_op_padded_in_any_way_are_too() -> None:
    check([outcome_of(number, drawn_of_any) for number in range(100)])


BIASES = {"bfloat16": BFLOAT16, "TF32": TF32, "fp16": to_float16, "two of 8 bits": in_halves}


@pytest.mark.slow
@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("of", [drawn, drawn_of_any], ids=["conv2d", "any op"])
def test_a_bias_in_fewer_bits_is_precision(of: Drawn, name: str) -> None:
    """Nothing else is narrowed: a difference that the bias alone makes."""
    judged_so = 0
    for number in range(24):
        made = of(number, Convolution)
        if made.asked.b is None or not made.right(made.asked).any():
            continue
        plain = replace(made, kind="arithmetic", arithmetic=PLAIN, faults=())
        finding = finding_of(plain, lambda asked: asked._replace(b=BIASES[name](asked.b)))
        judged_so += finding.verdict == "precision"
        assert finding.verdict in ("precision", "same"), (number, finding.evidence)
        if finding.verdict == "precision":
            assert "the bias" in str(finding.evidence[0])
    assert judged_so > 5


@pytest.mark.soak
@pytest.mark.parametrize("start", range(100, 100 + MORE_OF_ANY, CHUNK))
def test_so_are_thousands_more_of_any_op(start: int) -> None:
    numbers = range(start, min(start + CHUNK, 100 + MORE_OF_ANY))
    check([outcome_of(number, drawn_of_any) for number in numbers])


@pytest.mark.soak
@pytest.mark.parametrize("start", range(ALWAYS, ALWAYS + MORE, CHUNK))
def test_so_are_thousands_more(start: int) -> None:
    check([outcome_of(number) for number in range(start, min(start + CHUNK, ALWAYS + MORE))])
