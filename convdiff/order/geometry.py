"""The fixed shape of a convolution, and the inputs that each of its outputs reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.footprint import Footprint
from convdiff.worker.ops.convolution import Convolution


@dataclass(frozen=True)
class Geometry:
    """A convolution of one size: shapes, strides and element type, which no probe ever changes.

    `bias` says whether a bias of shape (cout,) is added. `dtype` is float64, float32, float16 or
    bfloat16. Raises ValueError where the shapes do not fit together.
    """

    input_nhwc: tuple[int, int, int, int]
    filter_hwio: tuple[int, int, int, int]
    bias: bool = False
    strides: tuple[int, ...] = (1, 1)
    dilations: tuple[int, ...] = (1, 1)
    groups: int = 1
    dtype: str = "float32"
    asked: Convolution | None = None
    """The convolution, where it is more than these say: padded, transposed, of other dimensions."""
    footprint: Footprint | None = None
    """The taps that the outputs in question see, if not all: `filter_hwio` is of these alone."""

    def __post_init__(self) -> None:
        cin, cout = self.filter_hwio[2] * self.groups, self.filter_hwio[3]
        if self.input_nhwc[3] != cin:
            raise ValueError(f"input has {self.input_nhwc[3]} channels, the filter needs {cin}")
        if cout % self.groups:
            raise ValueError(f"{cout} output channels do not divide into {self.groups} groups")
        if min(self.output_nhwc) < 1:
            raise ValueError("the input is smaller than the filter")

    @cached_property
    def conv(self) -> Convolution:
        """What moves over the input, whatever its size."""
        if self.asked is not None:
            return self.asked
        kh, kw, cin, cout = self.filter_hwio
        cin *= self.groups
        return Convolution(
            (kh, kw), cin, cout, self.strides, self.dilations, self.groups, self.dtype
        )

    @property
    def taps(self) -> int:
        """Products in one output element."""
        return math.prod(self.filter_hwio[:3])

    @property
    def leaves(self) -> int:
        """Terms of one output element: its taps, and the bias where there is one."""
        return self.taps + self.bias

    @property
    def cout(self) -> int:
        """Output channels."""
        return self.filter_hwio[3]

    @property
    def positions(self) -> int:
        """Output positions, N x OH x OW."""
        return math.prod(self.output_nhwc[:3])

    @property
    def output_nhwc(self) -> tuple[int, int, int, int]:
        """Shape of the output."""
        return self.conv.output_shape(*self.input_nhwc[:3])

    @property
    def window(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The rows and columns of the whole filter that the taps are in."""
        if self.footprint is not None:
            return self.footprint.window(self.conv.kernel)
        rows, columns = self.conv.window
        return tuple(range(rows)), tuple(range(columns))

    def seeing(self, footprint: Footprint | None) -> Geometry:
        """Return the geometry of outputs that see these taps alone; None is all."""
        conv = self.conv
        if footprint is None or footprint.axes == tuple(tuple(range(k)) for k in conv.kernel):
            return replace(self, filter_hwio=conv.filter_shape, footprint=None)
        rows, columns = map(len, footprint.window(conv.kernel))
        shape = rows, columns, *conv.filter_shape[2:]
        return replace(self, filter_hwio=shape, asked=conv, footprint=footprint)

    def leaves_of(self, fewer: Geometry) -> list[int]:
        """Return the leaves that are those of a geometry of fewer taps, in its order."""
        index = np.arange(self.taps).reshape(self.filter_hwio[:3])
        pairs = zip(self.window, fewer.window, strict=True)
        places = [np.searchsorted(mine, theirs) for mine, theirs in pairs]
        leaves: list[int] = index[np.ix_(*places)].reshape(-1).tolist()
        return leaves + [self.taps] * self.bias

    def cut(self, filter_hwio: Array) -> Array:
        """Return the taps of a whole filter."""
        if self.footprint is None:
            return filter_hwio
        return np.ascontiguousarray(filter_hwio[np.ix_(*self.window)])

    def windows(self, input_nhwc: Array, positions: Array) -> Array:
        """Return the inputs under the filter, shape (taps, len(positions), groups).

        positions: flat indices into N x OH x OW. Row t holds the input that tap t multiplies.
        """
        kh, kw, cin, _ = self.filter_hwio
        view = self.conv.windows(input_nhwc)
        fields = view[np.unravel_index(positions, self.output_nhwc[:3])]
        if self.footprint is not None:
            rows, columns = self.window
            fields = fields[:, rows][:, :, columns]
        grouped = fields.reshape(len(positions), kh, kw, self.groups, cin)
        taps = grouped.transpose(1, 2, 4, 0, 3)
        return np.ascontiguousarray(taps).reshape(self.taps, len(positions), self.groups)

    def name(self, leaf: int) -> str:
        """Return (kh, kw, cin) of a tap in the whole filter, on the op's own axes, or 'bias'."""
        if leaf >= self.taps:
            return "bias"
        row, column, channel = np.unravel_index(leaf, self.filter_hwio[:3])
        rows, columns = self.window
        high = np.unravel_index(rows[row], self.conv.kernel[:-1])
        index = (*self.conv.own((*high, columns[column])), channel)
        return f"({','.join(map(str, index))})"

    @property
    def axes(self) -> str:
        """What the numbers of a `name` are: (kh,kw,cin)."""
        return f"({','.join((*self.conv.own(('kd', 'kh', 'kw')), 'cin'))})"
