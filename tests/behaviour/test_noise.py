"""Noise is looked for before `wrong` is said: what comes and goes is unstable, at one run too."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from findings import judged, tensors
from kernels import CELL, HEIGHT, Kernel, direct, measure_with, shuffled, with_tap
from soak import one_in

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.case.arrays import Tensors
from convdiff.diagnose.verdict import Finding
from convdiff.worker.ops.convolution import Convolution

CONV = Convolution((3, 3), 4, 4)


def failing(calls: set[int] | range, kernel: Kernel, spoil: Kernel | None = None) -> Kernel:
    """Return a kernel that adds 1 to an output, or spoils it otherwise, at some of its calls."""
    number = count()

    def spoiled(conv: Convolution, tensors: Tensors):
        y = kernel(conv, tensors)
        if next(number) in calls:
            if spoil is not None:
                return spoil(conv, tensors)
            y[0, -1, -1, -1] += 1
        return y

    return spoiled


def unwritten(seed: int, share: float) -> Kernel:
    """Return a kernel that leaves some outputs unwritten, others each time."""
    rng = np.random.default_rng(seed)

    def kernel(conv: Convolution, tensors: Tensors):
        y = direct(conv, tensors)
        lost = rng.random(y.shape) < share
        lost[0, 0, 0, 0] = True
        return np.where(lost, rng.standard_normal(y.shape), y).astype(y.dtype)

    return kernel


def found(candidate: Kernel) -> Finding:
    data = tensors(CONV, (1, 9, 11, 4), 8, bias=True)
    return judged(CONV, data, shuffled(1), candidate)


@pytest.mark.parametrize("first", range(20))
def test_a_kernel_that_fails_once_in_20_calls_is_never_wrong(first: int):
    """Its own data is the first call, twelve probes follow: what they met is unstable."""
    finding = found(failing(range(first, 10_000, 20), direct))
    assert finding.verdict == ("unstable" if first < 13 else "rounding")
    if finding.verdict == "unstable":
        assert "`repeat: 20` in the case shows how often" in finding.evidence
        assert not finding.allowed


@pytest.mark.parametrize("first", range(13))
def test_a_single_failure_is_unstable_and_so_is_one_of_nan(first: int):
    assert found(failing({first}, direct)).verdict == "unstable"
    nan = failing({first}, direct, lambda conv, data: direct(conv, data) * np.nan)
    assert found(nan).verdict == "unstable"


@pytest.mark.parametrize("first", range(13))
def test_another_bug_at_one_call_is_unstable(first: int):
    """Unless the probe that met it does not read that tap, or is flushed to zero as well."""
    for spoil in (with_tap(3, 1, 0.0), lambda conv, data: 0 * direct(conv, data)):
        expected = ("unstable",) if first < 3 else ("unstable", "rounding")
        assert found(failing({first}, direct, spoil)).verdict in expected


@pytest.mark.slow
@one_in(2, "seed", range(5))
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_memory_that_nobody_wrote_is_unstable(share: float, seed: int):
    assert found(unwritten(seed, share)).verdict == "unstable"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_race_that_fails_half_of_all_calls_is_unstable(seed: int):
    rng = np.random.default_rng(seed)
    calls = set(np.flatnonzero(rng.random(10_000) < 0.5).tolist())
    assert found(failing(calls | {0}, direct)).verdict == "unstable"


def test_the_probes_say_how_they_saw_it():
    traits = examine_cell(CELL, CONV, HEIGHT, True, measure_with(failing({0}, direct), CONV)).traits
    said = "probes gave other bits when asked again: a race, or memory that nobody wrote"
    assert traits is not None
    assert (traits.unstable or "").endswith(said)
    assert traits == Traits(unstable=traits.unstable)


def test_a_steady_bug_beside_an_unstable_side_is_wrong():
    data = tensors(CONV, (1, 9, 11, 4), 8, bias=True)
    finding = judged(CONV, data, unwritten(1, 0.5), with_tap(3, 1, 0.0))
    assert finding.verdict == "wrong"


def test_a_steady_bug_is_as_wrong_when_asked_again():
    finding = found(with_tap(3, 1, 0.0))
    assert finding.verdict == "wrong"
    assert finding.fits is not None
    assert not any("repeat" in str(fact) for fact in finding.evidence)


def test_what_is_wrong_and_has_no_name_may_come_and_go():
    def kernel(conv: Convolution, tensors: Tensors):
        y, x = direct(conv, tensors), tensors.input_nhwc
        return y if (x == np.rint(x)).all() else y + np.float32(0.5) * (y > 0)

    finding = found(kernel)
    assert (finding.verdict, finding.fits) == ("wrong", None)
    assert "should it come and go, `repeat: 20` in the case finds it" in finding.evidence


def test_rounding_is_not_run_again():
    """It costs a run of a cell that nobody doubts."""
    calls = count()

    def counted(conv: Convolution, tensors: Tensors):
        next(calls)
        return direct(conv, tensors)

    assert found(counted).verdict == "rounding"
    assert next(calls) == 13


def test_a_case_that_repeats_is_not_told_to():
    from convdiff.diagnose.again import how_to_look

    finding = found(failing({0}, direct))
    data = tensors(CONV, (1, 9, 11, 4), 8, bias=True)
    from findings import case_of

    case = case_of(CONV, data)
    assert how_to_look(case, finding)
    assert how_to_look(replace(case, repeat=2), finding) == ()
