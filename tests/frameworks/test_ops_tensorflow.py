"""TensorFlow computes every op, padded by itself where it can, and refuses in its own words."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from asking import Lab, need
from small_ops import CONVOLUTIONS, DENSE, answers, check, every, geometry, in_all, some

from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import OPS, Convolution

pytestmark = pytest.mark.framework

GROUPED_3D = ("must have the same depth", "must match last dimension", "same number of channels")
DILATED_3D = ("currently only supports dilated rates of 1",)
DILATED_TRANSPOSED = ("not yet support dilation rates larger than 1",)
GROUPED_TRANSPOSED = ("Gradients for grouped convolutions are not supported on CPU",)


def own(onednn: str) -> Interpreter:
    need("tensorflow")
    return Interpreter("tensorflow", sys.executable, None, (("TF_ENABLE_ONEDNN_OPTS", onednn),))


def refused(conv: Convolution) -> tuple[str, ...]:
    """Return what TensorFlow may say of an op: oneDNN's kernels can more than its own."""
    words: tuple[str, ...] = ()
    if conv.groups > 1 and conv.rank == 3:
        words += GROUPED_3D
    if conv.groups > 1 and conv.transposed:
        words += GROUPED_TRANSPOSED
    if max(conv.dilations) > 1 and conv.transposed:
        words += DILATED_TRANSPOSED
    if max(conv.dilations) > 1 and conv.op == "conv3d":
        words += DILATED_3D
    return words


@pytest.mark.parametrize("op", CONVOLUTIONS)
def test_without_onednn_every_padding_and_move_is_exact_or_refused(lab: Lab, op: str):
    convs = list(every(op))
    exact = check(convs, answers(lab, "tensorflow:cpu", convs, own("0")), refused)
    assert exact == len([conv for conv in convs if not refused(conv)])


@pytest.mark.parametrize("mode", ["", "+graph"])
def test_with_onednn_every_op_is_exact_or_refused(lab: Lab, mode: str):
    convs = [conv for op in CONVOLUTIONS for conv in some(op)] + [DENSE]
    exact = check(convs, answers(lab, f"tensorflow:cpu{mode}", convs, own("1")), refused)
    assert exact >= len([conv for conv in convs if not refused(conv)])


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_every_op_is_exact_or_refused_in_every_dtype(lab: Lab, dtype: str):
    convs = in_all([conv for op in CONVOLUTIONS for conv in some(op)] + [DENSE], dtype)
    exact = check(convs, answers(lab, "tensorflow:cpu", convs, own("0")), refused)
    assert exact == len([conv for conv in convs if not refused(conv)])


def test_in_xla_everything_is_exact(lab: Lab):
    convs = [conv for op in CONVOLUTIONS for conv in some(op)] + [DENSE]
    found = answers(lab, "tensorflow:cpu+xla", convs, own("1"))
    assert check(convs, found, lambda conv: ()) == len(convs)


OWN_WORDS = [
    (geometry("conv3d", "valid", "groups"), GROUPED_3D[1]),
    (geometry("conv3d", "valid", "dilations"), DILATED_3D[0]),
    (geometry("conv2d_transpose", "valid", "dilations"), DILATED_TRANSPOSED[0]),
    (geometry("conv2d_transpose", "valid", "groups"), GROUPED_TRANSPOSED[0]),
    (geometry("conv3d_transpose", "valid", "groups"), GROUPED_3D[2]),
    (
        geometry("conv1d_transpose", "valid")._replace(output_padding=(0, 1)),
        "Size of out_backprop doesn't match computed",
    ),
    (
        geometry("conv2d_transpose", "valid")._replace(padding=((-1, 0), (0, 0))),
        "All elements of explicit_paddings must be nonnegative",
    ),
    (
        geometry("conv1d_transpose", "valid")._replace(padding=((0, 0), (-1, 0))),
        "Expected string for argument 'padding' not [[0, 0], [-1, 0], [0, 0]]",
    ),
    (
        Convolution((1, 3), 2, 2, (1, 2), groups=2),
        "only supports equal length strides in the row and column dimensions",
    ),
]


@pytest.mark.parametrize("mode", ["", "+graph"])
def test_what_it_refuses_it_refuses_in_its_own_words(lab: Lab, mode: str):
    convs = [conv for conv, _ in OWN_WORDS]
    found = answers(lab, f"tensorflow:cpu{mode}", convs, own("0"))
    for (conv, words), answer in zip(OWN_WORDS, found, strict=True):
        assert isinstance(answer, NoBits) and not answer.died, conv
        assert words in answer.reason, conv


def test_depthwise_with_strides_and_dilations_has_another_shape(lab: Lab):
    """tensorflow#57128: what TensorFlow gives is passed on, and not mended."""
    conv = geometry("conv2d", "valid", "depthwise")
    conv = conv._replace(kernel=(3, 3), strides=(2, 2), dilations=(2, 2))
    (found,) = answers(lab, "tensorflow:cpu", [conv], own("0"))
    assert not isinstance(found, NoBits)
    assert (conv.output_shape(2, 6, 9), found.shape) == ((2, 1, 3, 4), (2, 2, 3, 4))


def test_it_says_where_it_pads_itself():
    from convdiff.worker import tensorflow_ops

    class Two:
        __version__ = "2.21.0"

    class One:
        __version__ = "1.6.0"

    for op in OPS:
        for padding in ("valid", "same"):
            conv = geometry(op, padding)
            assert tensorflow_ops.pads_itself(Two, conv) and tensorflow_ops.pads_itself(One, conv)
        numbers = geometry(op, "one side")
        assert tensorflow_ops.pads_itself(Two, numbers) == op.startswith("conv2d")
        assert not tensorflow_ops.pads_itself(One, numbers)


def in_tensorflow_1(conv: Convolution) -> tuple[str, ...]:
    words: tuple[str, ...] = ()
    if conv.op == "conv1d_transpose":
        words += ("has no attribute 'conv1d_transpose'",)
    if conv.groups > 1:
        words += ("has no grouped convolution", "input and filter must have the same depth")
    if max(conv.dilations) > 1:
        words += (
            "got an unexpected keyword argument 'dilations'",
            "strides > 1 not supported in conjunction with dilation_rate > 1",
        )
    return words


def test_tensorflow_1_0_0_has_some_of_them(lab: Lab, tf1_python: str):
    convs = [conv for op in CONVOLUTIONS for conv in every(op)] + [DENSE]
    found = answers(lab, "tensorflow:cpu", convs, Interpreter("tensorflow", tf1_python))
    exact = check(convs, found, in_tensorflow_1)
    assert exact >= len([conv for conv in convs if not in_tensorflow_1(conv)]) > 60


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_tensorflow_1_6_0_has_some_of_them(lab: Lab, tf16_python: str, dtype: str):
    convs = [conv for op in CONVOLUTIONS for conv in some(op) if max(conv.dilations) == 1]
    convs = in_all([*convs, DENSE], dtype)
    found = answers(lab, "tensorflow:cpu", convs, Interpreter("tensorflow", tf16_python))
    exact = check(convs, found, in_tensorflow_1)
    assert exact >= len([conv for conv in convs if not in_tensorflow_1(conv)])


def test_tensorflow_1_6_0_ignores_the_dilations_of_conv3d(lab: Lab, tf16_python: str):
    """It takes them and computes without: passed on, and not mended."""
    conv = geometry("conv3d", "valid", "dilations")
    (found,) = answers(lab, "tensorflow:cpu", [conv], Interpreter("tensorflow", tf16_python))
    assert not isinstance(found, NoBits)
    undilated = conv._replace(dilations=(1, 1, 1))
    assert (found[0].size, found.shape[0]) == (int(np.prod(undilated.output_shape(1, 12, 9))), 2)
    assert found[0].size != int(np.prod(conv.output_shape(1, 12, 9)))
