"""Padded and transposed convolutions of one to three dimensions, against their definition."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convdiff.worker.ops.axis import PADDINGS, Axis
from convdiff.worker.ops.convolution import Convolution


@st.composite
def axes(draw, transposed=None):
    is_transposed = draw(st.booleans()) if transposed is None else transposed
    words = [word for word in PADDINGS if word != "causal" or not is_transposed]
    pads = st.tuples(st.integers(-2, 8), st.integers(-2, 8))
    stride, kernel = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    hangs_over = draw(st.booleans()) and not is_transposed
    if hangs_over:  # pools, whose padding is half a window at most
        pads = st.tuples(st.integers(0, kernel // 2), st.integers(0, kernel // 2))
    return Axis(
        kernel,
        stride,
        draw(st.integers(1, 3)),
        draw(st.sampled_from(words) | pads),
        is_transposed,
        draw(st.integers(0, stride)) if is_transposed else 0,
        hangs_over,
    )


def reads(axis: Axis, extent: int) -> np.ndarray:
    """Which input each output reads at each tap, from what the words mean."""
    before, after = axis.pad(extent)
    if not axis.transposed:
        left = list(range(extent))[max(-before, 0) : extent - max(-after, 0)]
        padded = [-1] * max(before, 0) + left + [-1] * max(after, 0) if left else []
        starts = list(range(0, len(padded) - axis.reach + 1, axis.stride)) if left else []
        following = len(starts) * axis.stride
        if axis.ceil_mode and left and following - axis.stride + axis.reach < len(padded):
            starts += [following] if following < extent + before else []
            padded += [-1] * axis.reach
        rows = [padded[s : s + axis.reach : axis.dilation] for s in starts]
        return np.array(rows, int).reshape(-1, axis.kernel)
    whole = (extent - 1) * axis.stride + axis.reach + axis.longer + max(-after, 0)
    read = np.full((whole + max(-before, 0), axis.kernel), -1)
    for i, k in product(range(extent), range(axis.kernel)):
        read[i * axis.stride + k * axis.dilation + max(-before, 0), k] = i
    return read[max(before, 0) : max(len(read) - max(after, 0), 0)]


@given(axes(), st.integers(1, 12))
def test_an_axis_reads_what_its_definition_says(axis, extent):
    expected = reads(axis, extent)
    assert max(axis.extent(extent), 0) == len(expected)
    if len(expected):
        assert np.array_equal(axis.sources(extent), expected)


@given(axes(), st.integers(1, 12), st.integers(1, 12))
def test_outputs_are_shared_as_long_as_they_read_the_same(axis, one, other):
    a, b = reads(axis, one), reads(axis, other)
    both = min(len(a), len(b))
    unlike = (a[:both] != b[:both]).any(axis=1)
    if axis.pad(one)[0] == axis.pad(other)[0]:
        assert axis.shared(one, other) == (int(unlike.argmax()) if unlike.any() else both)
    else:
        assert axis.shared(one, other) == 0  # whatever they read, it is another grid


@given(axes(transposed=False), st.integers(1, 12))
def test_same_gives_an_output_a_stride_and_the_odd_zero_goes_to_its_end(axis, extent):
    lower = axis._replace(padding="same_lower")
    axis = axis._replace(padding="same")
    assert axis.extent(extent) == lower.extent(extent) == -(-extent // axis.stride)
    before, after = axis.pad(extent)
    assert 0 <= after - before <= 1 and lower.pad(extent) == (after, before)


@given(axes(transposed=True), st.integers(1, 12))
def test_transposed_same_gives_a_stride_of_outputs_an_input(axis, extent):
    assert axis._replace(padding="same").extent(extent) == extent * axis.stride


@given(axes())
def test_the_least_extent_is_the_smallest_with_an_output(axis):
    assert axis.extent(axis.least) >= 1
    assert all(axis.extent(extent) < 1 for extent in range(1, axis.least))


OPS = {2: ("conv2d", "conv2d_transpose"), 3: ("conv3d", "conv3d_transpose")}


@st.composite
def convolutions(draw):
    rank = draw(st.sampled_from((2, 3)))
    transposed = draw(st.booleans())
    rows = [draw(axes(transposed)) for _ in range(rank)]
    rows = [one._replace(kernel=min(one.kernel, 3)) for one in rows]
    padding = draw(st.sampled_from(["valid", "same", "same_lower", None]))
    pairs = tuple(one.pad(1) for one in rows)
    depth = draw(st.integers(1, 3)) if rank == 3 else 1
    conv = Convolution(
        tuple(one.kernel for one in rows),
        draw(st.integers(1, 3)),
        2,
        tuple(one.stride for one in rows),
        tuple(one.dilation for one in rows),
        op=OPS[rank][transposed],
        padding=padding or pairs,
        output_padding=tuple(one.output_padding for one in rows),
        depth=depth,
    )
    return conv, (2, depth * draw(st.integers(1, 4)), draw(st.integers(1, 6)), conv.channels_in)


@pytest.mark.slow
@given(convolutions())
def test_windows_hold_what_each_axis_reads(drawn):
    conv, shape = drawn
    outputs = conv.outputs(*shape[1:3])
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    if min(outputs) < 1:
        with pytest.raises(ValueError, match="smaller than the filter"):
            conv.windows(x)
        return
    assume(np.prod(outputs) < 2000)
    spread = conv.spread(x)
    tables = [a.sources(n) for a, n in zip(conv.axes, spread.shape[1:-1], strict=True)]
    expected = np.zeros((shape[0], *outputs, *conv.kernel, shape[3]))
    for out in product(*map(range, outputs)):
        for tap in product(*map(range, conv.kernel)):
            read = tuple(int(t[o, k]) for t, o, k in zip(tables, out, tap, strict=True))
            if min(read) >= 0:
                expected[(slice(None), *out, *tap)] = spread[(slice(None), *read)]
    windows = conv.windows(x)
    assert windows.shape[:3] == conv.output_shape(*shape[:3])[:3]
    places = np.arange(0, int(np.prod(windows.shape[:3])), 2)
    plain, row = conv.unrolled(conv.fields(x, places))
    chosen = windows.reshape(-1, *windows.shape[3:])[places]
    assert np.array_equal(plain.windows(row)[0, 0], chosen)
    assert np.array_equal(windows, expected.reshape(windows.shape))


@pytest.mark.slow
def test_a_geometry_with_lists_in_it_is_the_same():
    conv = Convolution((3, 2), 4, 6, (2, 1), (1, 3), 2, padding=((1, 0), (2, 1)))
    plain = Convolution([3, 2], 4, 6, [2, 1], [1, 3], 2, padding=[[1, 0], [2, 1]])
    assert plain.output_shape(1, 9, 9) == conv.output_shape(1, 9, 9)
    x = np.arange(9 * 9 * 4.0).reshape(1, 9, 9, 4)
    assert np.array_equal(plain._replace(kernel=(3, 2)).windows(x), conv.windows(x))
