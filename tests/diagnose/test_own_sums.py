"""A sum far off the exact result is rounding where its order is replayed, and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from examined import exact_findings, examined
from fake_lab import FakeLab
from findings import case_of, tensors
from kernels import Kernel, direct, half_accumulator, winograd

from convdiff.api import explain
from convdiff.case.arrays import Tensors
from convdiff.case.model import Allowance
from convdiff.diagnose.attribute import attribute
from convdiff.diagnose.own_sums import REPLAYED
from convdiff.diagnose.verdict import Finding
from convdiff.lab.lab import NotAsked
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell
from convdiff.worker.ops.convolution import Convolution

CONV = Convolution((3, 3), 1, 2)
DATA = tensors(CONV, (1, 4, 8, 1), 1, bias=False)


class Explaining(FakeLab):
    """Reveals the orders of a kernel; of the exact result there is none to ask."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(DATA, lambda cell, data: kernel(CONV, data))
        self._kernel = kernel

    def orders(self, cell: Cell) -> Orders | NotAsked:
        assert not cell.is_exact

        def convolution(x: Any, w: Any, b: Any) -> Any:
            return self._kernel(CONV, Tensors(w, b, x))

        return explain(convolution, DATA.input_nhwc, DATA.filter_hwio)


def doubted(kernel: Kernel, **expect: Allowance) -> Finding:
    """Return what is found of a kernel that is off by more than one sum's roundings likely are."""
    result, _ = examined(CONV, DATA, direct, **expect)
    (finding,) = exact_findings(result)
    far = replace(finding.comparison, screen_ratio=40.0, likely_ratio=2.0)
    finding = replace(finding, comparison=far, allowed=False)
    case = case_of(CONV, DATA, **expect)
    (after,) = attribute(case, [finding], Explaining(kernel), strict=False)
    return after


def test_a_proved_order_is_proof_that_it_is_rounding():
    finding = doubted(direct)
    assert (finding.verdict, finding.allowed, finding.replayed) == ("rounding", True, True)
    assert f"candidate: {REPLAYED}" in map(str, finding.evidence)


@pytest.mark.parametrize("kernel", [half_accumulator, winograd(2)])
def test_narrow_sums_and_transforms_are_no_such_proof(kernel: Kernel):
    finding = doubted(kernel)
    assert (finding.allowed, finding.replayed) == (False, False)


def test_what_the_case_does_not_allow_is_not_asked():
    finding = doubted(direct, exact=Allowance("bitwise"))
    assert (finding.allowed, finding.replayed) == (False, False)
