"""Modes of memory: the same values with other strides, and NaN where nobody is to read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convdiff.worker import memory, own_kernel
from convdiff.worker.framework import Device
from convdiff.worker.ops.convolution import Convolution

ARRAYS = {
    "NCHW": np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5),
    "OIHW": np.arange(6 * 1 * 3 * 3, dtype=np.float64).reshape(6, 1, 3, 3),
    "NHWC": np.arange(1 * 4 * 5 * 2, dtype=np.float16).reshape(1, 4, 5, 2),
    "HWIO": np.arange(3 * 2 * 4 * 5, dtype=np.uint16).reshape(3, 2, 4, 5),
}


@pytest.mark.parametrize("axes", ARRAYS)
@pytest.mark.parametrize("layout", memory.LAYOUTS)
def test_values_are_the_same_and_what_lies_between_is_nan(axes: str, layout: str):
    array = ARRAYS[axes]
    lying = memory.laid(array, axes, f"input_{layout}")
    assert np.array_equal(lying.view, array) and lying.view.dtype == array.dtype
    assert lying.buffer.flags.c_contiguous and not np.shares_memory(lying.buffer, array)
    again = np.lib.stride_tricks.as_strided(
        lying.buffer.reshape(-1)[lying.offset :],
        array.shape,
        [stride * array.itemsize for stride in lying.strides],
    )
    assert np.array_equal(again, array), "offset and strides say where it is"
    lying.view[...] = 0
    rest = lying.buffer[lying.buffer != 0]
    assert rest.size == lying.buffer.size - array.size
    assert (rest == memory.BFLOAT16_NAN).all() if axes == "HWIO" else np.isnan(rest).all()


def test_the_strides_of_each_mode():
    array = ARRAYS["NCHW"]
    strides = {
        name: memory.laid(array, "NCHW", f"weights_{name}").strides for name in memory.LAYOUTS
    }
    assert strides == {
        "sliced": (120, 40, 10, 2),
        "channel_slice": (100, 20, 5, 1),
        "permuted": (1, 2, 6, 24),
    }
    assert memory.laid(array, "NCHW", "input_channel_slice").offset == 20


def test_two_layouts_of_one_array_are_refused():
    wanted = ("input_sliced", "input_permuted")
    assert memory.one_of(("compiled", "input_permuted"), wanted) == "input_permuted"
    assert memory.one_of(("compiled",), wanted) == ""
    with pytest.raises(ValueError, match="input_sliced and input_permuted lay out one array"):
        memory.one_of(("input_permuted", "input_sliced"), wanted)


def kernel(seen: list[Any]) -> Any:
    def convolution(x: Any, w: Any, b: Any) -> Any:
        seen.extend((x.copy(order="K"), w, x.strides))
        x[...] = 7
        return np.zeros((1, 1, 4, 1), x.dtype)

    return own_kernel.Kernel("m:f", convolution, np)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_kernel_of_ones_own_is_given_arrays_that_lie_so(dtype: str):
    kind = np.uint16 if dtype == "bfloat16" else np.float32
    x = np.arange(5, dtype=kind).reshape(1, 1, 5, 1)
    w = np.arange(2, dtype=kind).reshape(1, 2, 1, 1)
    seen: list[Any] = []
    one = kernel(seen)
    assert set(memory.MODES) == set(one.fingerprint()["modes"])
    conv = Convolution((1, 2), 1, 1, dtype=dtype)
    one.conv2d(conv, Device("cpu", ("input_sliced", "weights_permuted")), x, w, None)
    assert seen[2][2] == 2 * x.itemsize, "every second column"
    assert np.array_equal(seen[0].view(kind), x) and np.array_equal(seen[1].view(kind), w)
    assert x.reshape(-1).tolist() == [0, 1, 2, 3, 4], "what it does to its argument stays there"
    seen.clear()
    one.conv2d(conv, Device("cpu"), x, w, None)
    assert seen[2] == x.strides
