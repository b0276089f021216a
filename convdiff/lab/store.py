"""What cells gave, in an unnamed file: memory stays flat however many cells there are."""

from __future__ import annotations

import math
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from typing import Any, Generic, TypeVar

import numpy as np

from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits

K = TypeVar("K", bound=Hashable)

RECENT = 4
"""Outputs that stay in memory: a baseline is read again and again."""
NOT_RUN = NoBits("not run")

Extent = tuple[int, tuple[int, ...], np.dtype[Any]]
"""Where an output starts in the file, its shape and its dtype."""


class Store(Generic[K]):
    """Keep each cell's bits, or why it gave none; read them back by cell, or what names one."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the store
        self._end = 0
        self._extents: dict[K, Extent] = {}
        self._failures: dict[K, NoBits] = {}
        self._recent: OrderedDict[K, Array] = OrderedDict()

    def put(self, cell: K, bits: Array | NoBits) -> None:
        """Keep what one cell gave; the same cell again replaces it. Raises OSError."""
        self._recent.pop(cell, None)
        self._extents.pop(cell, None)
        self._failures.pop(cell, None)
        if isinstance(bits, NoBits):
            self._failures[cell] = bits
            return
        data = np.ascontiguousarray(bits)
        raw = data.view(np.uint8).reshape(-1).data
        written = 0
        while written < data.nbytes:  # one write takes 2 GiB at most
            written += os.pwrite(self._file.fileno(), raw[written:], self._end + written)
        self._extents[cell] = (self._end, data.shape, data.dtype)
        self._end += data.nbytes
        self._remember(cell, bits)

    def get(self, cell: K) -> Array | NoBits:
        """Return what a cell gave; NOT_RUN where it was never run."""
        if cell in self._recent:
            self._recent.move_to_end(cell)
            return self._recent[cell]
        if cell not in self._extents:
            return self._failures.get(cell, NOT_RUN)
        start, shape, dtype = self._extents[cell]
        size = math.prod(shape) * dtype.itemsize
        raw = bytearray(os.pread(self._file.fileno(), size, start))
        while len(raw) < size:  # one read returns 2 GiB at most
            raw += os.pread(self._file.fileno(), size - len(raw), start + len(raw))
        output = np.frombuffer(raw, np.uint8).view(dtype).reshape(shape)
        self._remember(cell, output)
        return output

    def _remember(self, cell: K, output: Array) -> None:
        self._recent[cell] = output
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def drop(self, chosen: Callable[[K], bool]) -> None:
        """Forget what the chosen ones gave; its room in the file is not given back."""
        kept: tuple[MutableMapping[K, Any], ...] = (self._recent, self._extents, self._failures)
        for held in kept:
            for cell in [cell for cell in held if chosen(cell)]:
                del held[cell]

    def failures(self) -> Iterator[tuple[K, NoBits]]:
        """Yield the cells that gave a reason and no bits."""
        yield from self._failures.items()

    def __len__(self) -> int:
        return len(self._extents) + len(self._failures)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
