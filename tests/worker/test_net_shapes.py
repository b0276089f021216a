"""How large a net's activations are: as NumPy's runner makes them, and refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nets_of_all_kinds import DEPTHS, Builder, convolutions, flattened, joins, pools, squeezed

from convdiff.worker.framework import Device
from convdiff.worker.frameworks import numpy as numpy_framework
from convdiff.worker.nets.pools import counts
from convdiff.worker.ops.net import INPUT, Layer, Net
from convdiff.worker.ops.net_shapes import extents, moves, shapes

MAKERS = (
    joins,
    pools,
    lambda rank, integers: convolutions(rank, integers, transposed=False),
    lambda rank, integers: convolutions(rank, integers, transposed=True),
    lambda rank, integers: flattened(rank, "hwc", integers),
    lambda rank, integers: squeezed(rank, "hwc", integers),
)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_shapes_are_those_of_what_is_computed(rank: int):
    for make in MAKERS:
        subject = make(rank, True).subject()
        batch, rows, length, channels = subject.input_nhwc.shape
        said = shapes(subject.net, rows, length, channels, DEPTHS[rank])
        net = numpy_framework.open(None).net(subject.net, Device("cpu"), subject.arrays)
        names = {layer.name for layer in subject.net.layers}
        seen = {name: y.shape for name, y in net.run(subject.input_nhwc, names)}
        assert said.pop(INPUT) == (rows, length, channels)
        assert seen == {name: (batch, *shape) for name, shape in said.items()}


def torchs_extent(n: int, kernel: int, stride: int, pad: int, ceil: bool) -> int:
    """Outputs of a pool, as torch's documentation has it."""
    whole = (n + 2 * pad - kernel) / stride + 1
    if not ceil:
        return math.floor(whole)
    outputs = math.ceil(whole)
    return outputs - 1 if (outputs - 1) * stride >= n + pad else outputs


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2), st.booleans())
def test_ceil_mode_adds_windows_that_begin_inside(n, kernel, stride, pad, ceil):
    pad = min(pad, kernel // 2)  # as torch has it
    pads = ((0, 0), (pad, pad))
    settings = {"size": (1, kernel), "strides": (1, stride), "dilations": (), "padding": pads}
    settings |= {"ceil_mode": ceil, "count_include_pad": True}
    layer = Layer("p", "avg_pool", (INPUT,), settings, {})
    (_, axis) = moves(layer, (1, 1, n, 1))
    outputs = axis.extent(n)
    if outputs < 1:
        return
    assert outputs == torchs_extent(n, kernel, stride, pad, ceil)
    starts = np.arange(outputs) * stride - pad
    ends = np.minimum(starts + kernel, n + pad)  # what ceil_mode adds is not counted
    assert counts(layer, (1, 1, n, 1)).tolist() == [(ends - starts).tolist()]


def test_the_layer_that_does_not_fit_is_named():
    narrow = Builder(2)
    narrow.add("max_pool", size=(2, 2))
    narrow.add("max_pool", size=(4, 2))
    other = Builder(2)
    other.conv()
    other.add("relu")
    other.conv(source=other.layers[1].name)
    shuffled = Net((*other.layers[:2], other.layers[2]._replace(sources=(INPUT,))), ("relu_1",))
    apart = Builder(2)
    apart.add("add", apart.conv(), apart.conv(kernel=(1, 2), source=INPUT))
    single = Builder(2)
    single.add("add")
    wrong = Builder(2)
    wrong.add("reshape", shape=(1, 2, 3))
    told = [
        (narrow.net(), "max_pool_1: nothing is left: its window of 4 x 2 is larger than 3 x 5"),
        (shuffled, "conv2d_2: its filter reads 3 channels, and its input has 4"),
        (apart.net(), r"add_2: its inputs are \(5, 10, 3\), \(7, 10, 3\): not alike"),
        (single.net(), "add_0: it joins two or more, and has one"),
        (wrong.net(), r"reshape_0: \(7, 11, 4\) has not the elements of \(1, 2, 3\)"),
    ]
    for net, words in told:
        with pytest.raises(ValueError, match=words):
            shapes(net, 7, 11, 4)


def test_depth_goes_its_own_way_in_a_net_of_three_dimensions():
    b = Builder(3)
    b.add("max_pool", size=(2, 3, 2), strides=(1, 1, 1))
    assert extents(b.net(), 21, 11, 4, 3)[b.last] == (2, 5, 10, 4)
    assert shapes(b.net(), 21, 11, 4, 3)[b.last] == (10, 10, 4)
