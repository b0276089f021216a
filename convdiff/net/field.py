"""Which inputs the outputs of a net's layers see along the length, from the graph alone.

Nothing is computed. Two activations of one layer, at two lengths of the net's input, are compared
position by position: the input at the shorter length is the first part of that at the longer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convdiff.net.along import Reads, Step, along, positions, reads, reads_of
from convdiff.numerics.array import Array
from convdiff.worker.ops.net import INPUT, Net


def aligned(steps: Sequence[Step], lengths: tuple[int, int]) -> dict[str, Array]:
    """Return, by layer and INPUT, bool (positions,): which see the same inputs at both lengths.

    Positions are those that both activations have, from the first on. One that reads padding at one
    length and an input at the other is not aligned; where a layer's left padding depends on the
    length (`shifted`), nothing behind it is. Raises ValueError, naming the layer, where a length
    gives it no output.
    """
    one, other = (positions(steps, length) for length in lengths)
    masks = {INPUT: np.ones(min(lengths), bool)}
    for step in steps:
        shorter, longer = step.extents(one), step.extents(other)
        behind = [masks[source] for source in step.layer.sources]
        mask = _aligned_at_once(step, shorter, longer, behind)
        if mask is None:
            mask = _reads_same(reads_of(step, shorter), reads_of(step, longer), behind)
        masks[step.layer.name] = mask
    return masks


def _aligned_at_once(
    step: Step, one: Sequence[int], other: Sequence[int], masks: Sequence[Array]
) -> Array | None:
    """Return what `_reads_same` does where that needs no tables: most layers; None elsewhere."""
    axis = step.axis
    if step.is_elementwise:
        return masks[0]
    if axis is None or not axis.is_plain or not masks[0].all():
        return None
    return np.ones(min(axis.extent(one[0]), axis.extent(other[0])), bool)


def shifted(net: Net, lengths: tuple[int, int]) -> tuple[str, ...]:
    """Return the layers whose left padding is another at each length, so that their grid moves."""
    steps = along(net)
    one, other = (positions(steps, length) for length in lengths)
    names = []
    for step in steps:
        axis, source = step.axis, step.layer.sources[0]
        if axis and axis.pad(one[source])[0] != axis.pad(other[source])[0]:
            names.append(step.layer.name)
    return tuple(names)


def spans(steps: Sequence[Step], length: int) -> dict[str, tuple[Array, Array]]:
    """Return the first and the last input that each position of each layer and INPUT reads.

    Both int64 (positions,), and both read indeed; (length, −1) where a position reads padding only.
    """
    every = np.arange(length)
    held = {INPUT: (every, every)}
    for layer, tables in reads(steps, length):
        first, last = np.full(1, length), np.full(1, -1)
        for table, source in zip(tables, layer.sources, strict=True):
            low, high = _ends(table, held[source], length)
            first, last = np.minimum(first, low), np.maximum(last, high)
        held[layer.name] = first, last
    return held


def _reads_same(one: Reads, other: Reads, masks: Sequence[Array]) -> Array:
    """Return which outputs read the same aligned positions through every source."""
    count = min(len(one[0]), len(other[0]))
    is_same = np.ones(count, bool)
    for a, b, mask in zip(one, other, masks, strict=True):
        if a.shape[1] != b.shape[1]:
            return np.zeros(count, bool)
        at, same = a[:count], a[:count] == b[:count]
        held = mask[np.minimum(np.maximum(at, 0), len(mask) - 1)]
        is_same &= (same & (held | (at < 0))).all(axis=1)
    return is_same


def cut(activation: Array, columns: Array, images: int | None = None) -> Array:
    """Return an activation (N, rows, length, C) at the columns that see the same.

    columns: bool (columns,), from the first on. images: how many of the first are meant, if not
    all.
    """
    part = activation[:images, :, : len(columns)]
    return np.ascontiguousarray(part if columns.all() else part[:, :, columns])


def _ends(table: Array, source: tuple[Array, Array], length: int) -> tuple[Array, Array]:
    """Return the least and greatest input behind what outputs read; (length, −1) for none."""
    inside, at = table >= 0, np.maximum(table, 0)
    first = np.where(inside, source[0][at], length).min(axis=1)
    return first, np.where(inside, source[1][at], -1).max(axis=1)
