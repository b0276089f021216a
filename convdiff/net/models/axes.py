"""How a file's axes lie over ours: a letter an axis, N, C and D, H, W; ours are NHWC.

A transposition in the file is then a new order of letters, and moves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convdiff.worker.ops.net import Shape

FIRST: Mapping[int, str] = {0: "", 1: "C", 2: "NC", 3: "NCW", 4: "NCHW", 5: "NCDHW"}
LAST: Mapping[int, str] = {0: "", 1: "C", 2: "NC", 3: "NWC", 4: "NHWC", 5: "NDHWC"}
"""What the axes of an array are called by how many there are, channels first and last."""


@dataclass(frozen=True)
class Tensor:
    """An activation as the file has it."""

    layer: str
    """The layer of the net that makes it, or INPUT."""
    axes: str
    shape: tuple[int, ...]

    @property
    def extents(self) -> dict[str, int]:
        """Its extents by letter; what it has no axis for is 1."""
        return dict.fromkeys("NDHWC", 1) | dict(zip(self.axes, self.shape, strict=True))

    @property
    def ours(self) -> Shape:
        """Its (rows, length, channels)."""
        e = self.extents
        return e["D"] * e["H"], e["W"], e["C"]

    @property
    def spatial(self) -> str:
        """The letters of its spatial axes, in the file's order."""
        return "".join(letter for letter in self.axes if letter in "DHW")

    @property
    def varying(self) -> str:
        """The letters of the axes with more than one element, but N."""
        pairs = zip(self.axes, self.shape, strict=True)
        return "".join(letter for letter, extent in pairs if extent > 1 and letter != "N")

    def of_channels(self, array: Any) -> Any:
        """Return one value a channel, an array of one axis, with the axes of the activation."""
        return array.reshape([-1 if letter == "C" else 1 for letter in self.axes])

    def runs(self, order: str) -> bool:
        """Whether its elements follow each other as with axes in this order."""
        return list(self.varying) == sorted(self.varying, key=order.index)


def window(extents: Sequence[int], fill: int = 1) -> tuple[int, ...]:
    """Return what is said of each spatial axis with a height in front where there is none."""
    return (fill,) * (2 - len(extents)) + tuple(extents)


def elements(shape: Sequence[int]) -> int:
    """Return how many elements one image has."""
    return math.prod(shape[1:])
