"""How a filter or the window of a pool moves, as a file has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

from convdiff.case.layout import Order, layout_of
from convdiff.net.models.axes import window
from convdiff.worker.ops.convolution import Convolution

CONV = {1: "conv1d", 2: "conv2d", 3: "conv3d"}
CONV_TRANSPOSE = {rank: f"{op}_transpose" for rank, op in CONV.items()}
_Value = TypeVar("_Value")
Pads = str | tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Moves:
    """How a window moves, with an entry for each spatial axis of the file; empty is 1."""

    strides: Sequence[int] = ()
    dilations: Sequence[int] = ()
    padding: Pads = "valid"
    output_padding: Sequence[int] = ()

    def filled(self, rank: int) -> dict[str, Any]:
        """Return them as a `Convolution` has them, of at least two axes."""
        padding = self.padding
        if not isinstance(padding, str):
            own = tuple((int(before), int(after)) for before, after in padding)
            padding = ((0, 0),) * (2 - rank) + own if any(map(any, own)) else "valid"
        return {
            "strides": window(tuple(self.strides) or (1,) * rank),
            "dilations": window(tuple(self.dilations) or (1,) * rank),
            "padding": padding,
            "output_padding": window(tuple(self.output_padding) or (0,) * rank, 0),
        }

    def convolution(
        self,
        kernel: Sequence[int],
        channels: tuple[int, int],
        op: str = CONV[2],
        groups: int = 1,
    ) -> Convolution:
        """Return the geometry of an op with this filter; channels: that it reads and gives."""
        filled = self.filled(len(kernel))
        return Convolution(window(kernel), *channels, groups=groups, op=op, **filled)

    def channels_first(
        self, shape: Sequence[int], ops: Mapping[int, str], groups: int
    ) -> tuple[Order, Convolution]:
        """Return the geometry of (O, I / groups, …) weights, and how they lie.

        Those of a transposed op, which CONV_TRANSPOSE has, are (I, O / groups, …).
        """
        op, outer, inner = ops[len(shape) - 2], shape[0], shape[1] * groups
        channels = (outer, inner) if ops is CONV_TRANSPOSE else (inner, outer)
        order = layout_of("nchw", op, groups).filter
        return order, self.convolution(shape[2:], channels, op, groups)

    def channels_last(self, shape: Sequence[int], groups: int = 1) -> tuple[Order, Convolution]:
        """Return the geometry of (…, I / groups, O) weights, and how they lie."""
        *kernel, inner, outer = shape
        letters = f"{'DHW'[-len(kernel) :]}IO"
        op, channels = CONV[len(kernel)], (inner * groups, outer)
        return Order(letters, letters), self.convolution(kernel, channels, op, groups)

    def ordered(self, spatial: str) -> Moves:
        """Return them in the order D, H, W; spatial: the letters in the order that they have."""
        padding = self.padding
        if not isinstance(padding, str):
            padding = ordered(padding, spatial)
        rest = (self.strides, self.dilations, self.output_padding)
        strides, dilations, output_padding = (ordered(one, spatial) for one in rest)
        return Moves(strides, dilations, padding, output_padding)


def ordered(values: Sequence[_Value], spatial: str) -> tuple[_Value, ...]:
    """Return what is said of each spatial axis in the order D, H, W; nothing where that is said."""
    if not values:
        return ()
    return tuple(value for _, value in sorted(zip(spatial, values, strict=True), key=itemgetter(0)))
