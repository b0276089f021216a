"""Padded and transposed convolutions: their shapes and results, against loops over indices."""

from __future__ import annotations

import numpy as np
import pytest
from findings import tensors

from convdiff.compare.other_ops import other_ops, shape_owners
from convdiff.worker.ops.convolution import Convolution

FLIPPED = ", its filter flipped in both axes"
SHAPES = (
    (Convolution((3, 3), 2, 3), (1, 5, 6, 2)),
    (Convolution((3, 1), 2, 3, strides=(2, 2)), (2, 8, 8, 2)),
    (Convolution((2, 4), 1, 2, strides=(1, 3)), (1, 6, 7, 1)),
    (Convolution((3, 2), 2, 2, dilations=(2, 3)), (1, 9, 8, 2)),
    (Convolution((4, 4), 3, 2, strides=(4, 4)), (1, 5, 6, 3)),
    (Convolution((2, 2), 1, 1, strides=(3, 3)), (1, 4, 5, 1)),
    (Convolution((3, 3), 4, 4, groups=2), (1, 5, 6, 4)),
)


def padded(conv, data, before, extents):
    """Gather each output with `before` zeros above and left of the input."""
    x, w = data.input_nhwc.astype(np.float64), data.filter_hwio.astype(np.float64)
    y = np.zeros((x.shape[0], *extents, conv.channels_out))
    for n, i, j, o in np.ndindex(*y.shape):
        first = conv.group_of(o) * (conv.channels_in // conv.groups)
        for k, m, c in np.ndindex(*w.shape[:3]):
            row = i * conv.strides[0] + k * conv.dilations[0] - before[0]
            column = j * conv.strides[1] + m * conv.dilations[1] - before[1]
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                y[n, i, j, o] += x[n, row, column, first + c] * w[k, m, c, o]
    return y + (0 if data.bias is None else data.bias.astype(np.float64))


def scattered(conv, data, cut, extents, *, flipped):
    """Add each input's multiple of the filter to the output, of which `cut` is left out first."""
    x, w = data.input_nhwc.astype(np.float64), data.filter_hwio.astype(np.float64)
    w = w[::-1, ::-1] if flipped else w
    y = np.zeros((x.shape[0], *extents, conv.channels_out))
    for n, i, j, c in np.ndindex(*x.shape):
        for k, m, o in np.ndindex(w.shape[0], w.shape[1], w.shape[3]):
            row = i * conv.strides[0] + k * conv.dilations[0] - cut[0]
            column = j * conv.strides[1] + m * conv.dilations[1] - cut[1]
            if 0 <= row < extents[0] and 0 <= column < extents[1]:
                y[n, row, column, o] += x[n, i, j, c] * w[k, m, c, o]
    return y + (0 if data.bias is None else data.bias.astype(np.float64))


def results_of(conv, data):
    """Return each other convolution's result by its name."""
    return {name: result(data) for name, result in other_ops(conv, data.input_nhwc.shape)}


def starting(results, name):
    """Return the result whose name begins so, None where there is none."""
    return next((result for found, result in results.items() if found.startswith(name)), None)


@pytest.mark.parametrize(("conv", "shape"), SHAPES, ids=str)
def test_same_padding_gives_what_a_loop_gives(conv, shape):
    data = tensors(conv, shape, 1, bias=True)
    results = results_of(conv, data)
    extents = [-(-n // s) for n, s in zip(shape[1:3], conv.strides, strict=True)]
    totals = [
        max(0, (out - 1) * s + r - n)
        for out, s, r, n in zip(extents, conv.strides, conv.reach, shape[1:3], strict=True)
    ]
    if not any(totals):
        assert starting(results, "the padding is SAME (") is None
        return
    low, high = [t // 2 for t in totals], [t - t // 2 for t in totals]
    upper = starting(results, "the padding is SAME (")
    np.testing.assert_allclose(upper, padded(conv, data, low, extents), atol=1e-12)
    assert "SAME" in shape_owners(conv, shape, upper.shape)
    if low != high:
        lower = starting(results, "the padding is SAME_LOWER (")
        np.testing.assert_allclose(lower, padded(conv, data, high, extents), atol=1e-12)
        assert not np.array_equal(lower, upper)


@pytest.mark.parametrize(("conv", "shape"), SHAPES, ids=str)
def test_full_padding_gives_what_a_loop_gives(conv, shape):
    data = tensors(conv, shape, 2, bias=False)
    rows, columns = conv.reach
    results = results_of(conv, data)
    result = starting(results, "the padding is full")
    if result is None:  # no other zeros than SAME's
        result = starting(results, "the padding is SAME")
    right = padded(conv, data, (rows - 1, columns - 1), result.shape[1:3])
    np.testing.assert_allclose(result, right, atol=1e-12)
    assert "full" in shape_owners(conv, shape, result.shape)


@pytest.mark.parametrize(("conv", "shape"), SHAPES, ids=str)
def test_transposed_convolutions_give_what_a_loop_gives(conv, shape):
    data = tensors(conv, shape, 3, bias=True)
    results = results_of(conv, data)
    if conv.groups > 1:
        assert not any("transposed" in name for name in results)
        return
    whole = [(n - 1) * s + r for n, s, r in zip(shape[1:3], conv.strides, conv.reach, strict=True)]
    same = [n * s for n, s in zip(shape[1:3], conv.strides, strict=True)]
    cut = [max(0, have - want) // 2 for have, want in zip(whole, same, strict=True)]
    for suffix in ("", FLIPPED):
        flipped = bool(suffix)
        result = results[f"a transposed convolution{suffix}"]
        right = scattered(conv, data, (0, 0), whole, flipped=flipped)
        np.testing.assert_allclose(result, right, atol=1e-12)
        assert "a transposed convolution" in shape_owners(conv, shape, result.shape)
        if same != whole:
            result = results[f"a transposed SAME convolution{suffix}"]
            right = scattered(conv, data, cut, same, flipped=flipped)
            np.testing.assert_allclose(result, right, atol=1e-12)


def test_a_padding_without_zeros_is_no_other_convolution():
    conv = Convolution((1, 1), 2, 3)
    names = [name for name, _ in other_ops(conv, (1, 4, 4, 2)) if "padding" in name]
    assert not names


def test_a_shape_that_is_nobodys_has_no_owner():
    conv = Convolution((3, 3), 2, 3)
    assert shape_owners(conv, (1, 9, 9, 2), (1, 77, 1, 3)) == []
