"""PyTorch is really handed tensors that lie as a mode says, and computes the same of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import Lab
from watched_torch import strides, torch, watched

from convdiff.worker.framework import Device
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework

__all__ = ["torch"]

CONV = Convolution((3, 3), 2, 4)
X = np.arange(1 * 5 * 6 * 2, dtype=np.float32).reshape(1, 5, 6, 2)
W = np.arange(3 * 3 * 2 * 4, dtype=np.float32).reshape(3, 3, 2, 4)
PLAIN = (60, 30, 6, 1), (18, 9, 3, 1)
STRIDES = {
    "cpu": PLAIN,
    "cpu+channels_last": ((60, 1, 12, 2), (18, 1, 6, 2)),
    "cpu+weights_channels_last": (PLAIN[0], (18, 1, 6, 2)),
    "cpu+input_channels_last": ((60, 1, 12, 2), PLAIN[1]),
    "cpu+input_sliced": ((120, 60, 12, 2), PLAIN[1]),
    "cpu+weights_sliced": (PLAIN[0], (36, 18, 6, 2)),
    "cpu+input_channel_slice": ((120, 30, 6, 1), PLAIN[1]),
    "cpu+weights_channel_slice": (PLAIN[0], (36, 9, 3, 1)),
    "cpu+input_permuted": ((1, 1, 2, 10), PLAIN[1]),
    "cpu+weights_permuted": (PLAIN[0], (1, 4, 8, 24)),
    "cpu+input_sliced+weights_channels_last": ((120, 60, 12, 2), (18, 1, 6, 2)),
}


@pytest.mark.parametrize("spec", STRIDES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_tensors_lie_as_the_mode_says(torch: Any, spec: str, dtype: str):
    framework, calls = watched(torch)
    arrays = (X, W) if dtype == "float32" else ((X * 0 + 1), (W % 3))
    if dtype == "bfloat16":
        arrays = tuple((a.view(np.uint32) >> 16).astype(np.uint16) for a in arrays)
    conv = CONV._replace(dtype=dtype)
    expected = torch.open(None).conv2d(conv, Device("cpu"), *arrays, None)
    found = framework.conv2d(conv, Device.parsed(spec), *arrays, None)
    assert strides(calls[0]) == STRIDES[spec]
    assert np.array_equal(found, expected), "small integers: exact in any order"


def test_one_input_channel_is_told_apart_by_strides_too(torch: Any):
    framework, calls = watched(torch)
    conv = Convolution((3, 3), 1, 4)
    device = Device("cpu", ("weights_channels_last",))
    framework.conv2d(conv, device, X[..., :1].copy(), W[:, :, :1].copy(), None)
    assert [strides(call) for call in calls] == [((30, 30, 6, 1), (9, 1, 3, 1))], (
        "as torch.randn has it, of one channel too"
    )


def test_every_mode_is_listed_and_two_of_one_array_are_refused(torch: Any):
    framework = torch.open(None)
    modes = framework.fingerprint()["modes"]
    for spec in STRIDES:
        assert set(Device.parsed(spec).modes) <= set(modes)
    for pair in ("input_sliced+input_permuted", "channels_last+weights_sliced"):
        with pytest.raises(ValueError, match="lay out one array"):
            framework.conv2d(CONV, Device.parsed(f"cpu+{pair}"), X, W, None)


CASES = {
    "one input channel": "filter: {normal: 0.3, shape: [3, 3, 1, 4], seed: 1}\nheight: 8\n",
    "depthwise": "filter: {normal: 0.3, shape: [3, 3, 1, 4], seed: 1}\ngroups: 4\nheight: 8\n",
    "wide": "filter: {normal: 0.3, shape: [1, 5, 16, 8], seed: 1}\nstrides: [1, 2]\n",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_however_arrays_lie_it_is_the_same_or_rounding(lab: Lab, text: str):
    specs = [f"torch:{spec}" for spec in STRIDES]
    case = lab.ask(f"{text}input: {{normal: 1.0, seed: 3}}\nlengths: 12\n", *specs, budget=0)
    found = [finding for finding in case.findings if finding.comparison.axis == "runtime"]
    assert len(found) >= len(specs) - 1
    for finding in found:
        assert finding.verdict in ("same", "rounding", "transform"), finding.evidence
        assert not finding.comparison.mismatch


def test_without_a_mode_strides_are_those_of_the_shape(torch: Any):
    """NumPy calls one channel contiguous whatever its stride, which PyTorch takes for a format."""
    framework, calls = watched(torch)
    for channels, kernel in ((1, (3, 3)), (2, (1, 3)), (1, (1, 1))):
        conv = Convolution(kernel, channels, 1)
        x = X[..., :channels]
        w = np.ones(conv.filter_shape, np.float32)
        framework.conv2d(conv, Device("cpu"), x, w, None)
        height, width = kernel
        dense = (30 * channels, 30, 6, 1), (height * width * channels, height * width, width, 1)
        assert strides(calls.pop()) == dense


@pytest.mark.parametrize("offset", [0, 4, 8, 12, 20])
def test_where_an_array_came_to_lie_changes_no_bits(torch: Any, offset: int):
    """MKL's matrix products give other bits where an input begins at another address."""
    rng, conv = np.random.default_rng(1), Convolution((1, 1), 64, 3, op="dense")
    x, w = rng.normal(size=(1, 5, 64)).astype("f4"), rng.normal(size=(1, 64, 3)).astype("f4")
    bias = np.ones(3, np.float32)
    memory = np.zeros(x.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    moved = memory[start : start + x.nbytes].view(np.float32).reshape(x.shape)
    moved[...] = x
    functional = torch.open(None).torch.nn.functional
    own = torch.open(None).torch.tensor
    expected = functional.linear(own(x), own(np.ascontiguousarray(w[0].T)), own(bias)).numpy()
    found = torch.open(None).dense(conv, Device("cpu"), moved, w, bias)
    assert found.tobytes() == expected.tobytes()
