"""How far an input must be padded on paper: which outputs depend on the data, and what they see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from convdiff.net.field import aligned_reads, padding_axis, reads, spans
from convdiff.numerics.array import Array
from convdiff.worker.ops.net import Layer, Net


@dataclass(frozen=True)
class Group:
    """Data lengths of which as many outputs depend, and that need as long an input on paper."""

    data: tuple[int, ...]
    outputs: int
    """Positions that depend on the data, of all the net's outputs."""
    minimum: int
    """The smallest length at which those positions see what they see at the fixed one."""


class Paper:
    """What is known of a net without running it, beside a fixed length."""

    def __init__(self, net: Net, fixed: int) -> None:
        """Raise ValueError, naming the layer, where the fixed length gives no output."""
        self.net, self.fixed = net, fixed
        self._reads = reads(net, fixed)
        self._masks = lru_cache(maxsize=None)(self._aligned)

    @cached_property
    def _first(self) -> dict[str, Array]:
        ends = spans(self.net, self.fixed)
        return {name: ends[name][0] for name in self.net.outputs}

    @property
    def pads(self) -> bool:
        """Whether anything within the net is padded along the length, or cut."""
        return any(_pads(layer) for layer in self.net.layers)

    def dependent(self, data: int) -> dict[str, Array]:
        """Return, by output, the positions at the fixed length that read some of the data."""
        return {name: np.flatnonzero(first < data) for name, first in self._first.items()}

    def positions(self, length: int) -> int:
        """Return how many positions the net's outputs have at a length; 0 where it gives none."""
        return sum(map(len, self._masks(length).values()))

    def enough(self, data: int, length: int) -> bool:
        """Tell whether all that depends on the data sees the same at this length."""
        masks = self._masks(length)
        if length < data or not masks:
            return False
        return all(
            not len(at) or (at[-1] < len(masks[name]) and bool(masks[name][at].all()))
            for name, at in self.dependent(data).items()
        )

    def minimum(self, data: int, least: int = 1) -> int:
        """Return the smallest length that is enough for the data; none below `least` is."""
        lengths = range(max(data, least), self.fixed)
        return next((length for length in lengths if self.enough(data, length)), self.fixed)

    def groups(self, data: Sequence[int]) -> Iterator[Group]:
        """Yield groups of data lengths, ascending; longer data needs no shorter length."""
        minimum, members, outputs = 1, list[int](), -1
        for one in data:
            count = sum(map(len, self.dependent(one).values()))
            needed = self.minimum(one, minimum)
            if members and (count, needed) != (outputs, minimum):
                yield Group(tuple(members), outputs, minimum)
                members = []
            members, outputs, minimum = [*members, one], count, needed
        if members:
            yield Group(tuple(members), outputs, minimum)

    def _aligned(self, length: int) -> dict[str, Array]:
        """Return the masks of the outputs; none where the length gives no output."""
        try:
            own = reads(self.net, length)
        except ValueError:
            return {}
        masks = aligned_reads(self.net, own, self._reads, min(length, self.fixed))
        return {name: masks[name] for name in self.net.outputs}


def _pads(layer: Layer) -> bool:
    """Tell whether positions of a layer are not all made alike."""
    if layer.op == "pad":
        return padding_axis(layer).pad(1) != (0, 0)
    if layer.kind.family not in ("op", "pool"):
        return layer.settings.get("axis") == "length"
    axis = layer.axes[-1]
    return axis.transposed or axis.ceil_mode or axis.padding not in ("valid", (0, 0))
