"""How the additions of an order are rounded: which format holds what, and when it is narrowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from convdiff.case.forms import Flag, Whole, Words
from convdiff.numerics.array import Array
from convdiff.numerics.fma import fma, fma32
from convdiff.numerics.rounding import WIDER, rounded, storage

Format = Annotated[str, Words("float64", "float32", "tf32", "float16", "bfloat16")]
Switch = Annotated[bool, Flag()]


@dataclass(frozen=True)
class Arithmetic:
    """The rounding of one kernel. Its methods warn as NumPy does on overflow, and so on.

    inputs: the format that inputs and weights are narrowed to before multiplying (often `dtype`).
    accumulator: the format of products and partial sums. Where it is wider than `dtype`, the sum
    is narrowed once at the end; with `early`, before the addition of the bias at the root, which
    is then added in `dtype` (a convolution followed by a separate bias addition).
    zero_start: the sum starts from a +0, so that nothing but -0 terms still gives +0.
    guard: extra low bits that a multi-operand addition keeps when it aligns its operands before
    it truncates them (tensor cores; Fasi et al., PeerJ Computer Science 7:e330, 2021).
    """

    dtype: Format = "float32"
    inputs: Format = ""
    accumulator: Format = ""
    early: Switch = False
    zero_start: Switch = False
    guard: Annotated[int, Whole(0, 64)] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", self.inputs or self.dtype)
        object.__setattr__(self, "accumulator", self.accumulator or self.dtype)

    @property
    def words(self) -> str:
        """Say what is kept in another precision than the case's own, as a suffix."""
        inputs = f", inputs and weights kept as {self.inputs}" if self.inputs != self.dtype else ""
        sums = f", summed in {self.accumulator}" if self.accumulator != self.dtype else ""
        return inputs + sums

    @property
    def wide(self) -> bool:
        """Whether products of `dtype` are exact in the accumulator, so that fusing is invisible."""
        return self.accumulator == WIDER.get(self.dtype)

    def narrow(self, values: Array) -> Array:
        """Return inputs or weights as the kernel multiplies them, in the accumulator's storage."""
        kept = values.astype(storage(self.dtype), copy=False)
        if self.inputs != self.dtype:
            kept = rounded(kept, self.inputs)
        return kept.astype(storage(self.accumulator), copy=False)

    def stored(self, bias: Array) -> Array:
        """Return the bias, which is not narrowed, in the accumulator's storage."""
        return bias.astype(storage(self.accumulator), copy=False)

    def product(self, x: Array, w: Array) -> Array:
        """Return the product of narrowed x and w as a value of the accumulator."""
        # Of two 16-bit numbers the float32 product is exact, so this is its only rounding.
        return rounded(x * w, self.accumulator)

    def add(self, a: Array, b: Array) -> Array:
        """Return a + b rounded to the accumulator.

        A 16-bit sum is rounded to float32 first, which is harmless: 24 >= 2 * 11 + 2 bits
        (Figueroa, SIGNUM Newsletter 30(3), 1995).
        """
        return rounded(a + b, self.accumulator)

    def fused(self, x: Array, w: Array, a: Array) -> Array:
        """Return x * w + a rounded once to the accumulator."""
        if self.accumulator == "float32":
            return fma32(x, w, a)
        return fma(x, w, a, self.accumulator)

    def finish(self, total: Array) -> Array:
        """Return the sum as the kernel stores it."""
        if self.zero_start:
            total = total + storage(self.accumulator)(0)
        return rounded(total, self.dtype)

    def many(self, operands: Sequence[Array]) -> Array:
        """Return a multi-operand sum: exact float64 operands aligned, truncated and added.

        All are cut, towards zero, to multiples of the last bit (and `guard` more bits) that the
        largest one has in float32; their sum is exact and cut to float32. Holds for 16-bit and
        TF32 operands with a float32 accumulator.
        """
        wide = np.stack([np.asarray(v, np.float64) for v in np.broadcast_arrays(*operands)])
        exponent = np.frexp(np.abs(wide).max(axis=0))[1] - 24 - self.guard
        total = np.ldexp(np.trunc(np.ldexp(wide, -exponent)).sum(axis=0), exponent)
        near = total.astype(np.float32)
        over = np.abs(near) > np.abs(total)
        cut: Array = np.where(over, np.nextafter(near, np.float32(0)), near)
        return cut.astype(storage(self.accumulator))
