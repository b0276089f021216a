"""Large arrays a block at a time: memory stays flat, and a block stays in the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator

Block = tuple[slice, ...]
"""A box of an array: from where to where along each axis."""

BLOCK_ELEMENTS = 1 << 16
"""Elements of a block."""


def blocks(shape: tuple[int, ...], size: int | None = None) -> Iterator[Block]:
    """Cut an array into boxes of at most `size` elements (BLOCK_ELEMENTS unless given).

    They come in C order: every element of a block is before all those of the next.
    """
    size = size or BLOCK_ELEMENTS
    if math.prod(shape) <= size:
        yield tuple(slice(0, extent) for extent in shape)
        return
    step = max(1, size // math.prod(shape[1:]))
    for start in range(0, shape[0], step):
        for rest in blocks(shape[1:], size):
            yield (slice(start, min(start + step, shape[0])), *rest)


def corner(block: Block) -> tuple[int, ...]:
    """Return the index of a block's first element."""
    return tuple(cut.start for cut in block)
