"""Work on all cores: NumPy lets other threads run while it computes on large arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

#: Elements of NumPy's buffers in the threads. Rows of less than a third of it are copied before
#: they are broadcast, at three times the cost; by default that is 2,731 (measured, NumPy 2.4).
_BUFFER = 512

#: More threads would wait for each other: between two operations only one of them runs.
_MOST = 8


def threads() -> int:
    """Return how many threads `each` works with."""
    return min(_MOST, len(os.sched_getaffinity(0)))


def each(work: Callable[[Item], object], items: Sequence[Item]) -> None:
    """Do the work for each item, on as many threads as cores, _MOST at most; raise what it raises.

    A single item is worked on here. An errstate around the call does not reach the threads.
    """
    if len(items) == 1:
        work(items[0])
        return
    with ThreadPoolExecutor(threads(), "each", np.setbufsize, (_BUFFER,)) as pool:
        for _ in pool.map(work, items):
            pass
