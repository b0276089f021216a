"""Probes that tell apart where bits are lost: in inputs, weights, sums or outputs, or at the bias.

In each of them all other places hold numbers of few bits, which no format rounds.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from convdiff.behaviour.probes import Kind, Probe, no_bias, probe_of
from convdiff.behaviour.seen import fullest, taps_together
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution


def cancelled(conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int, side: str) -> Probe:
    """(1 + 2^-bits)·1 − 1·1 = ±2^-bits: lost where that side keeps fewer bits, or sums do.

    An output of few bits holds it. Some output sees two taps or more.
    """
    long = 1.0 + 2.0**-bits
    first, second, parity = _neighbours(conv, shape)
    w = np.zeros((conv.taps, conv.channels_out))
    x: Array = np.ones(shape)
    w[first], w[second] = 1.0, -1.0
    if side == "weight":
        w[first] = long
    else:
        x = np.where(parity == 0, long, 1.0)
    weights = w.reshape(conv.filter_shape)
    probe = probe_of(Kind.CANCELLED, conv, x, weights, no_bias(conv, bias), bits=bits)
    return replace(probe, asked=2.0**-bits)


def summed(conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int) -> Probe:
    """1·1 + 1·2^-bits: lost where sums or outputs keep fewer bits.

    Of a single tap the product is as long: (1 + 2^-a)(1 + 2^-b) where a + b = bits.
    """
    if len(taps_together(conv, shape)) > 1:
        x, w = np.ones(shape), _two(conv, shape, 1.0, 2.0**-bits)
    else:
        a = bits // 2
        x = np.full(shape, 1.0 + 2.0**-a if a else 1.0)
        w = np.full(conv.filter_shape, 1.0 + 2.0 ** -(bits - a))
    return probe_of(Kind.SUM, conv, x, w, no_bias(conv, bias), bits=bits)


def before_bias(conv: Convolution, shape: tuple[int, ...], bits: int) -> Probe:
    """1·1 + 1·2^-bits − 1, the last a bias: lost where the sum is rounded before its bias."""
    b = np.full(conv.channels_out, -1.0)
    w = _two(conv, shape, 1.0, 2.0**-bits)
    probe = probe_of(Kind.BEFORE_BIAS, conv, np.ones(shape), w, b, bits=bits)
    return replace(probe, asked=2.0**-bits)


def after_bias(conv: Convolution, shape: tuple[int, ...], bits: int) -> Probe:
    """1·1 and a bias of 2^-bits: lost where the sum is rounded after its bias."""
    b = np.full(conv.channels_out, 2.0**-bits)
    w = _two(conv, shape, 1.0, 0.0)
    return probe_of(Kind.AFTER_BIAS, conv, np.ones(shape), w, b, bits=bits)


def _two(conv: Convolution, shape: tuple[int, ...], first: float, last: float) -> Array:
    """Return a filter of two weights, at the first and the last tap that an output sees.

    The first alone where it sees one.
    """
    w, taps = np.zeros((conv.taps, conv.channels_out)), taps_together(conv, shape)
    w[taps[-1]], w[taps[0]] = last, first
    return w.reshape(conv.filter_shape)


def _neighbours(conv: Convolution, shape: tuple[int, ...]) -> tuple[int, int, Array]:
    """Return two flat taps of an output, and a parity of inputs (NHWC) never the same at both."""
    width, taps = conv.channels_in // conv.groups, taps_together(conv, shape)
    if width > 1:
        parity: Array = np.arange(shape[3]) % width % 2
        return int(taps[0]), int(taps[0]) + 1, np.broadcast_to(parity, shape)
    extents = conv.extents(*shape[1:3])
    for axis, read in enumerate(fullest(conv, shape)):
        inside = np.flatnonzero(read >= 0)
        if len(inside) > 1:
            apart = int(abs(read[inside[1]] - read[inside[0]]))
            parity = np.indices(extents)[axis].reshape(*shape[1:3], 1) // apart % 2
            step = (inside[1] - inside[0]) * math.prod(conv.kernel[axis + 1 :])
            return int(taps[0]), int(taps[0] + step), np.broadcast_to(parity, shape)
    raise AssertionError("outputs that see one tap have no neighbours")
