"""What each output sees, by loops over indices: padded, transposed, of one to three dimensions.

Nothing here is convdiff's but the tuple of a convolution's sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]


def rank_of(conv: Any) -> int:
    return 1 if conv.op == "dense" else int(conv.op[4])


def is_plain(conv: Any) -> bool:
    """Return whether it is a VALID conv2d."""
    return bool(conv.op == "conv2d" and conv.padding == "valid")


def extents_of(conv: Any, x: Array) -> tuple[int, ...]:
    high = (conv.depth, x.shape[1] // conv.depth) if len(conv.kernel) == 3 else (x.shape[1],)
    return (*high, x.shape[2])


def pads_of(conv: Any, extents: tuple[int, ...]) -> list[Pair]:
    """Return the padding of each axis in numbers; of a transposed one what is cut."""
    if not isinstance(conv.padding, str):
        return [tuple(pair) for pair in conv.padding]  # type: ignore[misc]
    pads = []
    for axis, (n, k, s, d) in enumerate(
        zip(extents, conv.kernel, conv.strides, conv.dilations, strict=True)
    ):
        reach, total = (k - 1) * d + 1, 0
        if conv.padding.startswith("same"):
            missing = reach - s if n % s == 0 or "transpose" in conv.op else reach - n % s
            total = max(0, missing)
        pair = (total // 2, total - total // 2)
        if conv.padding == "causal" and axis == len(extents) - 1:
            pair = (reach - 1, 0)
        pads.append(pair if conv.padding != "same_lower" else pair[::-1])
    return pads


def longer_of(conv: Any) -> list[int]:
    if isinstance(conv.padding, str) and conv.padding.startswith("same"):
        return [
            max(0, s - (k - 1) * d - 1)
            for k, s, d in zip(conv.kernel, conv.strides, conv.dilations, strict=True)
        ]
    return list(conv.output_padding)


def gathered(conv: Any, x: Array) -> Array:
    """Return what each output sees, (N, OH, OW, kh, kw, C): zero where that is padding.

    Raises ValueError where nothing is left of the output.
    """
    extents = extents_of(conv, x)
    values = x.reshape(x.shape[0], *extents, x.shape[3])
    tables = []
    pads, longer = pads_of(conv, extents), longer_of(conv)
    for axis, n in enumerate(extents):
        table = _table(conv, axis, n, pads[axis], longer[axis])
        if not len(table):
            raise ValueError("nothing is left of the output")
        tables.append(table)
    for axis, table in enumerate(tables):
        at = 1 + 2 * axis
        more = [(0, 0)] * values.ndim
        more[at] = (0, 1)  # the last one is zero
        values = np.take(np.pad(values, more), table, axis=at)
    count = len(tables)
    values = values.transpose(
        0, *range(1, 2 * count, 2), *range(2, 2 * count + 1, 2), 2 * count + 1
    )
    outputs, kernel = values.shape[1 : count + 1], values.shape[count + 1 : -1]
    return values.reshape(
        x.shape[0], -1, outputs[-1], int(np.prod(kernel[:-1])), kernel[-1], x.shape[3]
    )


def _table(conv: Any, axis: int, n: int, pads: Pair, longer: int) -> Array:
    """Return (outputs, kernel): the input that each output reads at each tap, n for none."""
    k, s, d = conv.kernel[axis], conv.strides[axis], conv.dilations[axis]
    if "transpose" in conv.op:
        outputs = (n - 1) * s + (k - 1) * d + 1 - sum(pads) + longer
        table = np.full((max(0, outputs), k), n)
        for i, tap in np.ndindex(n, k):
            to = i * s + tap * d - pads[0]
            if 0 <= to < outputs:
                table[to, tap] = i
        return table
    line = [n] * pads[0] + list(range(max(0, -pads[0]), n - max(0, -pads[1]))) + [n] * pads[1]
    starts = range(0, len(line) - (k - 1) * d, s)
    return np.array([[line[o + tap * d] for tap in range(k)] for o in starts], int)
