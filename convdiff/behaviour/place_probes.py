"""Probes that tell apart where bits are lost: in inputs, weights, sums or outputs, or at the bias.

In each of them all other places hold numbers of few bits, which no format rounds.
"""

from __future__ import annotations

import numpy as np

from convdiff.behaviour.probes import Kind, Probe, no_bias, probe_of
from convdiff.numerics.array import Array
from convdiff.worker.ops.conv2d import Convolution

Tap = tuple[int, int, int]
"""(kh, kw, cin)"""


def cancelled(conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int, side: str) -> Probe:
    """(1 + 2^-bits)·1 − 1·1 = ±2^-bits: lost where that side keeps fewer bits, or sums do.

    An output of few bits holds it. The convolution has two taps or more.
    """
    long = 1.0 + 2.0**-bits
    first, second, parity = _neighbours(conv, shape)
    w = np.zeros(conv.filter_shape)
    x = np.ones(shape)
    w[first], w[second] = 1.0, -1.0
    if side == "weight":
        w[first] = long
    else:
        x = np.where(parity == 0, long, 1.0)
    return probe_of(Kind.CANCELLED, conv, x, w, no_bias(conv, bias), bits=bits)


def summed(conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int) -> Probe:
    """1·1 + 1·2^-bits: lost where sums or outputs keep fewer bits.

    Of a single tap the product is as long: (1 + 2^-a)(1 + 2^-b) where a + b = bits.
    """
    if conv.taps > 1:
        x, w = np.ones(shape), _two(conv, 1.0, 2.0**-bits)
    else:
        a = bits // 2
        x = np.full(shape, 1.0 + 2.0**-a if a else 1.0)
        w = np.full(conv.filter_shape, 1.0 + 2.0 ** -(bits - a))
    return probe_of(Kind.SUM, conv, x, w, no_bias(conv, bias), bits=bits)


def before_bias(conv: Convolution, shape: tuple[int, ...], bits: int) -> Probe:
    """1·1 + 1·2^-bits − 1, the last a bias: lost where the sum is rounded before its bias."""
    b = np.full(conv.channels_out, -1.0)
    w = _two(conv, 1.0, 2.0**-bits)
    return probe_of(Kind.BEFORE_BIAS, conv, np.ones(shape), w, b, bits=bits)


def after_bias(conv: Convolution, shape: tuple[int, ...], bits: int) -> Probe:
    """1·1 and a bias of 2^-bits: lost where the sum is rounded after its bias."""
    b = np.full(conv.channels_out, 2.0**-bits)
    return probe_of(Kind.AFTER_BIAS, conv, np.ones(shape), _two(conv, 1.0, 0.0), b, bits=bits)


def _two(conv: Convolution, first: float, last: float) -> Array:
    """Return a filter of two weights, at the first and the last tap."""
    w = np.zeros((conv.taps, conv.channels_out))
    w[0], w[-1] = first, last
    return w.reshape(conv.filter_shape)


def _neighbours(conv: Convolution, shape: tuple[int, ...]) -> tuple[Tap, Tap, Array]:
    """Return two taps, and a parity of inputs (NHWC) that is never the same at both."""
    kh, kw, width = conv.filter_shape[:3]
    if width > 1:
        parity = np.arange(shape[3]) % width % 2
        return (0, 0, 0), (0, 0, 1), np.broadcast_to(parity, shape)
    if kh > 1:
        parity = np.arange(shape[1])[:, None, None] // conv.dilations[0] % 2
        return (0, 0, 0), (1, 0, 0), np.broadcast_to(parity, shape)
    assert kw > 1, "a convolution of one tap has no neighbours"
    parity = np.arange(shape[2])[:, None] // conv.dilations[1] % 2
    return (0, 0, 0), (0, 1, 0), np.broadcast_to(parity, shape)
