"""The roundings that a kernel may have, likeliest first; a replay on its own bits picks one."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.numerics.rounding import WIDER
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.tree.tree import Tree

#: Formats that a kernel may narrow its operands to.
_NARROWER = {"float32": ("tf32", "bfloat16", "float16")}

#: Extra bits that multi-operand additions of known tensor cores keep.
_GUARDS = (0, 1, 2, 3)


def arithmetics(tree: Tree, dtype: str, zero_start: bool) -> Iterator[Arithmetic]:
    """Yield the arithmetics that could belong to an order of this element type."""
    guards = _GUARDS if any(len(parts) > 2 for parts in tree.children) else (0,)
    inputs = (dtype, *_NARROWER.get(dtype, ()))
    for accumulator, early in _accumulators(tree, dtype):
        for narrowed in inputs:
            for guard in guards:
                yield Arithmetic(dtype, narrowed, accumulator, early, zero_start, guard)


def _accumulators(tree: Tree, dtype: str) -> Iterator[tuple[str, bool]]:
    """Yield (format of the partial sums, whether they are narrowed before the bias is added)."""
    wider = WIDER.get(dtype)
    bias_last = tree.has_bias and tree.taps in tree.children[-1]
    if dtype not in ("float16", "bfloat16"):
        yield dtype, False
    if wider:
        if bias_last:
            yield wider, True
        yield wider, False
    if dtype in ("float16", "bfloat16"):
        yield dtype, False
