"""The sizes of one convolution: images, channels, rows, columns and filters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from convdiff.case.model import ArraySpec, Case

SizeAxis = Literal["batch", "channels", "height", "length", "filters"]
LETTERS: dict[SizeAxis, str] = {
    "batch": "N",
    "channels": "C",
    "height": "H",
    "length": "W",
    "filters": "O",
}
"""What each is called in a product."""


@dataclass(frozen=True)
class Shape:
    """What a convolution reads, N·C·H·W, and how many filters it has."""

    batch: int
    channels: int
    height: int
    """Of a 3-D op without its depth."""
    length: int
    filters: int

    def __getitem__(self, axis: SizeAxis) -> int:
        size: int = getattr(self, axis)
        return size

    def at(self, axis: SizeAxis, size: int) -> Shape:
        """Return it with another size along one axis."""
        return replace(self, **{axis: size})

    def product(self, axes: Iterable[SizeAxis]) -> int:
        """Return the product of some of its sizes."""
        return math.prod(self[axis] for axis in axes)


def shape_of(case: Case) -> Shape:
    """Return a case's shape at its largest batch and length."""
    conv = case.conv
    height = case.height // conv.depth
    return Shape(case.batches[-1], conv.channels_in, height, case.lengths[-1], conv.channels_out)


def least(case: Case, axis: SizeAxis) -> int:
    """Return the smallest size that a convolution can have along an axis."""
    spatial: dict[SizeAxis, int] = {"length": -1, "height": -2}
    return case.conv.axes[spatial[axis]].least if axis in spatial else 1


def varied(case: Case) -> tuple[SizeAxis, ...]:
    """Return the axes along which a case of the same kind may have other sizes."""
    rows: tuple[SizeAxis, ...] = ("height",) if case.conv.rank > 1 else ()
    channels: tuple[SizeAxis, ...] = ("channels", "filters") if case.conv.groups == 1 else ()
    return ("batch", *channels, *rows, "length")


def of_shape(case: Case, shape: Shape) -> Case:
    """Return the same convolution of another shape, on random numbers of its own.

    A step that adds another tensor has no other shape: ValueError.
    """
    if case.added is not None:
        raise ValueError("what it adds has a shape of its own")
    conv = case.conv._replace(channels_in=shape.channels, channels_out=shape.filters)
    rows = conv.depth * shape.height
    bias = ArraySpec("normal", (shape.filters,), (1.0,), seed=3) if case.bias else None
    return replace(
        case,
        conv=conv,
        filter=ArraySpec("normal", conv.filter_shape, (1.0,), seed=1),
        bias=bias,
        input=ArraySpec(
            "normal", (shape.batch, rows, shape.length, shape.channels), (1.0,), seed=2
        ),
        height=rows,
        lengths=(shape.length,),
        batches=(shape.batch,),
        channels_out=(),
    )
