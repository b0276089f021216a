"""A fault in one file of a residual net enters where it was put, and is called what it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from convdiff.case.device import Device
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.models.own_found import OwnTrace
from convdiff.net.models.own_run import Feeds, Side
from convdiff.net.models.own_trace import OwnTracing
from convdiff.pipeline import Ask
from convdiff.report.console.own_trace import print_own
from convdiff.report.console.screen import rendered
from convdiff.report.own_trace import summarise_own
from convdiff.runtime.model import Interpreter, Runtime

INTERPRETER = Interpreter("onnxruntime", sys.executable, 1)
CHANNELS, LENGTH = 192, 24
WEIGHTS = {
    f"w{number}": np.random.default_rng(number)
    .normal(0, (3 * CHANNELS) ** -0.5, (CHANNELS, CHANNELS, 3))
    .astype("float32")
    for number in (1, 2, 3)
}
DATA = np.random.default_rng(7).normal(size=(1, CHANNELS, LENGTH)).astype("float32")
Nodes = dict[str, list[object]]
Weights = Mapping[str, object]


def conv(source: str, weights: str, name: str, dilation: int = 1) -> object:
    moves = {"pads": [dilation] * 2, "dilations": [dilation]}
    return helper.make_node("Conv", [source, weights], [name], name, **moves)


def nodes() -> Nodes:
    """Return two residual blocks' nodes by the value that each makes; Elu is fused with nothing."""
    return {
        "c1": [conv("x", "w1", "c1")],
        "e1": [helper.make_node("Elu", ["c1"], ["e1"], "e1")],
        "c2": [conv("e1", "w2", "c2", dilation=2)],
        "e2": [helper.make_node("Elu", ["c2"], ["e2"], "e2")],
        "a1": [helper.make_node("Add", ["e2", "e1"], ["a1"], "a1")],
        "c3": [conv("a1", "w3", "c3")],
        "e3": [helper.make_node("Elu", ["c3"], ["e3"], "e3")],
        "y": [helper.make_node("Add", ["e3", "a1"], ["y"], "y")],
    }


def model(changed: Nodes | None = None, weights: Weights | None = None) -> bytes:
    made = nodes() | (changed or {})
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CHANNELS, LENGTH])
        for name in "xy"
    )
    held = [numpy_helper.from_array(a, n) for n, a in {**WEIGHTS, **(weights or {})}.items()]
    graph = helper.make_graph(
        [one for group in made.values() for one in group], "g", [x], [y], held
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def without_dilation() -> bytes:
    return model({"c2": [conv("e1", "w2", "c2")]})


def with_shifted_weights() -> bytes:
    return model(weights={"w3": np.roll(WEIGHTS["w3"], 1, axis=2)})


def in_bfloat16() -> bytes:
    down = helper.make_node("Cast", ["a1"], ["low"], "down", to=TensorProto.BFLOAT16)
    up = helper.make_node("Cast", ["low"], ["high"], "up", to=TensorProto.FLOAT)
    bits = WEIGHTS["w3"].view("uint32")
    rounded = ((bits + 0x8000) & 0xFFFF0000).view("float32")
    return model({"c3": [down, up, conv("high", "w3", "c3")]}, {"w3": rounded})


def in_two_halves(changed: Nodes | None = None, weights: Weights | None = None) -> bytes:
    """The first convolution as the sum of two, over halves of the channels."""
    half = CHANNELS // 2
    parts = {
        f"half{n}": np.ascontiguousarray(p) for n, p in enumerate(np.split(WEIGHTS["w1"], 2, 1))
    }
    halves = helper.make_node("Split", ["x", "sizes"], ["x0", "x1"], "split", axis=1)
    sums = [conv(f"x{n}", f"half{n}", f"s{n}") for n in (0, 1)]
    whole = helper.make_node("Add", ["s0", "s1"], ["c1"], "c1")
    held = {**parts, "sizes": np.array([half, half]), **(weights or {})}
    return model({"c1": [halves, *sums, whole], **(changed or {})}, held)


def off_by_one_percent(value: str) -> bytes:
    """Behind that, one value times 1.01."""
    last = nodes()[value][0]
    last.output[0] = "before"
    off = helper.make_node("Mul", ["before", "factor"], [value], "off")
    return in_two_halves({value: [last, off]}, {"factor": np.float32(1.01)})


FAULTS: Mapping[str, tuple[Callable[[], bytes], str, str]] = {
    "a dilation is ignored": (without_dilation, "c2", "wrong"),
    "a weight is shifted": (with_shifted_weights, "c3", "wrong"),
    "a layer is in bfloat16": (in_bfloat16, "c3", "precision"),
    "a layer is merely re-ordered": (in_two_halves, "c1", "rounding"),
}


def traced(path: Path, other: bytes, data: object = DATA) -> OwnTrace:
    """Return the trace of the net beside another one."""
    runtime = Runtime(INTERPRETER, Device("cpu"))
    with Session([INTERPRETER], 60) as session:
        sides = [Side(session.pool, INTERPRETER, data) for data in (model(), other)]
        tracing = OwnTracing(path, (sides[0], sides[1]), session, Ask(), Watch())
        return tracing.run(Feeds([{"x": data}], {}), (runtime, runtime))


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_enters_where_it_was_put(what, tmp_path, runs_framework):
    fault, layer, verdict = FAULTS[what]
    found = traced(tmp_path / "m.onnx", fault())
    assert [one.name for one in found.entered] == [layer]
    assert found.entered[0].entry.verdict == verdict
    carried = {one.name for one in found.values if one.status == "carried"}
    later = list(nodes())[list(nodes()).index(layer) + 1 :]
    assert carried == set(later)
    assert found.exit_code == (0 if verdict == "rounding" else 1)
    assert found.changed == (0, 0)


@pytest.mark.parametrize("value", ["e2", "c3", "y"])
def test_a_fault_behind_a_layer_that_is_merely_reordered_is_found(value, tmp_path, runs_framework):
    found = traced(tmp_path / "m.onnx", off_by_one_percent(value))
    assert [(one.name, one.entry.verdict) for one in found.entered] == [("c1", "rounding")]
    assert [(one.name, one.passes.verdict) for one in found.passing] == [(value, "wrong")]
    assert (found.verdict, found.exit_code, found.unjudged) == ("wrong", 1, 0)


def test_the_report_answers_first_and_fits_eighty_columns(tmp_path, runs_framework):
    wrong, fine = off_by_one_percent("e2"), in_two_halves()
    heads = {wrong: "DRIFT[wrong] m.onnx: e2 is wrong; c1 gives", fine: "OK m.onnx: rounding that"}
    for other, head in heads.items():
        found = replace(traced(tmp_path / "m.onnx", other), file="m.onnx")
        summary = summarise_own(found, "convdiff trace m.onnx --python a --python b")
        lines = rendered(partial(print_own, summary=summary, quiet=False), "never").splitlines()
        assert lines[0].startswith(head)
        assert max(map(len, lines)) <= 80 and len(lines) <= 24
        assert lines[-1] == f"1 net: 1 {summary.outcome} (exit {found.exit_code})"
        quiet = rendered(partial(print_own, summary=summary, quiet=True), "never").splitlines()
        assert quiet == [*lines[:2], lines[-1]]


def test_equal_outputs_that_are_all_nan_prove_little(tmp_path, runs_framework):
    found = traced(tmp_path / "m.onnx", model(), np.full_like(DATA, np.nan))
    summary = summarise_own(found, "")
    assert (found.differing, found.exit_code, summary.word) == (0, 125, "UNTESTED")
    assert summary.headline.endswith("are equal, but all are NaN: that proves little")


def test_two_equal_files_part_nowhere(tmp_path, runs_framework):
    found = traced(tmp_path / "m.onnx", model())
    assert found.entered == () and found.differing == 0 and found.exit_code == 0
    assert {one.status for one in found.values} == {"untouched"}
