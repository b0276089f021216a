"""The table of verdicts: whole, in the order of gravity, and what it says fits together."""

from __future__ import annotations

from typing import get_args

import pytest

from convdiff.case.model import Allowance
from convdiff.diagnose.verdicts import VERDICTS, Verdict, gravity, permits
from convdiff.report.console.style import MARKS


def test_every_verdict_has_a_row_and_the_gravest_is_first():
    assert tuple(VERDICTS) == get_args(Verdict)
    assert sorted(VERDICTS, key=gravity, reverse=True) == list(VERDICTS)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_what_proves_nothing_and_what_is_equal_is_no_drift(verdict: Verdict):
    facts = VERDICTS[verdict]
    assert not (facts.differs and facts.proves_nothing)
    assert permits(Allowance("bitwise"), verdict, 0) == (not facts.differs)
    assert permits(Allowance("anything"), verdict, 0)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_has_a_colour(verdict: Verdict):
    assert MARKS[VERDICTS[verdict].tone]
