"""Which inputs the outputs of a net's layers read, along the length, from the graph alone.

Sources of an output position come from `Axis.sources`, layer by layer; nothing is computed. Two
activations of one layer, at two lengths of the net's input, are compared position by position: the
input at the shorter length is the first part of that at the longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from convdiff.numerics.array import Array
from convdiff.worker.ops.net import INPUT, Layer, Net

Reads = Sequence[Array]
"""For each source of a layer, int64 (positions, taps): the position that is read, or below 0 where
none is. Taps of two lengths that have the same number mean the same."""
_PADDING, _BEYOND = -1, -2
"""On padding; and beyond it, where a window hangs over the end."""


def aligned(net: Net, lengths: tuple[int, int]) -> dict[str, Array]:
    """Return, by layer and INPUT, bool (positions,): which see the same inputs at both lengths.

    Positions are those that both activations have, from the first on. One that reads padding at one
    length and an input at the other is not aligned; where a layer's left padding depends on the
    length (`shifted`), nothing behind it is. Raises ValueError, naming the layer, where a length
    gives it no output.
    """
    both = [reads(net, length) for length in lengths]
    masks = {INPUT: np.ones(min(lengths), bool)}
    for layer in net.layers:
        one, other = (at[layer.name] for at in both)
        masks[layer.name] = _alike(one, other, [masks[source] for source in layer.sources])
    return masks


def shifted(net: Net, lengths: tuple[int, int]) -> tuple[str, ...]:
    """Return the layers whose left padding is another at each length, so that their grid moves."""
    extents = [positions(net, length) for length in lengths]
    names = []
    for layer in net.layers:
        if layer.kind.family in ("op", "pool"):
            one, other = (layer.axes[-1].pad(at[layer.sources[0]])[0] for at in extents)
            names += [layer.name] if one != other else []
    return tuple(names)


def positions(net: Net, length: int) -> dict[str, int]:
    """Return how many positions each layer and INPUT have along the length.

    Raises ValueError, naming the layer, where that is none.
    """
    counts = {name: len(tables[0]) for name, tables in reads(net, length).items()}
    return {INPUT: length, **counts}


def spans(net: Net, length: int) -> dict[str, tuple[Array, Array]]:
    """Return the first and the last input that each position of each layer and INPUT reads.

    Both int64 (positions,), and both read indeed; (length, −1) where a position reads padding only.
    """
    every = np.arange(length)
    held, tables = {INPUT: (every, every)}, reads(net, length)
    for layer in net.layers:
        sides = [
            _ends(table, held[source], length)
            for table, source in zip(tables[layer.name], layer.sources, strict=True)
        ]
        first = np.min([low for low, _ in sides], axis=0)
        held[layer.name] = first, np.max([high for _, high in sides], axis=0)
    return held


def reads(net: Net, length: int) -> Mapping[str, Reads]:
    """Return which positions of its sources each layer reads at a length of the net's input.

    Raises ValueError, naming the layer, where it has no output or its sources do not fit.
    """
    counts, tables = {INPUT: length}, {}
    for layer in net.layers:
        extents = [counts[source] for source in layer.sources]
        table = _READS[layer.kind.family](layer, extents)
        if not len(table[0]):
            raise ValueError(f"layer {layer.name}: too few positions to read, {extents[0]}")
        tables[layer.name], counts[layer.name] = table, len(table[0])
    return tables


def mixes(layer: Layer) -> bool:
    """Tell whether each output position of a layer reads all positions of its source."""
    return layer.kind.family == "global" or layer.op in ("flatten", "reshape")


def _alike(one: Reads, other: Reads, masks: Sequence[Array]) -> Array:
    """Return which outputs read the same aligned positions through every source."""
    count = min(len(one[0]), len(other[0]))
    alike = np.ones(count, bool)
    for a, b, mask in zip(one, other, masks, strict=True):
        if a.shape[1] != b.shape[1]:
            return np.zeros(count, bool)
        at, same = a[:count], a[:count] == b[:count]
        held = mask[np.clip(at, 0, len(mask) - 1)]
        alike &= (same & (held | (at < 0))).all(axis=1)
    return alike


def _ends(table: Array, source: tuple[Array, Array], length: int) -> tuple[Array, Array]:
    """Return the least and greatest input behind what outputs read; (length, −1) for none."""
    inside, at = table >= 0, np.maximum(table, 0)
    first = np.where(inside, source[0][at], length).min(axis=1)
    return first, np.where(inside, source[1][at], -1).max(axis=1)


def _windows(layer: Layer, extents: Sequence[int]) -> Reads:
    (extent,), axis = extents, layer.axes[-1]
    if axis.extent(extent) < 1:
        return [np.empty((0, axis.kernel), np.int64)]
    table = axis.sources(extent)
    if layer.settings.get("count_include_pad"):  # what is beyond the padding does not count
        last = extent + max(0, axis.pad(extent)[1])
        starts = np.arange(len(table))[:, None] * axis.stride - axis.pad(extent)[0]
        beyond = starts + np.arange(axis.kernel) * axis.dilation >= last
        table = np.where(beyond, _BEYOND, table)
    return [table]


def _each(layer: Layer, extents: Sequence[int]) -> Reads:
    """Position by position; a source of one position is for all of them."""
    most = max(extents)
    if layer.settings.get("axis") == "length":
        return _one_after_another(extents)
    if set(extents) - {1, most}:
        sizes = " and ".join(map(str, extents))
        raise ValueError(f"layer {layer.name}: its sources have {sizes} positions")
    every = np.arange(most)[:, None]
    return [every if extent == most else np.zeros_like(every) for extent in extents]


def _one_after_another(extents: Sequence[int]) -> Reads:
    tables, ends = [], np.cumsum(extents)
    for extent, end in zip(extents, ends, strict=True):
        own = np.arange(ends[-1])[:, None] - (end - extent)
        tables.append(np.where((own >= 0) & (own < extent), own, _PADDING))
    return tables


def _all(layer: Layer, extents: Sequence[int]) -> Reads:
    """All positions at each: of one position, or of the length that the layer is told."""
    told = layer.settings.get("shape")
    return [np.tile(np.arange(extents[0]), (told[1] if told else 1, 1))]


def _moved(layer: Layer, extents: Sequence[int]) -> Reads:
    if mixes(layer):
        return _all(layer, extents)
    if layer.op != "pad":
        return _each(layer, extents)
    (extent,), (before, after) = extents, layer.settings["padding"][-1]
    at = np.arange(-before, extent + after)[:, None]
    return [np.where((at >= 0) & (at < extent), at, _PADDING)]


_READS: Mapping[str, Callable[[Layer, Sequence[int]], Reads]] = {
    "op": _windows,
    "pool": _windows,
    "global": _all,
    "elementwise": _each,
    "normalisation": _each,
    "join": _each,
    "move": _moved,
}
