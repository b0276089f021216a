"""A fault in one file of a residual net enters where it was put, and is called what it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from convdiff.case.device import Device
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.models.own_run import Feeds, Side
from convdiff.net.models.own_trace import OwnTracing
from convdiff.pipeline import Ask
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


def model(changed: Nodes | None = None, weights: Mapping[str, object] | None = None) -> bytes:
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


def in_two_halves() -> bytes:
    """The first convolution as the sum of two, over halves of the channels."""
    half = CHANNELS // 2
    parts = {
        f"half{n}": np.ascontiguousarray(p) for n, p in enumerate(np.split(WEIGHTS["w1"], 2, 1))
    }
    halves = helper.make_node("Split", ["x", "sizes"], ["x0", "x1"], "split", axis=1)
    sums = [conv(f"x{n}", f"half{n}", f"s{n}") for n in (0, 1)]
    whole = helper.make_node("Add", ["s0", "s1"], ["c1"], "c1")
    return model({"c1": [halves, *sums, whole]}, {**parts, "sizes": np.array([half, half])})


FAULTS: Mapping[str, tuple[Callable[[], bytes], str, str]] = {
    "a dilation is ignored": (without_dilation, "c2", "wrong"),
    "a weight is shifted": (with_shifted_weights, "c3", "wrong"),
    "a layer is in bfloat16": (in_bfloat16, "c3", "precision"),
    "a layer is merely re-ordered": (in_two_halves, "c1", "rounding"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_enters_where_it_was_put(what, tmp_path, runs_framework):
    fault, layer, verdict = FAULTS[what]
    runtime = Runtime(INTERPRETER, Device("cpu"))
    with Session([INTERPRETER], 60) as session:
        sides = [Side(session.pool, INTERPRETER, data) for data in (model(), fault())]
        tracing = OwnTracing(tmp_path / "m.onnx", (sides[0], sides[1]), session, Ask(), Watch())
        found = tracing.run(Feeds([{"x": DATA}], {}), (runtime, runtime))
    assert [one.name for one in found.entered] == [layer]
    assert found.entered[0].entry.verdict == verdict
    carried = {one.name for one in found.values if one.status == "carried"}
    later = list(nodes())[list(nodes()).index(layer) + 1 :]
    assert carried == set(later)
    assert found.exit_code == (0 if verdict == "rounding" else 1)
    assert found.changed == (0, 0)


def test_two_equal_files_part_nowhere(tmp_path, runs_framework):
    runtime = Runtime(INTERPRETER, Device("cpu"))
    with Session([INTERPRETER], 60) as session:
        sides = [Side(session.pool, INTERPRETER, model()) for _ in range(2)]
        tracing = OwnTracing(tmp_path / "m.onnx", (sides[0], sides[1]), session, Ask(), Watch())
        found = tracing.run(Feeds([{"x": DATA}], {}), (runtime, runtime))
    assert found.entered == () and found.differing == 0 and found.exit_code == 0
    assert {one.status for one in found.values} == {"untouched"}
