"""The probes' data: the case's shapes, other numbers. Changing a shape would change the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.model import Convolution
from convdiff.compare.exact import plain_fp64
from convdiff.compare.floats import FORMATS, Format

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Probe:
    """One probe: what is fed, and what a sound direct convolution answers, bit for bit."""

    name: str
    tensors: Tensors
    answer: Array
    """NHWC, in the format of the case."""


def first_probes(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """Return the probes that every questioned cell gets; `shape` is the NHWC of its input."""
    return [
        integers(conv, shape, bias),
        weight_delta(conv, shape, bias),
        input_ones(conv, shape, bias),
        contamination(conv, shape, bias),
        *widths(conv, shape, bias),
    ]


def integers(conv: Convolution, shape: tuple[int, ...], bias: bool) -> Probe:
    """Random integers in −8…8 (fewer and smaller where the format is narrow): exact in any order.

    Every partial sum is an integer below 2^p, so no direct sum rounds at all.
    """
    rng = np.random.default_rng(20170215)
    form = FORMATS[conv.dtype]
    top = 2**form.precision
    most = int(max(1, min(8, np.sqrt(top / (conv.taps + 1)))))
    x = rng.integers(-most, most, shape, endpoint=True).astype(np.float64)
    w = rng.integers(-most, most, conv.filter_shape, endpoint=True).astype(np.float64)
    if most * most * (conv.taps + 1) > top:  # keep as many taps as the format can count
        keep = rng.permuted(
            np.tile(np.arange(conv.taps)[:, None] < top - 1, (1, conv.channels_out)), axis=0
        )
        w *= keep.reshape(conv.filter_shape)
    b = rng.integers(-most, most, conv.channels_out, endpoint=True).astype(np.float64)
    return _probe("integer", conv, x, w, b if bias else None)


def weight_delta(conv: Convolution, shape: tuple[int, ...], bias: bool) -> Probe:
    """One weight of 1 an output channel, inputs with all their bits: the output is the input."""
    rng = np.random.default_rng(1)
    x = _full_bits(rng, shape, FORMATS[conv.dtype])
    return _probe("input", conv, x, _one_tap(conv, np.ones(conv.channels_out)), _none(conv, bias))


def input_ones(conv: Convolution, shape: tuple[int, ...], bias: bool) -> Probe:
    """One weight with all its bits an output channel, inputs of 1: the output is the weight."""
    rng = np.random.default_rng(2)
    values = _full_bits(rng, (conv.channels_out,), FORMATS[conv.dtype])
    return _probe("weight", conv, np.ones(shape), _one_tap(conv, values), _none(conv, bias))


def contamination(conv: Convolution, shape: tuple[int, ...], bias: bool) -> Probe:
    """Scale some inputs of weight_delta up: a transform loses bits of those beside them.

    By 2¹⁴ at the most, so that fp16 holds them too.
    """
    probe = weight_delta(conv, shape, bias)
    rng = np.random.default_rng(3)
    factor = 2.0 ** min(FORMATS[conv.dtype].precision - 4, 14)
    x = _wide(probe.tensors.input_nhwc) * np.where(rng.random(shape) < 0.25, factor, 1.0)
    return _probe("contamination", conv, x, _wide(probe.tensors.filter_hwio), _none(conv, bias))


def widths(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """2^(p−1) + 1 − 2^(p−1) at three taps: 1 in any order, unless the accumulator is narrower."""
    if conv.taps < 3:
        return []
    exponent = FORMATS[conv.dtype].precision - 1
    inputs = 2.0 ** (exponent // 2)  # half of the exponent on each side: fp16 holds it too
    places = [0, conv.taps // 2, conv.taps - 1]
    found = []
    for turn in range(3):
        w = np.zeros((conv.taps, conv.channels_out))
        products = np.roll([2.0**exponent, 1.0, -(2.0**exponent)], turn)
        for place, product in zip(places, products, strict=True):
            w[place] = product / inputs
        x, weights = np.full(shape, inputs), w.reshape(conv.filter_shape)
        found.append(_probe(f"width {turn + 1}", conv, x, weights, _none(conv, bias)))
    return found


def survivor(conv: Convolution, shape: tuple[int, ...], bias: bool, bits: int, side: str) -> Probe:
    """Return the probe that asks whether 1 + 2^-bits survives on one side of the product."""
    value = 1.0 + 2.0**-bits
    weight, filled = (value, 1.0) if side == "weight" else (1.0, value)
    taps = _one_tap(conv, np.full(conv.channels_out, weight))
    return _probe(f"{side} {bits}", conv, np.full(shape, filled), taps, _none(conv, bias))


def _one_tap(conv: Convolution, values: Array) -> Array:
    w = np.zeros((conv.taps, conv.channels_out))
    channels = np.arange(conv.channels_out)
    w[(channels * 7 + conv.taps // 2) % conv.taps, channels] = values
    return w.reshape(conv.filter_shape)


def _full_bits(rng: np.random.Generator, shape: tuple[int, ...], form: Format) -> Array:
    """Return values in ±[1, 2) whose last significant bit is 1."""
    steps = 2 ** (form.precision - 1)
    odd = rng.integers(0, steps // 2, shape) * 2 + 1
    return np.asarray((1.0 + odd / steps) * rng.choice([-1.0, 1.0], shape))


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def _none(conv: Convolution, bias: bool) -> Array | None:
    return np.zeros(conv.channels_out) if bias else None


def _probe(name: str, conv: Convolution, x: Array, w: Array, b: Array | None) -> Probe:
    dtype = numpy_dtype(conv.dtype)
    wide = Tensors(w, b, x)
    answer = plain_fp64(conv, wide).astype(dtype)
    narrow = Tensors(w.astype(dtype), None if b is None else b.astype(dtype), x.astype(dtype))
    return Probe(name, narrow, answer)
