"""Steps: evenly spaced numbers that quantised weights or inputs lie on, and each way to them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array

TIE = 2.0**-10
"""So near to the middle of two steps, in steps, either may be taken."""
MOST_STEPS = 512
"""Steps from 0 to the largest number seen, up to which a scale of one's own is looked for."""
NEAR_STEP = 2.0**-6
"""So near to a step, in steps, a number lies on it, until the scale is checked to the bit."""
END_OF_SYMMETRIC = (1.0, 127 / 127.5, 127 / 128)
"""What 1 becomes where it is the largest number, of each way in `WAYS`."""


@dataclass(frozen=True)
class Steps:
    """A way to quantise: one scale for all numbers along some axes."""

    words: str
    """What lies on the steps."""
    axes: tuple[int, ...]
    """NHWC or HWIO: over these the range is taken."""
    count: float
    """Steps from 0 to the largest number or, of `affine`, from the least to the largest."""
    affine: bool = False

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest step of a symmetric way; 128 has no place in 8 bits."""
        if self.count in (127.5, 128.0):
            return -128, 127
        return -round(self.count), round(self.count)

    def __str__(self) -> str:
        """Say it as evidence."""
        low, high = self.ends
        levels = round(self.count) + 1 if self.affine else high - low + 1
        return f"{self.words} on {levels} steps ({math.ceil(math.log2(levels))} bits)"

    def quantised(self, values: Array) -> tuple[Array, Array]:
        """Return what values become, and how far off each may yet be; fp64, as `values`."""
        scale = self.range_of(values) / self.count
        low, high = np.float64(self.ends[0]), np.float64(self.ends[1])
        if self.affine:
            least = np.minimum(values.min(axis=self.axes, keepdims=True), 0)
            low = np.rint(_quotient(least, scale))
            high = low + round(self.count)
        steps = _quotient(values, scale)
        near_tie = np.abs(np.abs(steps - np.floor(steps)) - 0.5) < TIE
        off = np.where(near_tie, scale, 0.0)
        return np.clip(np.rint(steps), low, high) * scale, np.asarray(off)

    def stored(self, outputs: Array, slack: Array, calibrated: Array) -> tuple[Array, Array]:
        """Return what outputs become, and how far off each may yet be; fp64, of an `affine` way.

        slack: how far off each of them may be; calibrated: the outputs whose range the steps have.
        """
        scale = float(self.range_of(calibrated).flat[0]) / self.count or 1.0
        low = np.rint(min(float(calibrated.min()), 0.0) / scale)
        steps = outputs / scale
        from_tie = np.abs(np.abs(steps - np.floor(steps)) - 0.5)
        near_tie = from_tie < slack / scale + TIE_OF_OUTPUTS
        off = np.where(near_tie, scale, TIE * scale) + slack
        return np.clip(np.rint(steps), low, low + self.count) * scale, np.asarray(off)

    def scale_of(self, values: Array) -> Array:
        """Return the size of a step beside each value."""
        return np.broadcast_to(self.range_of(values) / self.count, values.shape)

    def range_of(self, values: Array) -> Array:
        """Return what `count` steps make up: the largest size or, of `affine`, the whole range."""
        largest = np.maximum(values.max(axis=self.axes, keepdims=True), 0)
        least = np.minimum(values.min(axis=self.axes, keepdims=True), 0)
        return np.asarray(largest - least if self.affine else np.maximum(largest, -least))


WAYS = ((127.0, False), (255.0, True), (127.5, False), (128.0, False))
"""count and affine of `Steps`: TensorFlow Lite's two first, then PyTorch's observers'."""
RANGES = {
    "filter_hwio": (("weights lie", (0, 1, 2, 3)), ("weights of a channel lie", (0, 1, 2))),
    "input_nhwc": (
        ("inputs lie", (0, 1, 2, 3)),
        ("inputs of an image lie", (1, 2, 3)),
        ("inputs of a position lie", (3,)),
    ),
}
"""What may share a scale, and along which axes. TensorFlow Lite has one a position in `dense`."""
OUTPUTS = Steps("outputs lie", (0, 1, 2, 3), 255.0, affine=True)
"""How int8 kernels store their outputs: calibrated to the range of what is computed in full."""
TIE_OF_OUTPUTS = 2.0**-6
"""As TIE, of outputs: TensorFlow Lite's kernels round a product of 31 bits, and then its quotient.

The first rounding is 2^-s of a step where a step of outputs is 2^s steps of products, as it is with
s ≥ 7 where some output is as large as the largest product.
"""


def usual_ways(side: str) -> Iterator[Steps]:
    """Yield the ways of the table that numbers of a side may be quantised."""
    for words, axes in RANGES[side]:
        for count, affine in WAYS:
            yield Steps(words, axes, count, affine)


def other_ways(side: str, values: Array, output: Array, right: Array) -> Iterator[Steps]:
    """Yield the ways of as many steps as the values that were read show.

    output, right: what came of `values` one by one, and what they are.
    """
    for words, axes in RANGES[side]:
        scale = _scale_of(*_sharing(axes, output, right))
        for affine in (False, True):
            like = Steps(words, axes, 1.0, affine)
            if scale:
                yield Steps(words, axes, float(like.range_of(values).flat[0]) / scale, affine)


def _sharing(axes: tuple[int, ...], output: Array, right: Array) -> tuple[Array, Array]:
    """Return the outputs, and the right ones, of one scale: of the first image or channel."""
    if axes == (1, 2, 3):
        output, right = output[0], right[0]
    elif axes == (0, 1, 2):
        output, right = output[..., 0], right[..., 0]
    return output[right != 0], right[right != 0]


def _scale_of(numbers: Array, right: Array) -> float:
    """Return the widest scale of which all numbers are multiples, within half of it; 0 if none."""
    largest = float(np.abs(numbers).max(initial=0.0))
    if not math.isfinite(largest) or not largest:
        return 0.0
    off = float(np.abs(numbers - right).max())
    for count in range(1, MOST_STEPS + 1):
        scale = largest / count
        steps = numbers / scale
        if off <= (0.5 + NEAR_STEP) * scale and (np.abs(steps - np.rint(steps)) < NEAR_STEP).all():
            return scale
    return 0.0


def _quotient(values: Array, scale: Array) -> Array:
    """Return values / scale, and 0 where the scale is 0."""
    return np.asarray(values / np.where(scale > 0, scale, np.inf))
