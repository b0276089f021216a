"""A net along the length: how many positions each layer has, and which of its sources they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convdiff.numerics.array import Array
from convdiff.worker.ops.axis import Axis
from convdiff.worker.ops.net import INPUT, Layer, Net

Reads = Sequence[Array]
"""For each source of a layer, int64 (positions, taps): the position that is read, or below 0 where
none is. Taps of two lengths that have the same number mean the same."""
_PADDING, _BEYOND = -1, -2
"""On padding; and beyond it, where a window hangs over the end."""


@dataclass(frozen=True, eq=False)
class Step:
    """A layer, and how it moves along the length."""

    layer: Layer
    axis: Axis | None
    """Of an op, a pool, or padding; None of others."""

    @property
    def mixes(self) -> bool:
        """Whether each output position reads all positions of the source."""
        return self.layer.kind.family == "global" or self.layer.op in ("flatten", "reshape")

    @property
    def is_elementwise(self) -> bool:
        """Whether each output position reads that position of its one source alone."""
        return _kind(_READS, self.layer) is _each

    def extents(self, counts: Mapping[str, int]) -> list[int]:
        """Return how many positions its sources have; counts: by layer."""
        return [counts[source] for source in self.layer.sources]

    @property
    def joins_lengths(self) -> bool:
        """Whether the sources' positions follow each other."""
        return self.layer.settings.get("axis") == "length"


def along(net: Net) -> tuple[Step, ...]:
    """Return a net's steps."""
    return tuple(Step(layer, _axis(layer)) for layer in net.layers)


def positions(steps: Sequence[Step], length: int) -> dict[str, int]:
    """Return how many positions each layer and INPUT have along the length.

    Raises ValueError, naming the layer, where it has none or its sources do not fit.
    """
    counts = {INPUT: length}
    for step in steps:
        extents = step.extents(counts)
        count = _kind(_COUNTS, step.layer)(step, extents)
        if count < 1:
            raise ValueError(f"layer {step.layer.name}: too few positions to read, {extents[0]}")
        counts[step.layer.name] = count
    return counts


def reads(steps: Sequence[Step], length: int) -> Iterator[tuple[Layer, Reads]]:
    """Yield each layer and which positions of its sources it reads at a length of the net's input.

    Raises ValueError as `positions` does.
    """
    counts = positions(steps, length)
    for step in steps:
        yield step.layer, reads_of(step, step.extents(counts))


def reads_of(step: Step, extents: Sequence[int]) -> Reads:
    """Return which positions of its sources, of these extents, a layer reads."""
    tables: Reads = _kind(_READS, step.layer)(step, extents)
    return tables


def _axis(layer: Layer) -> Axis | None:
    if layer.kind.family in ("op", "pool"):
        return layer.axes[-1]
    if layer.op != "pad":
        return None
    padding = layer.settings["padding"]
    return Axis(1, 1, 1, padding if isinstance(padding, str) else tuple(padding[-1]))


def _windows(step: Step, extents: Sequence[int]) -> Reads:
    (extent,), axis = extents, step.axis
    assert axis
    table = axis.sources(extent)
    if step.layer.settings.get("count_include_pad"):  # what is beyond the padding does not count
        last = extent + max(0, axis.pad(extent)[1])
        starts = np.arange(len(table))[:, None] * axis.stride - axis.pad(extent)[0]
        beyond = starts + np.arange(axis.kernel) * axis.dilation >= last
        table = np.where(beyond, _BEYOND, table)
    return [table]


def _each(step: Step, extents: Sequence[int]) -> Reads:
    """Position by position; a source of one position is for all of them."""
    most = max(extents)
    every = np.arange(most)[:, None]
    return [every if extent == most else np.zeros_like(every) for extent in extents]


def _joined(step: Step, extents: Sequence[int]) -> Reads:
    if not step.joins_lengths:
        return _each(step, extents)
    tables, ends = [], np.cumsum(extents)
    for extent, end in zip(extents, ends, strict=True):
        own = np.arange(ends[-1])[:, None] - (end - extent)
        tables.append(np.where((own >= 0) & (own < extent), own, _PADDING))
    return tables


def _all(step: Step, extents: Sequence[int]) -> Reads:
    return [np.tile(np.arange(extents[0]), (_given_count(step, extents), 1))]


def _window_count(step: Step, extents: Sequence[int]) -> int:
    assert step.axis
    return step.axis.extent(extents[0])


def _same_count(step: Step, extents: Sequence[int]) -> int:
    return extents[0]


def _given_count(step: Step, extents: Sequence[int]) -> int:
    """Return the length that a reshape is given; others have one position."""
    _, length, _ = step.layer.settings.get("shape", (1, 1, 1))
    return int(length)


def _join_count(step: Step, extents: Sequence[int]) -> int:
    if step.joins_lengths:
        return sum(extents)
    if set(extents) - {1, max(extents)}:
        sizes = " and ".join(map(str, extents))
        raise ValueError(f"layer {step.layer.name}: its sources have {sizes} positions")
    return max(extents)


_COUNTS: Mapping[str, Callable[[Step, Sequence[int]], int]] = {
    "op": _window_count,
    "pool": _window_count,
    "pad": _window_count,
    "global": _given_count,
    "flatten": _given_count,
    "reshape": _given_count,
    "elementwise": _same_count,
    "normalisation": _same_count,
    "move": _same_count,
    "join": _join_count,
}
_READS: Mapping[str, Callable[[Step, Sequence[int]], Reads]] = {
    "op": _windows,
    "pool": _windows,
    "pad": _windows,
    "global": _all,
    "flatten": _all,
    "reshape": _all,
    "elementwise": _each,
    "normalisation": _each,
    "move": _each,
    "join": _joined,
}
"""By a layer's op, else by its family."""


def _kind(table: Mapping[str, Callable[..., Any]], layer: Layer) -> Callable[..., Any]:
    return table.get(layer.op) or table[layer.kind.family]
