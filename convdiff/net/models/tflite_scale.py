"""How a TensorFlow Lite tensor of integers stands for numbers: scale · (integer − zero point)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convdiff.net.models.flatbuffer import Table
from convdiff.net.models.model import Array, UnreadError


@dataclass(frozen=True)
class Scale:
    """QuantizationParameters of schema.fbs."""

    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int
    """Along which there are several."""

    @classmethod
    def of(cls, tensor: Table) -> Scale | None:
        """Return a tensor's, or None where it has none."""
        table = tensor.table(4)
        scales = () if table is None else tuple(table.floats(2))
        if table is None or not scales:
            return None
        return cls(scales, tuple(table.numbers(3, "i64")), table.integer(6))

    def floats(self, array: Array) -> Array:
        """Return what integers stand for, float32, rounded once. Raises UnreadError."""
        zeros = self.zeros or (0,) * len(self.scales)
        if len(zeros) not in (1, len(self.scales)):
            raise UnreadError("zero points that are not one a scale")
        shape = [1] * array.ndim
        if len(self.scales) > 1:
            if not 0 <= self.axis < array.ndim or array.shape[self.axis] != len(self.scales):
                raise UnreadError("scales that are not one a channel")
            shape[self.axis] = -1
        wide = "float64" if array.dtype.itemsize > 2 else "float32"  # in which integers are exact
        scale, zero = (_lying(np.array(one, wide), shape) for one in (self.scales, zeros))
        made: Array = (scale * (array.astype(wide) - zero)).astype("float32")
        return made


def _lying(values: Array, shape: list[int]) -> Array:
    """Return several values along the axis of a shape that is open, or one for all."""
    return values.reshape(shape if len(values) > 1 else [1] * len(shape))
