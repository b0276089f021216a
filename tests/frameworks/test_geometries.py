"""Padded, grouped, dilated, transposed: every framework against exact integers, or it refuses."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from answers import ask, of_integers
from asking import Lab, need
from drawn_ops import shaped
from geometries import Shape, geometries
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from known import REFUSED, WRONG, Known, asked_of, check, is_deadly
from soak import SHARE, WHOLE, soak
from test_frameworks import DTYPES, MAY_REFUSE
from test_frameworks import REFUSED as DTYPES_REFUSED

from convdiff.lab.pool import Pool
from convdiff.plan.cell import NoBits
from convdiff.worker.ops.convolution import OPS, Convolution

pytestmark = pytest.mark.framework

SPECS = (
    "numpy:cpu",
    "onnxruntime:cpu",
    "onnxruntime:cpu+constant",
    "openvino:cpu+f32",
    "openvino:cpu+f32+constant",
    "tensorflow:cpu",
    "torch:cpu",
    "jax:cpu",
    "tflite:cpu",
)
LISTED = geometries()
GROUPED = ("grouped", "grouped_tail", "grouped_stride_tail")
GROUPED += ("depthwise", "depthwise_tail", "depthwise_stride_tail")
REFUSED_OF_LISTED = {
    framework: {f"3d_conv:{name}" for name in GROUPED} for framework in ("tensorflow", "tflite")
}
"""By framework, which of a peer's geometries it refuses; in words that are in `known`."""
ALWAYS_WHOLE = ("numpy:cpu", "onnxruntime:cpu")
"""Asked for all of them in `make test` too."""


def test_a_peers_geometries_have_the_outputs_it_says():
    assert len(LISTED) == 89
    for name, (conv, shape, outputs) in LISTED.items():
        *high, length = outputs
        wanted = (shape[0], int(np.prod(high)), length, conv.channels_out)
        assert conv.output_shape(*shape[:3]) == wanted, name
        assert of_integers(conv, shape).right.shape == wanted, name


@pytest.mark.soak
@pytest.mark.parametrize("spec", SPECS)
def test_a_peers_geometries_are_right_or_refused(lab: Lab, spec: str):
    need(spec)
    names = list(LISTED)
    if not WHOLE and spec not in ALWAYS_WHOLE:
        names = names[::SHARE]
    questions = {name: of_integers(*LISTED[name][:2]) for name in names}
    answers = {}
    for name, question in questions.items():
        (answers[name],) = ask(lab.pool, asked_of(spec, question.conv), [question])
    for name, answer in answers.items():
        check(spec, questions[name], answer)
        assert isinstance(answer, NoBits) or not questions[name].fault(answer), name
    refused = {name for name, answer in answers.items() if isinstance(answer, NoBits)}
    assert refused == REFUSED_OF_LISTED.get(spec.partition(":")[0], set()) & set(names)
    assert len(names) < len(LISTED) or len(names) - len(refused) >= 83


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("spec", SPECS)
@soak(1000, suppress_health_check=list(HealthCheck))
@given(st.data(), st.integers(0, 2**31), st.booleans())
def test_drawn_geometries_are_right_or_refused(
    lab: Lab, spec: str, op: str, data: st.DataObject, seed: int, bias: bool
):
    need(spec)
    conv, shape = data.draw(shaped(op))
    assume(not is_deadly(spec, conv, shape))
    question = of_integers(conv, shape, seed, bias)
    (answer,) = ask(lab.pool, asked_of(spec, question.conv), [question])
    check(spec, question, answer)


DEADLY = {
    "openvino:cpu+f32+constant": (
        Convolution((5, 1), 3, 6, (3, 2), (2, 3), 3, padding=((9, 5), (1, 7))),
        (1, 3, 1, 3),
    ),
    "tflite:cpu": (
        Convolution((1, 4, 7), 1, 1, (3, 2, 2), (3, 2, 3), 1, "float32", "conv3d_transpose",
                    ((4, 9), (4, 9), (3, 6)), (0, 1, 0), 5),
        (1, 15, 2, 1),
    ),
}  # fmt: skip
"""Geometries that soaks found: the process dies of them today."""


@pytest.mark.parametrize("spec", DEADLY)
def test_a_process_that_dies_of_a_geometry_is_said_to(lab: Lab, spec: str):
    need(spec)
    conv, shape = DEADLY[spec]
    assert is_deadly(spec, conv, shape)
    question = of_integers(conv, shape)
    with Pool(timeout=60) as pool:  # its own: the others' workers are not to die
        (answer,) = ask(pool, spec, [question])
    if isinstance(answer, NoBits) and answer.died:
        assert "killed by SIG" in answer.reason
    else:
        check(spec, question, answer)


def padded(op: str, groups: int, dilation: int) -> tuple[Convolution, Shape]:
    """Return an op that is strided and padded unevenly, each as far as it can be."""
    if op == "dense":
        return Convolution((1, 1), 12, 5, op=op), (2, 1, 3, 12)
    rank = OPS[op]
    fill = (1,) * (2 - rank)
    conv = Convolution(
        kernel=fill + (2, 2, 3)[-rank:],
        channels_in=4,
        channels_out=6,
        strides=fill + (1, 1, 2)[-rank:],
        dilations=fill + (1, 1, dilation)[-rank:],
        groups=groups,
        op=op,
        padding=((0, 0),) * (2 - rank) + ((1, 0), (0, 1), (2, 1))[-rank:],
        output_padding=(0,) * max(2, rank),
        depth=3 if rank == 3 else 1,
    )
    return conv, (2, {1: 1, 2: 5, 3: 15}[rank], 7, 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spec", SPECS[:3])  # the others in files of their own
def test_every_op_is_right_in_every_dtype_or_refused(lab: Lab, spec: str, dtype: str):
    need(spec)
    key = spec.partition(":")[0], dtype
    words = (DTYPES_REFUSED[key],) if key in DTYPES_REFUSED else MAY_REFUSE.get(key, ())
    for op, both in product(OPS, (1, 2)):
        conv, shape = padded(op, both, both)
        question = of_integers(conv._replace(dtype=dtype), shape)
        assert np.abs(question.right).max() <= 256, "so that bfloat16 holds every partial sum"
        (answer,) = ask(lab.pool, spec, [question])
        assert isinstance(answer, NoBits) or key not in DTYPES_REFUSED
        check(spec, question, answer, may_say=words)


@pytest.mark.parametrize("spec", SPECS)
def test_the_odd_zero_is_where_its_name_says(lab: Lab, spec: str):
    """Three taps at a stride of two on an even length: one zero, or one output cut off."""
    need(spec)
    answered = 0
    for op, padding in product(OPS, ("same", "same_lower", "causal")):
        if op == "dense" or (padding == "causal" and op.endswith("_transpose")):
            continue
        conv, (batch, rows, _, channels) = padded(op, 1, 1)
        conv, shape = conv._replace(padding=padding), (batch, rows, 8, channels)
        one, other = (of_integers(conv._replace(padding=p), shape) for p in ("same", "same_lower"))
        assert not np.array_equal(one.right, other.right), "that either would be seen"
        question = of_integers(conv, shape)
        (answer,) = ask(lab.pool, spec, [question])
        check(spec, question, answer)
        answered += not isinstance(answer, NoBits)
    assert answered > 3 * 2


@given(st.data(), st.sampled_from(list(OPS)))
def test_an_input_too_small_for_an_output_is_refused_with_the_reason(data: st.DataObject, op: str):
    conv, shape = data.draw(shaped(op))
    if min(conv.outputs(*shape[1:3])) > 0:
        assert of_integers(conv, shape).right.shape == conv.output_shape(*shape[:3])
        return
    assert not of_integers(conv, shape).right.size
    with pytest.raises(ValueError, match="the input is smaller than the filter"):
        conv.windows(np.zeros(shape))


EXAMPLES = [
    pytest.param(row, known, id=f"{row.framework}: {row.name}")
    for known in ("refused", "wrong")
    for row in {"refused": REFUSED, "wrong": WRONG}[known]
    if row.example
]


@pytest.mark.parametrize(("row", "known"), EXAMPLES)
def test_what_is_known_of_a_framework_is_still_so(lab: Lab, row: Known, known: str):
    need(row.framework)
    assert row.example is not None
    question = of_integers(*row.example)
    assert row.when(*row.example)
    for spec in (spec for spec in SPECS if spec.partition(":")[0] == row.framework):
        (answer,) = ask(lab.pool, spec, [question])
        reason = question.refusal(answer)
        if known == "wrong":
            assert not isinstance(answer, NoBits), (spec, reason)
            reason = question.fault(answer)
        assert row.words in (reason or ""), spec
