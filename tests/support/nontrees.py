"""Convolutions that are no sum of products in any order: transforms, and broken kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry

Convolution = Callable[[Array, Array, "Array | None"], Array]

#: Winograd F(2,3) and F(4,3): B^T, G, A^T (Lavin and Gray, CVPR 2016).
WINOGRAD = {
    2: (
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
        [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]],
        [[1, 1, 1, 0], [0, 1, -1, -1]],
    ),
    4: (
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ],
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    ),
}


def winograd(geometry: Geometry, m: int) -> Convolution:
    """Return F(m x m, 3 x 3) in float32; the output height and width are multiples of m."""
    bt, g, at = (np.array(v, np.float32) for v in WINOGRAD[m])

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        n, oh, ow, cout = geometry.output_nhwc
        y = np.zeros((n, oh, ow, cout), np.float32)
        u = np.einsum("ai,ijkc,bj->abkc", g, w, g)
        for top in range(0, oh, m):
            for left in range(0, ow, m):
                d = x[:, top : top + m + 2, left : left + m + 2]
                v = np.einsum("ai,nijk,bj->nabk", bt, d, bt)
                product = np.einsum("abkc,nabk->nabc", u, v)
                y[:, top : top + m, left : left + m] = np.einsum(
                    "pa,nabc,qb->npqc", at, product, at
                )
        return y if b is None else y + b

    return convolution


def fourier(geometry: Geometry) -> Convolution:
    """Return the convolution by two-dimensional FFT, rounded to float32 at the end."""
    height, width = geometry.input_nhwc[1:3]

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        _, oh, ow, _ = geometry.output_nhwc
        size = (height, width)
        fx = np.fft.rfft2(x.astype(np.float64), size, axes=(1, 2)).astype(np.complex64)
        fw = np.fft.rfft2(w[::-1, ::-1].astype(np.float64), size, axes=(0, 1)).astype(np.complex64)
        y = np.fft.irfft2(np.einsum("nhwk,hwkc->nhwc", fx, fw), size, axes=(1, 2))
        kh, kw = geometry.filter_hwio[:2]
        y = y[:, kh - 1 : kh - 1 + oh, kw - 1 : kw - 1 + ow].astype(np.float32)
        return y if b is None else y + b

    return convolution


def _windows(geometry: Geometry, x: Array) -> Array:
    return geometry.windows(x, np.arange(geometry.positions))[:, :, 0]


def shuffled_each_call(geometry: Geometry) -> Convolution:
    """Return a sum whose order is drawn anew at every call."""
    rng = np.random.default_rng(1)

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        windows, weights = _windows(geometry, x), w.reshape(geometry.taps, -1)
        total = np.zeros((geometry.positions, geometry.cout), np.float32)
        for tap in rng.permutation(geometry.taps):
            total += windows[tap][:, None] * weights[tap]
        return (total if b is None else total + b).reshape(geometry.output_nhwc)

    return convolution


def _in_order(geometry: Geometry, x: Array, w: Array, b: Array | None, skip: int = -1) -> Array:
    windows, weights = _windows(geometry, x), w.reshape(geometry.taps, -1)
    total: Array = np.zeros((geometry.positions, geometry.cout), np.float32)
    for tap in range(geometry.taps):
        if tap != skip:
            total += windows[tap][:, None] * weights[tap]
    return total if b is None else total + b


def dropped_tap(geometry: Geometry, tap: int, position: int | None = None) -> Convolution:
    """Return a sum that leaves one tap out: everywhere, or at one position only."""

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        y = _in_order(geometry, x, w, b, tap)
        if position is not None:
            whole = _in_order(geometry, x, w, b)
            whole[position] = y[position]
            y = whole
        return y.reshape(geometry.output_nhwc)

    return convolution


def stale_memory(geometry: Geometry) -> Convolution:
    """Return a sum that starts from the last bits of what the call before left behind."""
    left = [np.zeros((geometry.positions, geometry.cout), np.float32)]

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        y = _in_order(geometry, x, w, b)
        stale: Array = y + left[0] * np.float32(2.0**-20)
        left[0] = y
        return stale.reshape(geometry.output_nhwc)

    return convolution


def stale_element(geometry: Geometry) -> Convolution:
    """Return a correct sum but for its last element, which is written only every second call."""
    calls, kept = [0], [np.float32(0)]

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        y = _in_order(geometry, x, w, b)
        calls[0] += 1
        if calls[0] % 2:
            kept[0] = y[-1, -1]
        y[-1, -1] = kept[0]
        return y.reshape(geometry.output_nhwc)

    return convolution


def narrowed_sum(geometry: Geometry, every: int = 4) -> Convolution:
    """Return a float32 sum in order whose every fourth (or so) partial sum is kept in float16."""

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        windows, weights = _windows(geometry, x), w.reshape(geometry.taps, -1)
        total = np.zeros((geometry.positions, geometry.cout), np.float32)
        for tap in range(geometry.taps):
            total += windows[tap][:, None] * weights[tap]
            if tap % every == every - 1:
                with np.errstate(over="ignore"):
                    total = total.astype(np.float16).astype(np.float32)
        return (total if b is None else total + b).reshape(geometry.output_nhwc)

    return convolution
