"""Every op by its definition, a tap at a time in float64; shares nothing with `worker/ops`."""

from __future__ import annotations

from itertools import product

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution


def by_taps(conv: Convolution, tensors: Tensors) -> np.ndarray:
    """Return the output of any op as NHWC, in float64; exact on small integers.

    An output without elements is (N, 0, 0, C), whichever axis has none.
    """
    batch, rows, length, channels = tensors.input_nhwc.shape
    extents = (conv.depth, rows // conv.depth, length)[-len(conv.kernel) :]
    x = tensors.input_nhwc.astype(np.float64).reshape(batch, *extents, channels)
    w = tensors.filter_hwio.astype(np.float64).reshape(*conv.kernel, *tensors.filter_hwio.shape[2:])
    y = (spread if conv.op.endswith("_transpose") else gathered)(conv, x, w)
    if not y.size:
        return np.zeros((batch, 0, 0, conv.channels_out))
    if tensors.bias is not None:
        y = y + tensors.bias.astype(np.float64)
    return followed(conv.then, y.reshape(batch, -1, *y.shape[-2:]), tensors.added)


def followed(then: str, y: np.ndarray, added: np.ndarray | None) -> np.ndarray:
    """Return what the step makes of an output: by its definition, an element at a time."""
    if added is not None:
        y = y + added.astype(np.float64)[: y.shape[0], : y.shape[1], : y.shape[2], : y.shape[3]]
    limits = {"relu": (0.0, np.inf), "relu6": (0.0, 6.0)}
    low, high = limits.get(then, (-np.inf, np.inf))
    return np.array([sorted((low, value, high))[1] for value in y.ravel()]).reshape(y.shape)


def gathered(conv: Convolution, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Pad the input with zeros, or cut it; add up what each tap sees."""
    extents = x.shape[1:-1]
    pads = amounts(conv, extents)
    reach = [(k - 1) * d + 1 for k, d in zip(conv.kernel, conv.dilations, strict=True)]
    wide = [n + a + b for n, (a, b) in zip(extents, pads, strict=True)]
    outputs = [max(0, (n - r) // s + 1) for n, r, s in zip(wide, reach, conv.strides, strict=True)]
    y = np.zeros((x.shape[0], *outputs, conv.channels_out))
    if not y.size:
        return y
    x = framed(x, [-a for a, _ in pads], wide)
    for tap in product(*map(range, conv.kernel)):
        moves = zip(tap, conv.dilations, outputs, conv.strides, strict=True)
        at = [slice(k * d, k * d + (count - 1) * s + 1, s) for k, d, count, s in moves]
        y += per_group(conv, x[(slice(None), *at)], w[tap])
    return y


def spread(conv: Convolution, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Add each input's multiples of the filter to the outputs that it goes to; then cut."""
    extents = x.shape[1:-1]
    pads = amounts(conv, extents)
    moves = list(zip(extents, conv.kernel, conv.strides, conv.dilations, strict=True))
    whole = [(n - 1) * s + (k - 1) * d + 1 for n, k, s, d in moves]
    y = np.zeros((x.shape[0], *whole, conv.channels_out))
    for tap in product(*map(range, conv.kernel)):
        at = [
            slice(j * d, j * d + (n - 1) * s + 1, s)
            for j, (n, _, s, d) in zip(tap, moves, strict=True)
        ]
        y[(slice(None), *at)] += per_group(conv, x, w[tap])
    if conv.padding in ("same", "same_lower"):
        outputs = [n * s for n, _, s, _ in moves]
    else:
        ends = zip(whole, pads, conv.output_padding, strict=True)
        outputs = [max(0, n - a - b + longer) for n, (a, b), longer in ends]
    return framed(y, [a for a, _ in pads], outputs)


def amounts(conv: Convolution, extents: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return (before, after) of each axis: zeros added to an input, or outputs cut off."""
    if not isinstance(conv.padding, str):
        return list(conv.padding)
    pads = []
    moves = zip(extents, conv.kernel, conv.strides, conv.dilations, strict=True)
    for number, (n, k, s, d) in enumerate(moves):
        reach, last = (k - 1) * d + 1, number == len(extents) - 1
        most = reach - s if conv.op.endswith("_transpose") else (-(-n // s) - 1) * s + reach - n
        total = max(0, most)
        pads.append(
            {
                "valid": (0, 0),
                "same": (total // 2, total - total // 2),
                "same_lower": (total - total // 2, total // 2),
                "causal": (reach - 1 if last else 0, 0),
            }[conv.padding]
        )
    return pads


def framed(array: np.ndarray, starts: list[int], counts: list[int]) -> np.ndarray:
    """Return `counts` elements of each inner axis from `starts` on; zeros where there are none."""
    y = np.zeros((array.shape[0], *counts, array.shape[-1]))
    to, of = [slice(None)], [slice(None)]
    for extent, start, count in zip(array.shape[1:-1], starts, counts, strict=True):
        first, last = max(0, start), max(0, start, min(extent, start + count))
        of.append(slice(first, last))
        to.append(slice(first - start, last - start))
    if y.size and array[tuple(of)].size:
        y[tuple(to)] = array[tuple(of)]
    return y


def per_group(conv: Convolution, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return (…, cin) times one tap's (cin / groups, cout), each group for itself."""
    inputs = np.split(x, conv.groups, axis=-1)
    lanes = np.split(w, conv.groups, axis=-1)
    return np.concatenate([a @ b for a, b in zip(inputs, lanes, strict=True)], axis=-1)
