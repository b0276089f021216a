"""The fixed shape of a convolution, and the inputs that each of its outputs reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convdiff.numerics.array import Array
from convdiff.worker.ops.conv2d import Convolution


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
        return self.conv.taps

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

    def windows(self, input_nhwc: Array, positions: Array) -> Array:
        """Return the inputs under the filter, shape (taps, len(positions), groups).

        positions: flat indices into N x OH x OW. Row t holds the input that tap t multiplies.
        """
        kh, kw, cin, _ = self.filter_hwio
        view = self.conv.windows(input_nhwc)
        fields = view[np.unravel_index(positions, self.output_nhwc[:3])]
        grouped = fields.reshape(len(positions), kh, kw, self.groups, cin)
        taps = grouped.transpose(1, 2, 4, 0, 3)
        return np.ascontiguousarray(taps).reshape(self.taps, len(positions), self.groups)

    def name(self, leaf: int) -> str:
        """Return (kh, kw, cin) of a tap, or 'bias'."""
        if leaf >= self.taps:
            return "bias"
        kh, kw, cin = np.unravel_index(leaf, self.filter_hwio[:3])
        return f"({kh},{kw},{cin})"
