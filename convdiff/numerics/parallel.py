"""Work on all cores: NumPy lets other threads run while it computes on large arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Given = TypeVar("Given")

#: Elements of NumPy's buffers in the threads. Rows of less than a third of it are copied before
#: they are broadcast, at three times the cost; by default that is 2,731 (measured, NumPy 2.4).
_BUFFER = 512

#: Bytes. Once so much was given back at a time, glibc keeps that of any later array of its size for
#: the next one; by default each of the threads' arrays is got from the system, page by page, anew.
_KEPT = 1 << 22

#: More threads would wait for each other: between two operations only one of them runs.
_MOST = 8


def threads() -> int:
    """Return how many threads `each` works with."""
    return min(_MOST, len(os.sched_getaffinity(0)))


def each(work: Callable[[Item], object], items: Sequence[Item]) -> None:
    """Do the work for each item; see `mapped`."""
    for _ in mapped(work, items):
        pass


def mapped(work: Callable[[Item], Given], items: Sequence[Item]) -> Iterator[Given]:
    """Yield what the work gives for each item, in their order; raise what it raises.

    It is done on as many threads as cores, _MOST at most; a single item is worked on here. An
    errstate around the call does not reach the threads.
    """
    if len(items) == 1:
        yield work(items[0])
        return
    np.empty(_KEPT, np.uint8)
    with ThreadPoolExecutor(threads(), "each", np.setbufsize, (_BUFFER,)) as pool:
        yield from pool.map(work, items)
