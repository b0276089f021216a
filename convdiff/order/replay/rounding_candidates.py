"""The roundings that a kernel may have, likeliest first; a replay on its own bits picks one.

Rows of a table: what operands are narrowed to, where sums are, and what is flushed to zero. A
kernel that none of them replays is said to be unexplained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from convdiff.numerics.rounding import WIDER
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.narrowed import bias_is_last
from convdiff.order.reveal.fma_probes import fusings
from convdiff.order.tree.levels import levels
from convdiff.order.tree.tree import Tree

#: Formats that a kernel may narrow its operands and its sums to. TF32 and float16 have the same
#: bits: what numbers beyond float16's range passed through is TF32, and the last sum is no TF32.
_NARROWER = {"float32": ("tf32", "bfloat16", "float16")}
_NARROW_SCALE = {"float32": ("float16", "bfloat16", "tf32")}

#: Extra bits that multi-operand additions of known tensor cores keep.
_GUARDS = (0, 1, 2, 3)

#: Products after which a chain's sum may be stored, besides those that divide their number.
_STORED_AFTER = (4, 8, 16, 32, 64, 128, 256, 512)

#: What may be flushed, the likeliest first: nothing, and what a CPU flushes where it is told to.
_FLUSHES = ("", "all", "ends", "inputs", "sums", "output")

Candidate = tuple[Arithmetic, Tree]
"""A rounding, and the tree with its fused products as they may be under it."""


def flushes(dtype: str) -> tuple[str, ...]:
    """Return what a kernel of this element type may take for zero."""
    return _FLUSHES[:1] if dtype == "float16" else _FLUSHES


def arithmetics(
    tree: Tree, dtype: str, zero_start: bool, *, narrow: bool = False
) -> Iterator[Candidate]:
    """Yield the arithmetics that could belong to an order of this element type.

    narrow: the order was read at a narrow scale, as at the dtype's own something overflowed.
    """
    narrower = (_NARROW_SCALE if narrow else _NARROWER).get(dtype, ())
    for plain in _operands(tree, dtype, zero_start, (dtype, *narrower)):
        if not narrow or plain.inputs != dtype:  # what narrows nothing overflows nowhere, either
            yield plain, tree
    for fused in fusings(tree):
        for narrowed in _some_operands(tree, dtype, narrower):
            yield Arithmetic(dtype, zero_start=zero_start, **narrowed), fused
    for fused in fusings(tree) if narrow else [tree]:
        for narrowed in _sums(tree, dtype, narrower):
            yield Arithmetic(dtype, zero_start=zero_start, **narrowed), fused


def _operands(
    tree: Tree, dtype: str, zero_start: bool, inputs: Sequence[str]
) -> Iterator[Arithmetic]:
    """Yield one format for both operands, and one for all sums."""
    guards = (0,) if tree.adds_two else _GUARDS
    for accumulator, early in _accumulators(tree, dtype):
        for narrowed in inputs:
            for guard in guards:
                yield Arithmetic(dtype, narrowed, accumulator, early, zero_start, guard)


def _accumulators(tree: Tree, dtype: str) -> Iterator[tuple[str, bool]]:
    """Yield (format of the partial sums, whether they are narrowed before the bias is added)."""
    wider = WIDER.get(dtype)
    bias_last = bias_is_last(tree)
    if dtype not in ("float16", "bfloat16"):
        yield dtype, False
    if wider:
        if bias_last:
            yield wider, True
        yield wider, False
    if dtype in ("float16", "bfloat16"):
        yield dtype, False


Fields = dict[str, Any]


def _some_operands(tree: Tree, dtype: str, narrower: Sequence[str]) -> Iterator[Fields]:
    """Yield what narrows weights, as stored models do, or inputs; and the bias, or not."""
    for accumulator in (dtype, WIDER.get(dtype, dtype)):
        for narrow in narrower:
            for bias in ("", narrow)[: 1 + tree.has_bias]:
                yield {"weights": narrow, "bias": bias, "accumulator": accumulator}
            if tree.has_bias:
                yield {"inputs": narrow, "bias": narrow, "accumulator": accumulator}
        for narrow in _NARROW_SCALE.get(dtype, ()):  # masks are weights: inputs do not overflow
            yield {"inputs": narrow, "weights": dtype, "accumulator": accumulator}


def _sums(tree: Tree, dtype: str, narrower: Sequence[str]) -> Iterator[Fields]:
    """Yield what narrows sums: all, the last one, the one before the bias, those of blocks."""
    for name in _NARROW_SCALE.get(dtype, ()):
        for operands in _operands_of_sums(tree, dtype, name):
            for sums in _last_sums(tree, name):
                yield {**operands, **sums}
    for name in narrower:
        for operands in _operands_of_sums(tree, dtype, name):
            yield {**operands, "accumulator": name}
            for sums in _blocks(tree, name, dtype):
                yield {**operands, **sums}
    if dtype in ("float16", "bfloat16"):
        for sums in _blocks(tree, dtype, "float32"):
            yield {"accumulator": "float32", **sums}


def _operands_of_sums(tree: Tree, dtype: str, narrow: str) -> Iterator[Fields]:
    """Yield the operands of sums that are narrow: as narrow, with the bias or not, or whole."""
    yield {"inputs": narrow}
    if tree.has_bias:
        yield {"inputs": narrow, "bias": narrow}
    yield {"inputs": dtype}


def _last_sums(tree: Tree, narrow: str) -> Iterator[Fields]:
    if bias_is_last(tree):
        yield {"before_bias": narrow}
        yield {"before_bias": narrow, "output": narrow}
    yield {"output": narrow}


def _blocks(tree: Tree, narrow: str, wide: str) -> Iterator[Fields]:
    """Yield totals of blocks in the narrow format, or blocks in it and totals in the wide one."""
    deepest = max(levels(tree))
    for level in range(deepest - 1, 0, -1):
        for sums in ({"total": narrow}, {"total": narrow, "block": narrow}, {"block": narrow}):
            yield {"level": level, **sums}
        yield {"level": level, "accumulator": narrow, "total": wide}
    if deepest == 1:
        for every in _stored_after(tree.taps):
            yield {"every": every, "total": narrow}


def _stored_after(taps: int) -> list[int]:
    """Return after how many products the sum of a chain may be stored."""
    divisors = {k for k in range(2, min(taps, 1024)) if taps % k == 0}
    return sorted(k for k in divisors.union(_STORED_AFTER) if k < taps)
