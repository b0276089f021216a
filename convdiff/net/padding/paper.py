"""How far an input must be padded on paper: which outputs depend on the data, and what they see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from convdiff.net.along import Step, along, positions
from convdiff.net.field import aligned, shifted, spans
from convdiff.numerics.array import Array
from convdiff.worker.ops.net import Net

NEAR = 16
"""Lengths below the fixed one at which it shows whether a grid moves."""


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
        self.fixed, self._net, self._outputs, self._steps = fixed, net, net.outputs, along(net)
        ends = spans(self._steps, fixed)
        self._first = {name: ends[name][0] for name in net.outputs}
        self._masks = lru_cache(maxsize=None)(self._aligned)
        self._counts = lru_cache(maxsize=None)(self._count)

    @property
    def pads(self) -> bool:
        """Whether anything within the net is padded along the length, or cut."""
        return any(map(_pads, self._steps))

    @property
    def moving(self) -> tuple[str, ...]:
        """The layers whose grid moves with the length, as `same` with a stride does."""
        moved = set[str]()
        for length in filter(self.positions, range(max(1, self.fixed - NEAR), self.fixed)):
            moved.update(shifted(self._net, (length, self.fixed)))
        return tuple(step.layer.name for step in self._steps if step.layer.name in moved)

    def dependent(self, data: int) -> dict[str, Array]:
        """Return, by output, the positions at the fixed length that read some of the data."""
        return {name: np.flatnonzero(first < data) for name, first in self._first.items()}

    def behind(self, data: int, length: int) -> dict[str, Array]:
        """Return, by output, the other positions that see the same at both lengths."""
        behind = {}
        for name, at in self.dependent(data).items():
            same = np.flatnonzero(self._masks(length)[name])
            behind[name] = np.setdiff1d(same, at)
        return behind

    def positions(self, length: int) -> int:
        """Return how many positions the net's outputs have at a length; 0 where it gives none."""
        return self._counts(length)

    def _count(self, length: int) -> int:
        try:
            counts = positions(self._steps, length)
        except ValueError:
            return 0
        return sum(counts[name] for name in self._outputs)

    def enough(self, data: int, length: int) -> bool:
        """Tell whether all that depends on the data sees the same at this length."""
        if not self.positions(length):
            return False
        masks = self._masks(length)
        for name, at in self.dependent(data).items():
            mask = masks[name]
            if len(at) and not (at[-1] < len(mask) and mask[at].all()):
                return False
        return True

    def minimum(self, data: int, least: int = 1) -> int:
        """Return the smallest length that is enough for the data; none below `least` is."""
        for length in range(max(data, least), self.fixed):
            if self.enough(data, length):
                return length
        return self.fixed

    def rungs(self, data: int, least: int) -> Iterator[int]:
        """Yield the first length that is enough for the data of each further count of positions."""
        before = 0
        for length in range(least, self.fixed):
            count = self.positions(length)
            if count > before and self.enough(data, length):
                yield length
                before = count

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
        """Return the masks of the outputs."""
        masks = aligned(self._steps, (length, self.fixed))
        return {name: masks[name] for name in self._outputs}


def _pads(step: Step) -> bool:
    """Tell whether positions of a layer are not all made alike."""
    axis = step.axis
    if axis is None:
        return step.joins_lengths
    return axis.transposed or axis.ceil_mode or axis.padding not in ("valid", (0, 0))
