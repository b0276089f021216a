"""Legal convolutions in plain NumPy: a drawn order of summation, fused or not, a drawn arithmetic.

Nothing here is convdiff's: what it judges is made without it. All numbers are fp64 arrays that hold
only numbers of the format in question; a sum of two such numbers, rounded once more from fp64, is
the correctly rounded one for formats of up to 25 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from labelled_geometry import gathered, is_plain

Array = np.ndarray[Any, Any]
Round = Callable[[Array], Array]


def whole(values: Array) -> Array:
    """Keep fp64."""
    return values


def to_float32(values: Array) -> Array:
    return values.astype(np.float32).astype(np.float64)


def to_float16(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float64)


def to_bits(bits: int) -> Round:
    """Round to so many significant bits, to nearest even, at any exponent: 8 bf16, 11 TF32."""

    def to(values: Array) -> Array:
        fraction, exponent = np.frexp(values)
        return np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits)

    return to


def in_halves(values: Array) -> Array:
    """Keep two numbers of 8 bits, as emulations on bf16 units do."""
    high = to_bits(8)(values)
    return high + to_bits(8)(values - high)


BFLOAT16, TF32 = to_bits(8), to_bits(11)


@dataclass(frozen=True)
class Arithmetic:
    """What is rounded, and to what."""

    name: str
    x: Round = whole
    w: Round = whole
    accumulator: Round = to_float32
    output: Round = whole
    legal: bool = False
    """Any fp32 convolution may do so."""


ARITHMETICS = (
    Arithmetic("fp32", legal=True),
    Arithmetic("fp64 accumulator", accumulator=whole, legal=True),
    Arithmetic("inputs in bf16", x=BFLOAT16),
    Arithmetic("inputs in TF32", x=TF32),
    Arithmetic("inputs in fp16", x=to_float16),
    Arithmetic("weights in bf16", w=BFLOAT16),
    Arithmetic("weights in TF32", w=TF32),
    Arithmetic("weights in fp16", w=to_float16),
    Arithmetic("inputs and weights in bf16", x=BFLOAT16, w=BFLOAT16),
    Arithmetic("inputs and weights in TF32", x=TF32, w=TF32),
    Arithmetic("inputs and weights in fp16", x=to_float16, w=to_float16),
    Arithmetic("accumulator in fp16", accumulator=to_float16),
    Arithmetic("accumulator in bf16", accumulator=BFLOAT16),
    Arithmetic("output in fp16", output=to_float16),
    Arithmetic("output in bf16", output=BFLOAT16),
)
PLAIN = ARITHMETICS[0]


@dataclass(frozen=True)
class Order:
    """An order of summation, drawn anew for each number of terms."""

    kind: str
    """tree, chain, blocks, lanes or halves."""
    seed: int
    fused: bool

    def total(self, terms: list[Array], accumulator: Round) -> Array:
        """Add terms up in this order, rounding after each addition."""
        rng = np.random.default_rng(self.seed)
        parts = terms if self.fused else [accumulator(term) for term in terms]

        def chain(items: list[Array]) -> Array:
            total = accumulator(items[0])
            for item in items[1:]:
                total = accumulator(total + item)
            return total

        size = int(rng.integers(2, max(3, len(parts))))
        if self.kind == "tree":
            parts = list(parts)
            while len(parts) > 1:
                one = parts.pop(int(rng.integers(len(parts))))
                other = int(rng.integers(len(parts)))
                parts[other] = accumulator(accumulator(parts[other]) + one)
        if self.kind == "blocks":
            parts = [chain(parts[k : k + size]) for k in range(0, len(parts), size)]
        if self.kind == "lanes":
            parts = [chain(parts[lane::size]) for lane in range(min(size, len(parts)))]
        if self.kind == "halves":
            while len(parts) > 1:
                pairs = [chain(parts[k : k + 2]) for k in range(0, len(parts), 2)]
                parts = pairs
        return chain(parts)


ORDERS = ("tree", "chain", "blocks", "lanes", "halves")


def drawn_order(rng: np.random.Generator) -> Order:
    return Order(str(rng.choice(ORDERS)), int(rng.integers(2**31)), bool(rng.random() < 0.5))


def windows(conv: Any, x: Array) -> Array:
    """Return what each output sees, (N, OH, OW, kh, kw, C)."""
    if not is_plain(conv):
        return gathered(conv, x)
    (kh, kw), (sh, sw), (dh, dw) = conv.kernel, conv.strides, conv.dilations
    reach = ((kh - 1) * dh + 1, (kw - 1) * dw + 1)
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2))
    return view[:, ::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 2, 4, 5, 3)


def products(conv: Any, x: Array, w: Array) -> list[Array]:
    """Return every tap's products, exact in fp64, each (N, OH, OW, C_out)."""
    view, groups = windows(conv, x), conv.groups
    kh, kw, inputs, outputs = w.shape
    at = view.shape[:3]
    field = view.reshape(*at, kh, kw, groups, inputs).transpose(3, 4, 6, 0, 1, 2, 5)
    weights = w.reshape(kh, kw, inputs, 1, 1, 1, groups, outputs // groups)
    with np.errstate(invalid="ignore"):  # fp16 overflows
        return list((field[..., None] * weights).reshape(kh * kw * inputs, *at, outputs))


def convolved(
    conv: Any, x: Array, w: Array, b: Array | None, order: Order, arithmetic: Arithmetic = PLAIN
) -> Array:
    """Convolve as an order and an arithmetic say; fp64 in and out, of fp32 numbers."""
    terms = products(conv, arithmetic.x(x), arithmetic.w(w))
    if b is not None:
        terms.append(np.broadcast_to(b, terms[0].shape))
    with np.errstate(invalid="ignore"):  # fp16 overflows
        return to_float32(arithmetic.output(order.total(terms, arithmetic.accumulator)))
