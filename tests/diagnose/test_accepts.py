"""What is called rounding by its looks must look the part, or be proved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from findings import CELL

from convdiff.case.model import Allowance
from convdiff.compare.comparison import Comparison
from convdiff.compare.difference import Difference
from convdiff.diagnose.cause import Explanation
from convdiff.diagnose.verdict import Finding, accepts, outcome_of
from convdiff.plan.cell import Failure

SMALL = Comparison("device", CELL, CELL, Difference(4, 1, 1e-6, 3), screen_ratio=0.5)
PROOF = Explanation("proved", {"order": 1}, 0, {}, (), None, ())


def rounding(comparison: Comparison, **more: object) -> Finding:
    return replace(Finding(comparison, "rounding", False), **more)  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_is_larger_than_rounding_usually_is_takes_a_proof() -> None:
    large = replace(SMALL, screen_ratio=1.5)
    assert accepts(rounding(SMALL), Allowance("rounding"))
    assert not accepts(rounding(large), Allowance("rounding"))
    assert not accepts(rounding(large), Allowance("ulps", 9))
    assert accepts(rounding(large, why=PROOF), Allowance("rounding"))
    assert accepts(rounding(large), Allowance("anything"))


def test_probes_that_got_no_answer_prove_nothing() -> None:
    assert not accepts(rounding(SMALL, silent=True), Allowance("rounding"))
    assert accepts(rounding(SMALL, silent=True, why=PROOF), Allowance("rounding"))


def test_a_convolution_without_bits_is_never_green() -> None:
    same = Finding(SMALL, "same", True)
    failed = Failure(CELL, "out of memory", died=False)
    assert CELL.op == "conv2d"
    assert outcome_of([same], ()) == "ok"
    assert outcome_of([same], [failed]) == "untested"
    manual = replace(failed, cell=replace(CELL, op="manual"))
    assert outcome_of([same], [manual]) == "ok"


def test_the_reference_compared_with_itself_is_not_green() -> None:
    manual = replace(CELL, op="manual")
    alone = replace(SMALL, baseline=manual, candidate=manual)
    assert outcome_of([Finding(alone, "same", True)], ()) == "untested"
