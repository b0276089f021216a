"""Outputs of data with NaN held against the exact result, all of them and a sample of many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from findings import tensors
from kernels import CELL, direct, shuffled
from nonfinite import with_values

from convdiff.compare import against_exact as module
from convdiff.compare.against_exact import against_exact
from convdiff.compare.reference import Reference
from convdiff.plan.cell import EXACT
from convdiff.plan.plan import Pair
from convdiff.worker.ops.convolution import Convolution

CONV = Convolution((3, 3), 4, 5)
DATA = with_values(
    tensors(CONV, (2, 9, 11, 4), 4, bias=True), "input_nhwc", nan=(0, 4, 5, 2), plus=(1, 0, 0, 1)
)
PAIR = Pair("exact", replace(CELL, op=EXACT), CELL)


@pytest.mark.parametrize("large", [False, True])
def test_nan_and_infinity_count_as_right_and_the_rest_is_measured(
    large: bool, monkeypatch: pytest.MonkeyPatch
):
    if large:
        monkeypatch.setattr(module, "WHOLE", 0)
    for kernel in (direct, shuffled(3)):
        found = against_exact(PAIR, kernel(CONV, DATA), Reference(CONV, DATA), most=10)
        assert found.difference is not None and found.difference.appeared == 0
        assert (found.sampled_of is not None) == large
        assert not found.strayed and found.constant is None
        assert found.bound_ratio <= 1 and found.overflows.direct
        assert np.isfinite(found.condition)


@pytest.mark.parametrize("large", [False, True])
def test_a_lost_nan_is_found_wherever_it_is(large: bool, monkeypatch: pytest.MonkeyPatch):
    if large:
        monkeypatch.setattr(module, "WHOLE", 0)
    output = direct(CONV, DATA)
    output[0, 2, 3, 0] = 1.0
    found = against_exact(PAIR, output, Reference(CONV, DATA), most=10)
    assert found.astray[1].lost.first == ((0, 2, 3, 0),) and found.strayed
    assert found.bound_ratio <= 1, "what is lost is no difference"


def test_all_nan_is_no_constant_where_it_must_be():
    data = replace(DATA, input_nhwc=np.full_like(DATA.input_nhwc, np.nan))
    found = against_exact(PAIR, direct(CONV, data), Reference(CONV, data), most=10)
    assert found.constant is None and not found.strayed
