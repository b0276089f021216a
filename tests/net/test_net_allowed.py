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
from convdiff.net.trace.layers import worst_of
from convdiff.net.trace.model import Entry, PairTrace, Traced, TraceResult
from convdiff.net.trace.pairs import NetPair
from convdiff.report.trace_advice import advice_lines
from convdiff.report.trace_summary import summarise_trace
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


def test_ulps_are_those_of_whichever_output_has_the_most():
    entries = [entry("tanh_1", "rounding")]
    small, near = A * 1e-6, A * 1e-6
    for _ in range(3):
        near = np.nextafter(near, np.float32(2))
    found = result(["tanh_1"], entries, allowance=("ulps", 1))
    both = {**found.pairs[0].outputs, "relu_1": measure(small, near, False, 1)}
    found = replace(found, pairs=(replace(found.pairs[0], outputs=both),))
    assert found.pairs[0].worst.max_ulp == 1 and found.pairs[0].max_ulp == 3
    assert list(drifting(found)) == [0]


def sentence_of(found: TraceResult) -> str:
    return summarise_trace(replace(found, drifting=tuple(drifting(found))), "").headline


def test_what_is_allowed_says_so_and_where_it_enters_first():
    entries = [entry("relu_1", "rounding"), entry("tanh_1", "rounding")]
    pair = replace(PAIR, axis="repeat", candidate=NetRun(HERE, 4, repeat=1))
    allowed = result(["relu_1", "tanh_1"], [], allowance="anything", pair=pair)
    assert sentence_of(allowed).startswith("allowed: unstable that enters at relu_1 and nowhere")
    pair = NetPair("length", NetRun(HERE, 4), NetRun(HERE, 3))
    entries = [replace(one, pair=pair) for one in entries]
    said = sentence_of(result(["relu_1", "tanh_1"], entries, pair=pair))
    assert said == (
        "allowed: rounding that enters at relu_1 and nowhere before it (length 3 against length 4)"
        "; later also tanh_1, on equal inputs; expect has length: rounding"
    )
    drifts = sentence_of(result(["relu_1", "tanh_1"], entries, allowance="bitwise", pair=pair))
    assert drifts == (
        "relu_1 gives other bits, and nothing before it does (length 3 against length 4)"
        "; later also tanh_1, on equal inputs"
    )


def test_each_layer_that_is_wrong_is_named_once():
    pair = NetPair("length", NetRun(HERE, 4), NetRun(HERE, 3))
    passed_on = replace(entry("tanh_1", "wrong", pair), carries=True)
    entries = [entry("relu_1", "wrong", pair), passed_on, passed_on]
    said = sentence_of(result(["relu_1"], entries, pair=pair))
    assert said.startswith("relu_1, tanh_1 are wrong; relu_1 gives other bits")
    entries = [entry("relu_1", "rounding", pair), passed_on]
    said = sentence_of(result(["relu_1"], entries, pair=pair))
    assert said.startswith("tanh_1 is wrong; relu_1 gives other bits")


def test_a_pair_whose_outputs_differ_is_shown_before_one_that_heals_earlier():
    (differs,) = result(["tanh_1"], []).pairs
    (heals,) = result(["relu_1"], [], outputs=(A, A)).pairs
    assert worst_of([heals, differs], CASE.expect) == 1
    assert worst_of([differs, heals], CASE.expect) == 0


def test_a_drift_of_rounding_says_how_to_accept_it():
    pair = NetPair("length", NetRun(HERE, 4), NetRun(HERE, 3))
    entries = [entry("tanh_1", "rounding", pair)]
    found = result(["tanh_1"], entries, allowance="bitwise", pair=pair)
    told = [
        one.text for one in advice_lines(replace(found, drifting=(0,)), "convdiff pad net.yaml")
    ]
    (accept,) = (text for text in told if text.startswith("expect: {length: {ulps: 1}}"))
    assert accept.endswith("/net.yaml:2"), "where the lengths are"
    assert "convdiff pad net.yaml --data A..B" in told
    assert not drifts(["tanh_1"], entries, allowance=("ulps", 1), pair=pair)
    wrong = replace(found, entries=(entry("tanh_1", "wrong", pair),), drifting=(0,))
    assert not any("expect" in one.text for one in advice_lines(wrong, ""))
    assert any("convdiff rule wrong" in one.text for one in advice_lines(wrong, ""))
    assert not list(advice_lines(found, ""))
