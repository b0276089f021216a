"""Which differences of a net's outputs are drift: what entered as rounding, and is expected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from net_files import net_of

from convdiff.case.device import Device
from convdiff.case.model import Allowance
from convdiff.compare.difference import measure
from convdiff.lab.nets import NetRun
from convdiff.net.trace.allowed import drifting, verdict_of
from convdiff.net.trace.model import Entry, PairTrace, Traced, TraceResult
from convdiff.net.trace.pairs import NetPair
from convdiff.runtime.model import Interpreter, Runtime

HERE, THERE = (Runtime(Interpreter(name, name), Device("cpu")) for name in ("numpy", "torch"))
CASE = net_of("input: {normal: 1}\nlengths: 4\nchannels: 1\nlayers: [relu, tanh]\n")
A = np.ones((1, 1, 2, 1), np.float32)
B = np.nextafter(A, np.float32(2))
PAIR = NetPair("runtime", NetRun(HERE, 4), NetRun(THERE, 4))
OTHER = NetPair("runtime", NetRun(THERE, 4), NetRun(HERE, 4))


def result(entered, entries, allowance="rounding", outputs=(A, B), pair=PAIR) -> TraceResult:
    layers = tuple(
        Traced(name, name, "entered" if name in entered else "untouched", 2)
        for name in ("relu_1", "tanh_1")
    )
    trace = PairTrace(pair, layers, {"tanh_1": measure(*outputs, False, 1)})
    kind = Allowance(*allowance) if isinstance(allowance, tuple) else Allowance(allowance)
    case = replace(CASE, expect={**CASE.expect, pair.axis: kind})
    return TraceResult(case, (), (trace,), 0, tuple(entries), ())


def entry(layer: str, verdict, pair=PAIR) -> Entry:
    return Entry(layer, layer, pair, verdict, "same")


def drifts(*given, **more) -> bool:
    return bool(list(drifting(result(*given, **more))))


def test_rounding_that_was_explained_is_allowed_where_rounding_is():
    assert not drifts(["tanh_1"], [entry("tanh_1", "rounding")])
    assert drifts(["tanh_1"], [entry("tanh_1", "rounding")], allowance="bitwise")
    assert not drifts(["tanh_1"], [entry("tanh_1", "rounding")], allowance=("ulps", 1))
    assert drifts(["tanh_1"], [entry("tanh_1", "rounding")], allowance=("ulps", 0))


def test_what_was_not_explained_is_no_rounding():
    assert drifts(["tanh_1"], [])
    assert drifts(["relu_1", "tanh_1"], [entry("tanh_1", "rounding")])
    assert drifts(["tanh_1"], [entry("tanh_1", "untested")])
    assert drifts(["tanh_1"], [entry("tanh_1", "rounding", OTHER)])
    assert not drifts(["tanh_1"], [], allowance="anything")


@pytest.mark.parametrize("verdict", ["precision", "wrong", "transform"])
def test_one_layer_that_is_more_than_rounding_decides(verdict):
    entries = [entry("relu_1", "rounding"), entry("tanh_1", verdict)]
    assert drifts(["relu_1", "tanh_1"], entries)
    found = result(["relu_1", "tanh_1"], entries)
    assert verdict_of(found, found.pairs[0]) == verdict


def test_outputs_that_are_equal_are_no_drift_whatever_is_inside():
    assert not drifts(["relu_1"], [], outputs=(A, A))


def test_outputs_that_differ_where_no_layer_was_seen_to_are_drift():
    assert drifts([], [])


def test_repeats_that_differ_are_unstable():
    repeat = NetPair("repeat", NetRun(HERE, 4), NetRun(HERE, 4, repeat=1))
    found = result(["tanh_1"], [entry("tanh_1", "rounding", repeat)], pair=repeat)
    assert verdict_of(found, found.pairs[0]) == "unstable"
    assert list(drifting(found)) == [0]
