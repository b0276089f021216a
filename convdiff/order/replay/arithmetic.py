"""How the additions of an order are rounded: which format holds what, and when it is narrowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from convdiff.case.forms import Flag, Whole, Words
from convdiff.numerics.array import Array
from convdiff.numerics.fma import fma, fma32
from convdiff.numerics.rounding import PRECISION, WIDER, flushed, rounded, storage

_NAMES = ("float64", "float32", "tf32", "float16", "bfloat16")

Format = Annotated[str, Words(*_NAMES)]
Narrowed = Annotated[str, Words("", *_NAMES)]
Switch = Annotated[bool, Flag()]
Flush = Annotated[str, Words("", "all", "ends", "inputs", "sums", "output")]

ADDED = ("weights", "bias", "before_bias", "output", "total", "block", "level", "every", "flush")
"""Fields that recordings of before do not have, and that are written only where they are set."""

_NARROWED = {
    "the bias kept as {}": "bias",
    "a block's sum kept as {}": "block",
    "the sums of blocks kept as {}": "total",
    "the sum rounded to {} before the bias": "before_bias",
    "the result rounded to {}": "output",
}
_FLUSHED = {
    "": "",
    "all": "subnormal inputs, sums and outputs taken as zero",
    "ends": "subnormal inputs and outputs taken as zero",
    "inputs": "subnormal inputs and weights taken as zero",
    "sums": "subnormal sums and outputs taken as zero",
    "output": "subnormal outputs taken as zero",
}


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
    weights: the format that weights alone are narrowed to; empty where it is that of `inputs`.
    bias: the format that the bias is narrowed to; empty where it is not.
    before_bias: the format that the sum has before the bias is added to it at the root.
    output: the format that the result is narrowed to before it is stored in `dtype`.
    total, block: the formats of the sums that blocks are added to, and of a block's sum before
    that; empty where nothing is narrowed there. A total is a sum above the `level` (see
    `convdiff.order.replay.narrowed`), or one of a multiple of `every` products; 0 for neither.
    flush: which subnormal numbers are taken for zero: `inputs` (and weights and the bias, as they
    are read), `sums` (products and sums), the `output` alone, or `all` (a CPU's DAZ and FTZ).
    """

    dtype: Format = "float32"
    inputs: Format = ""
    accumulator: Format = ""
    early: Switch = False
    zero_start: Switch = False
    guard: Annotated[int, Whole(0, 64)] = 0
    weights: Narrowed = ""
    bias: Narrowed = ""
    before_bias: Narrowed = ""
    output: Narrowed = ""
    total: Narrowed = ""
    block: Narrowed = ""
    level: Annotated[int, Whole(0, 64)] = 0
    every: Annotated[int, Whole(0)] = 0
    flush: Flush = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", self.inputs or self.dtype)
        object.__setattr__(self, "accumulator", self.accumulator or self.dtype)
        if self.weights == self.inputs:
            object.__setattr__(self, "weights", "")

    @property
    def words(self) -> str:
        """Say what is kept in another precision than the case's own; empty where nothing is."""
        parts = self._operands()
        if self.accumulator != self.dtype:
            parts.append(f"summed in {self.accumulator}")
        for template, name in _NARROWED.items():
            if format_ := getattr(self, name):
                parts.append(template.format(format_))
        return ", ".join(filter(None, [*parts, _FLUSHED[self.flush]]))

    def _operands(self) -> list[str]:
        """Say what inputs and weights are narrowed to."""
        formats = {"inputs": self.inputs, "weights": self.weights}
        if not self.weights:
            formats = {"inputs and weights": self.inputs}
        return [f"{what} kept as {name}" for what, name in formats.items() if name != self.dtype]

    @property
    def wide(self) -> bool:
        """Whether products of `dtype` are exact in the accumulator, so that fusing is invisible."""
        return self.accumulator == WIDER.get(self.dtype)

    @property
    def overflow_tells_all(self) -> bool:
        """Whether float32 sums of bfloat16 products, exact there, are rounded nowhere else.

        But for what is stored as bfloat16 at the end, or before the bias: its range is float32's.
        Fusing is invisible then, and any other tree overflows elsewhere.
        """
        stored = {self.before_bias, self.output} <= {"", "bfloat16"}
        whole = replace(self, inputs="", bias="", before_bias="", output="", flush="")
        plain = replace(whole, zero_start=False) == Arithmetic()
        return self.inputs == "bfloat16" and not self.weights and stored and plain

    @property
    def fuses_plainly(self) -> bool:
        """Whether a fused sum is a float32 that is kept as it is."""
        return self.accumulator == "float32" and self.flush not in ("all", "sums")

    @property
    def accumulates_narrowly(self) -> bool:
        """Whether sums are kept in fewer bits than `dtype` has."""
        return self._is_narrow(self.accumulator)

    @property
    def narrows_blocks(self) -> bool:
        """Whether sums of blocks are kept in fewer bits than `dtype` has."""
        return any(self._is_narrow(name) for name in (self.total, self.block) if name)

    def _is_narrow(self, name: str) -> bool:
        return PRECISION[name] < PRECISION[self.dtype]

    def narrow(self, values: Array) -> Array:
        """Return inputs as the kernel multiplies them, in the accumulator's storage."""
        return self._read(values, self.inputs)

    def narrow_weights(self, values: Array) -> Array:
        """Return weights as the kernel multiplies them, in the accumulator's storage."""
        return self._read(values, self.weights or self.inputs)

    def _read(self, values: Array, name: str) -> Array:
        kept = values.astype(storage(self.dtype), copy=False)
        if self.flush in ("all", "ends", "inputs"):
            kept = flushed(kept, self.dtype)
        if name != self.dtype:
            kept = rounded(kept, name)
        return kept.astype(storage(self.accumulator), copy=False)

    def stored(self, bias: Array) -> Array:
        """Return the bias as the kernel adds it, in the accumulator's storage."""
        return self._read(bias, self.bias or self.dtype)

    def product(self, x: Array, w: Array) -> Array:
        """Return the product of narrowed x and w as a value of the accumulator."""
        # Of two 16-bit numbers the float32 product is exact, so this is its only rounding.
        return self._kept(rounded(x * w, self.accumulator))

    def add(self, a: Array, b: Array, name: str = "") -> Array:
        """Return a + b rounded to the accumulator, or to the format that this sum is kept in.

        A 16-bit sum is rounded to float32 first, which is harmless: 24 >= 2 * 11 + 2 bits
        (Figueroa, SIGNUM Newsletter 30(3), 1995).
        """
        return self._kept(rounded(a + b, name or self.accumulator))

    def fused(self, x: Array, w: Array, a: Array, *, tiny: bool = True) -> Array:
        """Return x * w + a rounded once to the accumulator; tiny: as `fma32` has it."""
        if self.accumulator == "float32":
            return self._kept(fma32(x, w, a, tiny=tiny))
        return self._kept(fma(x, w, a, self.accumulator))

    def started(self, term: Array) -> Array:
        """Return the first term of a sum, where it starts from a zero that flushing may turn."""
        if not (self.zero_start and self.flush):
            return term
        return np.asarray(term + storage(self.accumulator)(0))

    def finish(self, total: Array) -> Array:
        """Return the sum as the kernel stores it."""
        if self.zero_start and not self.flush:
            total = total + storage(self.accumulator)(0)
        if self.output:
            total = rounded(total, self.output)
        total = rounded(total, self.dtype)
        if self.flush in ("", "inputs"):
            return total
        return flushed(total, self.dtype)

    def _kept(self, values: Array) -> Array:
        """Return products or sums of the accumulator's format, less those that are flushed."""
        if self.flush not in ("all", "sums"):
            return values
        return flushed(values, self.accumulator)

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
