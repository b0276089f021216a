"""JAX computes every op in every dtype, by lax's own paddings where it has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import Lab, need
from small_ops import CONVOLUTIONS, DENSE, answers, check, geometry, in_all, question, some
from soak import one_in

from convdiff.worker.framework import Device
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework


def nothing(conv: Convolution) -> tuple[str, ...]:
    return ()


@one_in(3, "dtype", ["float32", "float64", "float16", "bfloat16"])
def test_every_op_is_exact_in_every_dtype(lab: Lab, dtype: str):
    convs = in_all([conv for op in CONVOLUTIONS for conv in some(op)] + [DENSE], dtype)
    assert check(convs, answers(lab, "jax:cpu", convs), nothing) == len(convs)


@pytest.mark.parametrize("mode", ["default", "high", "highest"])
def test_every_precision_is_exact(lab: Lab, mode: str):
    convs = [geometry(op, "same", "groups, strides") for op in CONVOLUTIONS] + [DENSE]
    convs += [geometry("conv2d_transpose", "one side", "strides, dilations")]
    assert check(convs, answers(lab, f"jax:cpu+{mode}", convs), nothing) == len(convs)


def test_negative_padding_lengthens_a_transposed_output(lab: Lab):
    convs = [geometry("conv1d_transpose", "valid", move) for move in ("strides", "groups")]
    convs = [conv._replace(padding=((0, 0), (-2, -1))) for conv in convs]
    assert check(convs, answers(lab, "jax:cpu", convs), nothing) == 2


@pytest.fixture(scope="module")
def jax() -> Any:
    need("jax")
    from convdiff.worker.frameworks import jax as module

    return module


PADDINGS = {
    "valid": "VALID",
    "same": "SAME",
    "same_lower": "SAME_LOWER",
    "both sides": [(1, 1), (2, 2)],
    "one side": [(0, 1), (1, 2)],
    "causal": [(0, 0), (1, 0)],
    "cropped": [(0, 0), (0, 0)],
}


@pytest.mark.parametrize("padding", PADDINGS)
def test_padding_is_handed_to_lax(jax: Any, monkeypatch: pytest.MonkeyPatch, padding: str):
    framework, calls = jax.open(None), []
    lax = framework.jax.lax
    convolve = lax.conv_general_dilated

    def watched(x: Any, w: Any, strides: Any, padding: Any, **options: Any) -> Any:
        calls.append((x.shape, padding))
        return convolve(x, w, strides, padding, **options)

    monkeypatch.setattr(lax, "conv_general_dilated", watched)
    conv = geometry("conv2d", padding)
    asked, given = question(conv), question(conv).tensors
    y = framework.conv2d(conv, Device("cpu"), given.input_nhwc, given.filter_hwio, given.bias)
    assert not asked.fault(y)
    cropped = (2, 5, 6, 3) if padding == "cropped" else (2, 6, 9, 3)
    assert calls == [(cropped, PADDINGS[padding])]


def test_the_transposed_filter_is_not_flipped(jax: Any):
    """As TensorFlow, PyTorch and ONNX have it: an input goes to the outputs in the taps' order."""
    conv = Convolution((1, 3), 1, 1, op="conv1d_transpose")
    x, w = np.float32([[[1], [0], [0], [0]]]), np.float32([[[1]], [[2]], [[3]]])
    y = jax.open(None).conv1d_transpose(conv, Device("cpu"), x, w, None)
    assert y.ravel().tolist() == [1, 2, 3, 0, 0, 0]
