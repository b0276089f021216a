"""Thousands of synthetic kernels with labels: what each is called, held against its label."""

from __future__ import annotations

import pytest
from labels_judged import Outcome, outcome_of, where
from soak import examples

ALWAYS, CHUNK = 500, 50
WHOLE = 10_000
MORE = examples(WHOLE - ALWAYS)
"""What the soak judges beyond those that are always judged."""


def check(outcomes: list[Outcome]) -> None:
    """Hold what is said to the labels."""
    told = [
        (one.number, one.said, one.made.label, one.finding.fits, one.finding.evidence)
        for one in outcomes
        if one.said not in ALLOWED[one.made.kind]
    ]
    assert not told
    silent = []
    for one in outcomes:
        several = (
            one.finding.comparison.difference is None or one.made.right(one.made.asked).size > 1
        )
        if one.said == "unnamed" and several and not where(one.finding):
            silent.append((one.number, one.made.label, one.finding.evidence))
    assert not [each for each in silent if "shape" not in str(each)]


ALLOWED = {
    "arithmetic": {"right"},
    "named": {"named", "same numbers", "unnamed"},
    "two named": {"named", "same numbers", "unnamed"},
    "other": {"unnamed", "same numbers"},
    "two others": {"unnamed", "same numbers"},
}
"""Never a bug that is called rounding or precision, nor the other way round, nor a wrong name."""


@pytest.mark.parametrize("start", range(0, ALWAYS, CHUNK))
def test_500_kernels_are_called_what_they_are(start: int) -> None:
    outcomes = [outcome_of(number) for number in range(start, start + CHUNK)]
    check(outcomes)
    named = [one for one in outcomes if one.made.kind == "named"]
    assert sum(one.said == "unnamed" for one in named) <= 1


@pytest.mark.soak
@pytest.mark.parametrize("start", range(ALWAYS, ALWAYS + MORE, CHUNK))
def test_so_are_thousands_more(start: int) -> None:
    check([outcome_of(number) for number in range(start, min(start + CHUNK, ALWAYS + MORE))])
