"""What follows a convolution, in the same call: every framework against exact integers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from answers import Question, ask
from asking import Lab, lasting, need, of_axis, proved, same_or_proved
from by_taps import by_taps
from drawn_ops import shaped
from geometries import Shape, integers
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from known import check
from program import REPOSITORY, convdiff
from soak import one_in, soak
from test_frameworks import MAY_REFUSE, REFUSED
from test_geometries import padded

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.order.replay.step import ZEROS
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import OPS, Convolution
from convdiff.worker.ops.then import STEPS

pytestmark = pytest.mark.framework

BROADCAST = {"whole": (), "a channel": (0, 1, 2), "a number": (0, 1, 2, 3)}
"""What is added, by the axes along which it is one."""
FUSING = (
    "tensorflow:cpu",
    "tensorflow:cpu+graph",
    "tensorflow:cpu+xla",
    "torch:cpu",
    "jax:cpu",
    "jax:cpu+op_by_op",
    "onnxruntime:cpu",
    "onnxruntime:cpu+disabled",
    "onnxruntime:cpu+constant",
    "openvino:cpu+f32",
    "openvino:cpu+f32+constant",
    "tflite:cpu",
    "tflite:cpu+builtin",
    "numpy:cpu",
)
MAY_SAY = {"tflite": ("failed to prepare", "has no ")}
"""What TensorFlow Lite says of groups; its own tests are in a file of their own."""


def added_to(conv: Convolution, tensors: Tensors, ones: tuple[int, ...], seed: int = 5) -> Tensors:
    """Return the arrays with what is added, one along some axes."""
    shape = list(conv.output_shape(*tensors.input_nhwc.shape[:3]))
    for axis in ones:
        shape[axis] = 1
    numbers = np.random.default_rng(seed).integers(-3, 4, shape)
    return replace(tensors, added=numbers.astype(tensors.input_nhwc.dtype))


def question(
    conv: Convolution, shape: Shape, then: str, ones: tuple[int, ...] = (), seed: int = 7
) -> Question:
    """Return an op with a step, on small integers."""
    conv, tensors = conv._replace(then=then), integers(conv, shape, seed)
    if then == "add":
        tensors = added_to(conv, tensors, ones)
    return Question(conv, tensors, by_taps(conv, tensors))


def steps() -> list[tuple[str, tuple[int, ...]]]:
    """Return the steps, and what is added in each way."""
    return [(then, ()) for then in STEPS if then != "add"] + [
        ("add", ones) for ones in BROADCAST.values()
    ]


@pytest.mark.parametrize("spec", lasting(*FUSING))
def test_every_op_with_every_step_is_right_or_refused(lab: Lab, spec: str):
    need(spec)
    questions = [
        question(*padded(op, 1 + number % 2, 1), then, ones)  # groups in turns
        for number, (op, (then, ones)) in enumerate(product(OPS, steps()))
    ]
    for one in questions:
        if one.conv.then == "relu6":
            assert (one.right == 6).any() or one.conv.op == "conv1d"
        assert (one.right == 0).any()
    answers = ask(lab.pool, spec, questions)
    for one, answer in zip(questions, answers, strict=True):
        check(spec, one, answer, may_say=MAY_SAY.get(spec.partition(":")[0], ()))
    assert sum(not isinstance(answer, NoBits) for answer in answers) > len(answers) / 2


@pytest.mark.parametrize("dtype", ("float32", "float64", "float16", "bfloat16"))
@pytest.mark.parametrize(
    "spec", [spec for spec in lasting(*FUSING) if "+" not in spec or "+f32" in spec]
)
def test_steps_in_every_dtype_and_of_multiply_and_sum(lab: Lab, spec: str, dtype: str):
    need(spec)
    framework = spec.partition(":")[0]
    words = (REFUSED[framework, dtype],) if (framework, dtype) in REFUSED else ()
    words += tuple(MAY_REFUSE.get((framework, dtype), ()))
    for then in STEPS:
        for op in ("", "manual"):
            one = question(*padded("conv2d", 1, 1), then)
            conv = one.conv._replace(dtype=dtype)
            kind = numpy_dtype(dtype)
            given = (
                one.tensors.filter_hwio,
                one.tensors.bias,
                one.tensors.input_nhwc,
                one.tensors.added,
            )
            tensors = Tensors(*(None if a is None else a.astype(kind) for a in given))
            one = Question(conv, tensors, one.right)
            (answer,) = ask(lab.pool, spec, [one], op)
            check(spec, one, answer, may_say=words)


# TensorFlow's graphs abort on some of them (below) or end in SIGSEGV (small, padded, an added
# number); of them the named ops are asked above.
@pytest.mark.parametrize("spec", ("numpy:cpu", "onnxruntime:cpu", "torch:cpu", "tensorflow:cpu"))
@soak(300, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(list(OPS)), st.sampled_from(steps()), st.integers(0, 2**31))
def test_drawn_geometries_with_a_step(
    lab: Lab, spec: str, data: st.DataObject, op: str, step: tuple, seed: int
):
    need(spec)
    conv, shape = data.draw(shaped(op))
    assume(min(conv.outputs(*shape[1:3])) > 0)
    one = question(conv, shape, *step, seed)
    (answer,) = ask(lab.pool, spec, [one])
    check(spec, one, answer)


ABORTS = """
filter: {integers: [-3, 3], shape: [2, 1, 1, 4], seed: 1}
bias: [1, 2, 3, 4]
input: {integers: [-3, 3], shape: [1, 2, 1, 2], seed: 2}
groups: 2
strides: [3, 1]
padding: [[0, 0], [7, 7]]
then: relu
"""
"""Depthwise with numbers for padding: TensorFlow 2.21's shape function fails a check in a graph."""


def test_a_framework_that_aborts_is_told_with_its_last_words_and_how_to_repeat_it(tmp_path: Path):
    need("tensorflow:cpu+graph")
    (tmp_path / "aborts.yaml").write_text(ABORTS, "utf-8")
    ran = convdiff("run", "aborts.yaml", "--framework", "tensorflow:cpu+graph", cwd=tmp_path)
    text = " ".join(ran.out.split())
    if ran.code:  # a release that is mended gives the right answer
        assert ran.code == 125 and "worker killed by SIGABRT; last said: F0000" in text
        assert "tensor_format.h" in text and "Check failed: index >= 0" in text
        assert "again convdiff run aborts.yaml --framework tensorflow:cpu+graph" in text


def test_the_old_tensorflow_has_the_steps(lab: Lab, tf1_python: str):
    for op in ("conv2d", "conv3d", "conv2d_transpose", "dense"):
        questions = [question(*padded(op, 1, 1), *step) for step in steps()]
        jobs = [one.job("tensorflow:cpu") for one in questions]
        jobs = [replace(job, interpreter=Interpreter("tensorflow", tf1_python)) for job in jobs]
        answers = {number: result for number, _, result, _ in lab.pool.observe(jobs)}
        for number, one in enumerate(questions):
            assert not isinstance(answers[number], NoBits), answers[number]
            assert not one.fault(answers[number]), (op, one.conv.then)


def test_torch_compiled_has_the_steps(lab: Lab):
    need("torch")
    for step in steps()[:3]:
        one = question(*padded("conv2d", 1, 1), *step)
        (answer,) = ask(lab.pool, "torch:cpu+compiled", [one])
        check("torch:cpu+compiled", one, answer)


DRIFTING = """
op: {op}
filter: {{normal: 0.3, shape: {shape}, seed: 1}}
bias: {{normal: 1, seed: 3}}
input: {{normal: 1, seed: 2}}
{size}
then: {then}
expect: {{runtime: bitwise, device: bitwise}}
"""
SIZES = {
    "conv2d": ("[3, 3, 8, 8]", "height: 5\nlengths: 6\npadding: same"),
    "conv1d": ("[5, 4, 8]", "lengths: 12"),
    "conv2d_transpose": ("[4, 4, 4, 4]", "height: 3\nlengths: 3\nstrides: 2\npadding: same"),
    "dense": ("[64, 8]", "lengths: 4"),
}
PROVED = [("conv2d", "relu"), ("conv2d", "{add: {normal: 1, seed: 4}}"), ("conv1d", "relu6")]
PROVED += [("conv2d_transpose", "relu"), ("dense", "{add: [1, 2, 3, 4, 5, 6, 7, 8]}")]


@one_in(2, ("op", "then"), PROVED)
def test_what_differs_with_a_step_is_proved(lab: Lab, op: str, then: str):
    shape, size = SIZES[op]
    text = DRIFTING.format(op=op, shape=shape, size=size, then=then)
    specs = (
        "torch:cpu",
        "onnxruntime:cpu",
        "tensorflow:cpu+graph",
        "jax:cpu",
        "tflite:cpu+builtin",
    )
    found = of_axis(lab.ask(text, *specs), "runtime", op)
    assert len(found) == len(specs) - 1
    same_or_proved(found)
    for finding in found:
        if finding.verdict == "rounding":
            assert finding.without is not None and finding.without.passed_on > 0
            # oneDNN's relu without AVX-512 multiplies by zero.
            said = [order.words.removesuffix(ZEROS["signed"]) for order in finding.why.orders]
            words = {one.split(", ")[-1] for one in said}
            assert words == {f"then {then}" if then[0] != "{" else "then the array is added"}


def test_the_old_tensorflow_is_explained_with_a_step(lab: Lab, tf1_python: str):
    text = """
filter: [-0.7313, -1.1043, 1.8492, 1.3007, -0.1033]
bias: [0.0401]
input: {ramp: 10.0}
lengths: [7, 9]
then: relu
expect: {length: bitwise}
"""
    (finding,) = of_axis(lab.ask(text, "tensorflow", pythons=[tf1_python]), "length")
    proved(finding)
    assert [str(cause) for cause in finding.why.causes] == ["order"]
    assert finding.without is not None and finding.without.passed_on == 2


@pytest.mark.parametrize("then", ["relu", "relu6"])
def test_nan_is_kept_or_said_to_be_taken_for_a_limit(lab: Lab, then: str):
    text = (REPOSITORY / "cases" / "nan_through_relu.yaml").read_text("utf-8")
    specs = [
        spec for spec in FUSING if spec.startswith(("torch", "tensorflow", "onnx", "openvino"))
    ]
    found = of_axis(lab.ask(text.replace("then: relu", f"then: {then}"), *specs), "runtime")
    assert {finding.verdict for finding in found} <= {"same", "precision"}
    for finding in found:
        known = ("takes NaN for one of its limits", "multiplies what is below zero by it")
        said = [fact for fact in finding.evidence if any(words in str(fact) for words in known)]
        assert bool(said) == (finding.verdict == "precision"), finding.evidence
