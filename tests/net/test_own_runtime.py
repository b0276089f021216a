"""An ONNX file as it is on two sides: all values are seen, in bodies too, and no bit changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from program import convdiff, environment

from convdiff.case.device import Device
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.models import own_run, own_values
from convdiff.net.models.feeds import feeds_of
from convdiff.net.models.limits import ModelError
from convdiff.net.models.own_run import Feeds, Side, refuse_untrusted, steps_of
from convdiff.net.models.own_trace import OwnTracing
from convdiff.pipeline import Ask
from convdiff.runtime.model import Interpreter, Runtime

RNG = np.random.default_rng(11)
CHANNELS = 8


def tensor(name: str, array) -> object:
    return numpy_helper.from_array(np.asarray(array), name)


def value(name: str, kind=TensorProto.FLOAT, shape=None) -> object:
    return helper.make_tensor_value_info(name, kind, shape)


def body(name: str, root: str, shift: str) -> object:
    """Return a branch: the root of a captured value, and what is added to it."""
    nodes = [
        helper.make_node(root, ["scaled"] + (["half"] if root == "Pow" else []), ["r"], "root"),
        helper.make_node("Add", ["r", shift], ["sum"], "sum"),
    ]
    return helper.make_graph(nodes, name, [], [value("sum")])


def branching(root: str = "Sqrt") -> bytes:
    """Return a model of a convolution, a scale, and an If whose branches take a root of it."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], "normal"),
        helper.make_node("Abs", ["n"], ["scaled"], "abs"),
        helper.make_node(
            "If",
            ["which"],
            ["y"],
            "choice",
            then_branch=body("then", root, "one"),
            else_branch=body("else", root, "two"),
        ),
        helper.make_node("Relu", ["y"], ["z"], "relu"),
    ]
    ones = np.ones(CHANNELS, "float32")
    rng = np.random.default_rng(11)
    held = [
        tensor("w", rng.normal(size=(CHANNELS, 3, 3)).astype("float32")),
        tensor("half", np.nextafter(np.float32(0.5), np.float32(1))),
        tensor("one", np.float32(1)),
        tensor("two", np.float32(2)),
        tensor("s", rng.uniform(0.5, 2, CHANNELS).astype("float32")),
        *(tensor(n, rng.uniform(0.1, 1, CHANNELS).astype("float32")) for n in "bm"),
        tensor("v", ones * 0.7),
    ]
    inputs = [value("x", shape=[1, 3, "T"]), value("which", TensorProto.BOOL, [])]
    return saved(helper.make_graph(nodes, "g", inputs, [value("z")], held))


def looping() -> bytes:
    """Return a model that halves its input and adds to it three times."""
    nodes = [
        helper.make_node("Mul", ["state", "half"], ["halved"], "halve"),
        helper.make_node("Add", ["halved", "x"], ["next"], "grow"),
        helper.make_node("Identity", ["go"], ["on"], "on"),
    ]
    inputs = [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("state")]
    outputs = [value("on", TensorProto.BOOL, []), value("next")]
    inner = helper.make_graph(nodes, "inner", inputs, outputs)
    loop = helper.make_node("Loop", ["three", "", "start"], ["y"], "loop", body=inner)
    held = [tensor("three", np.int64(3)), tensor("half", np.float32(0.5))]
    inputs = [value("x", shape=[1, 4]), value("start", shape=[1, 4])]
    return saved(helper.make_graph([loop], "g", inputs, [value("y", shape=[1, 4])], held))


def saved(graph) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


INTERPRETER = Interpreter("onnxruntime", sys.executable, 1)
DATA = RNG.normal(size=(1, 3, 40)).astype("float32")


@pytest.fixture
def session(runs_framework):
    with Session([INTERPRETER], 60) as made:
        yield made


def traced(session, path: Path, sides: tuple[bytes, bytes], feeds: Feeds):
    one, other = (Side(session.pool, INTERPRETER, data) for data in sides)
    runtime = Runtime(INTERPRETER, Device("cpu"))
    tracing = OwnTracing(path, (one, other), session, Ask(), Watch())
    return tracing.run(feeds, (runtime, runtime))


def fed(*branches: bool) -> Feeds:
    return Feeds([{"x": DATA, "which": np.array(one)} for one in branches], {})


def test_values_of_the_branch_that_is_taken_are_seen_and_of_the_other_not(session):
    side = Side(session.pool, INTERPRETER, branching())
    for which, number in ((True, "then"), (False, "else")):
        (step,) = next(steps_of([side], fed(which)))
        inner = {n: a for n, a in step.values.items() if n.startswith("choice/")}
        assert len(inner) == 2, number
        (root,) = (array for name, array in inner.items() if name.endswith("/r"))
        assert root.dtype == np.float64 and (root.astype("float32") == root).all()
        (scaled,) = (array for name, array in step.values.items() if name == "scaled")
        assert np.abs(root - np.sqrt(scaled.astype("float64"))).max() < 1e-6
        assert np.array_equal(step.outputs["z"], step.values["z"])


def test_looking_does_not_change_what_the_runtime_fuses(session):
    side = Side(session.pool, INTERPRETER, branching())
    (step,) = next(steps_of([side], fed(True)))
    assert step.changed == 0
    assert "c" not in step.values, "the convolution and the batch norm are one"
    assert {"n", "scaled", "y", "z"} & step.values.keys()


def test_a_difference_that_enters_in_a_body_is_named_and_judged_there(session, tmp_path):
    found = traced(session, tmp_path / "m.onnx", (branching("Sqrt"), branching("Pow")), fed(True))
    (entered,) = found.entered
    assert (entered.name, entered.op) == ("choice/1/r", "Sqrt") or entered.name == "choice/0/r"
    assert entered.differing > 0
    assert entered.entry.judged.wrong[0] == 0 < entered.entry.judged.wrong[1]
    assert entered.entry.verdict == "rounding"
    statuses = {one.name: one.status for one in found.values}
    assert statuses["scaled"] == "untouched"
    assert {statuses[name] for name in statuses if name.endswith("/sum")} == {"carried"}
    assert statuses["z"] == statuses["y"] == "carried"
    assert found.differing > 0 and found.exit_code == 0


def test_a_convolution_that_is_fused_with_its_activation_is_run_alone(session, tmp_path):
    """Of one file the weights were scaled: the convolution itself is the same on both sides."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    x, y = value("x", shape=[1, 3, 40]), value("y")
    weights = np.random.default_rng(11).normal(size=(CHANNELS, 3, 3)).astype("float32")
    graphs = [
        helper.make_graph(nodes, "g", [x], [y], [tensor("w", weights * np.float32(scale))])
        for scale in (1, 1.5)
    ]
    sides = saved(graphs[0]), saved(graphs[1])
    found = traced(session, tmp_path / "m.onnx", sides, Feeds([{"x": DATA}], {}))
    (entered,) = found.entered
    assert (entered.name, entered.op) == ("y", "FusedConv")
    assert entered.entry.reason == "without what is fused with it, alone, it gives equal bits"
    assert found.exit_code == 1, "nothing says that it is rounding"


def test_what_a_body_captures_is_read_by_it(session, tmp_path):
    """The scale differs before the If: nothing in its branches is an entry."""
    other = branching().replace(b"Abs", b"Neg")
    found = traced(session, tmp_path / "m.onnx", (branching(), other), fed(True, False))
    assert [one.name for one in found.entered] == ["scaled"]
    assert found.entered[0].entered == found.steps == 2


def test_values_of_a_loop_come_once_a_turn(session):
    side = Side(session.pool, INTERPRETER, looping())
    x, start = (np.full((1, 4), n, "float32") for n in (3, 8))
    (step,) = next(steps_of([side], Feeds([{"x": x, "start": start}], {})))
    (grown,) = (array for name, array in step.values.items() if name.endswith("/next"))
    assert grown[:, 0, 0].tolist() == [7.0, 6.5, 6.25]
    assert step.changed == 0


def test_state_goes_back_in_on_each_side(session):
    side = Side(session.pool, INTERPRETER, looping())
    x, start = np.zeros((1, 4), "float32"), np.full((1, 4), 64, "float32")
    steps = Feeds([{"x": x, "start": start}] * 2, {"y": "start"})
    outputs = [float(step.outputs["y"][0, 0]) for (step,) in steps_of([side], steps)]
    assert outputs == [8.0, 1.0]


def test_feeds_are_steps_where_an_array_has_an_axis_more(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(branching())
    np.savez(tmp_path / "x.npz", x=np.ones((5, 1, 3, 7), "float32"), which=np.array(True))
    feeds = feeds_of(path, tmp_path / "x.npz", {}, 1)
    assert [step["x"].shape for step in feeds.steps] == [(1, 3, 7)] * 5
    drawn = feeds_of(path, None, {}, 2)
    assert [step["which"].dtype.name for step in drawn.steps] == ["bool"] * 2
    assert not np.array_equal(drawn.steps[0]["x"], drawn.steps[1]["x"])
    np.savez(tmp_path / "y.npz", whihc=np.array(True))
    with pytest.raises(ModelError, match=r"no input 'whihc'; did you mean which\?"):
        feeds_of(path, tmp_path / "y.npz", {}, 1)
    with pytest.raises(ModelError, match="no output 'q'"):
        feeds_of(path, None, {"q": "x"}, 1)


def test_others_operators_run_only_where_the_file_is_trusted(tmp_path, runs_framework):
    path = tmp_path / "m.onnx"
    node = helper.make_node("Gelu", ["x"], ["y"], "gelu", domain="com.microsoft")
    graph = helper.make_graph([node], "g", [value("x", shape=[1, 8])], [value("y", shape=[1, 8])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"gelu is com\.microsoft\.Gelu, none of ONNX' own"):
        refuse_untrusted(path, trusted=False)
    words = ("trace", str(path), "--framework", "onnxruntime", "--threads", "1,2")
    assert convdiff(*words).code == 2
    trusted = convdiff(*words, "--trust-model")
    assert trusted.code == 0, trusted
    assert "trusted  ran com.microsoft.Gelu, none of ONNX' own operators" in trusted.out


def test_one_side_is_not_two(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(branching())
    ran = convdiff("trace", str(path))
    assert ran.code == 2 and "on two sides" in ran.err


def noisy(scale: float, *, sharp: bool = False) -> bytes:
    """Return a model that adds a random number to a convolution, so that it differs each time."""
    root = "Exp" if sharp else "Elu"
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node(root, ["c"], ["t"], "root"),
        helper.make_node("RandomUniformLike", ["t"], ["r"], "random"),
        helper.make_node("Mul", ["r", "scale"], ["s"], "scaled"),
        helper.make_node("Add", ["t", "s"], ["y"], "add"),
    ]
    weights = np.random.default_rng(11).normal(size=(CHANNELS, 3, 3)).astype("float32")
    held = [tensor("w", weights), tensor("scale", np.float32(scale))]
    x, y = value("x", shape=[1, 3, 40]), value("y")
    return saved(helper.make_graph(nodes, "g", [x], [y], held))


def test_what_is_drawn_anew_each_time_is_unstable_and_no_layer_is_blamed(session, tmp_path):
    found = traced(
        session, tmp_path / "m.onnx", (noisy(1e-6), noisy(1e-6)), Feeds([{"x": DATA}], {})
    )
    assert found.entered == () and found.begins == ("r",) and found.noisy == ("y",)
    statuses = {one.name: one.status for one in found.values}
    assert statuses["r"] == statuses["y"] == "unstable"
    assert statuses["t"] == "untouched"
    assert found.changed == (0, 0), "nor is it blamed on looking"
    assert found.exit_code == 1


def test_what_enters_beside_what_is_unstable_is_told(session, tmp_path):
    sides = noisy(1e-6), noisy(1e-6, sharp=True)
    found = traced(session, tmp_path / "m.onnx", sides, Feeds([{"x": DATA}], {}))
    assert [one.name for one in found.entered] == ["t"] and found.begins == ("r",)
    assert found.entered[0].entry.verdict == "wrong" and found.exit_code == 1


def test_values_come_a_few_at_a_time_and_arrays_stay_in_files(session, monkeypatch):
    monkeypatch.setattr(own_values, "SHARE", 3000)
    side = Side(session.pool, INTERPRETER, branching())
    (step,) = next(steps_of([side], fed(True)))
    names = list(step.values)
    shares = list(step.values.shares(names))
    assert [name for share in shares for name in share] == names and len(shares) > 1
    assert all(sum(a.nbytes for a in one.values()) <= 3000 or len(one) == 1 for one in shares)
    assert not step.values.unlike


@pytest.mark.parametrize("way", own_run.WAYS)
def test_arrays_beside_the_graph_or_in_it_give_the_same(session, tmp_path, monkeypatch, way):
    """Where neither loads with its arrays beside it, as in ONNX Runtime 1.20, they lie in it."""
    usual = Side(session.pool, INTERPRETER, branching())
    (step,) = next(steps_of([usual], fed(True)))
    monkeypatch.setattr(own_run, "WAYS", (way,))
    other = Side(session.pool, INTERPRETER, branching())
    (found,) = next(steps_of([other], fed(True)))
    assert found.outputs["z"].tobytes() == step.outputs["z"].tobytes() and found.changed == 0
    inner = {name for name in step.values if name.startswith("choice/")}
    assert set(found.values) == set(step.values) - (set() if way[1] else inner)
    assert all(found.values.identity(name) == step.values.identity(name) for name in found.values)


def test_a_layer_is_judged_with_arrays_that_lie_in_a_file(session, tmp_path):
    """Weights of more than a kilobyte are not in the graph; they are read for the one layer."""
    weights = np.random.default_rng(5).normal(size=(40, 40, 3)).astype("float32")
    data = np.random.default_rng(6).normal(size=(1, 40, 64)).astype("float32")

    def net(order: int) -> bytes:
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
            helper.make_node("Elu", ["c"], ["y"], "elu"),
        ]
        held = [tensor("w", weights * np.float32(1 + order * 0.25))]
        x, y = value("x", shape=[1, 40, 64]), value("y")
        return saved(helper.make_graph(nodes, "g", [x], [y], held))

    found = traced(session, tmp_path / "m.onnx", (net(0), net(1)), Feeds([{"x": data}], {}))
    (entered,) = found.entered
    assert entered.name == "c" and entered.entry.verdict == "wrong"


RUN = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="says in other units how much memory it took")
def test_the_weights_of_a_large_file_are_held_few_times(tmp_path, runs_framework):
    """64 MB of weights: no process, here or there, holds them more than five times."""
    wide, depth = 1024, 16
    nodes = [
        helper.make_node("Conv", [f"x{n}", f"w{n}"], [f"x{n + 1}"], f"conv{n}")
        for n in range(depth)
    ]
    weights = np.random.default_rng(1).normal(0, wide**-0.5, (wide, wide, 1)).astype("float32")
    held = [tensor(f"w{n}", weights) for n in range(depth)]
    ends = [value(f"x{n}", shape=[1, wide, 4]) for n in (0, depth)]
    path = tmp_path / "m.onnx"
    path.write_bytes(saved(helper.make_graph(nodes, "g", ends[:1], ends[1:], held)))
    words = ["trace", str(path), "--framework", "onnxruntime", "--threads", "1,2"]
    command = [sys.executable, "-c", RUN, sys.executable, "-m", "convdiff", *words]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    assert int(ran.stdout) < 60 + 5 * 64
