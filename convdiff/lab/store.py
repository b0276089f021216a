"""Observations of a run in an unnamed file: memory stays flat however many cells there are."""

from __future__ import annotations

import math
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from convdiff.plan.cell import Cell, Observation

RECENT = 4

_Place = tuple[int, tuple[int, ...], np.dtype[Any]]


class Spool:
    """Append observations, read them back by cell."""

    def __init__(self, recorded: Mapping[Cell, Observation] | None = None) -> None:
        """Start with observations of recordings, which are in memory already."""
        self._recorded = recorded or {}
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the spool
        self._end = 0
        self._places: dict[Cell, _Place] = {}
        self._failures: dict[Cell, Observation] = {}
        self._recent: OrderedDict[Cell, Observation] = OrderedDict()

    def add(self, observation: Observation) -> None:
        """Keep one observation; the same cell again replaces it."""
        cell, output = observation.cell, observation.output
        for kept in (self._recent, self._places, self._failures):
            kept.pop(cell, None)
        if output is None:
            self._failures[cell] = observation
            return
        data = np.ascontiguousarray(output)
        raw = data.view(np.uint8).reshape(-1).data
        written = 0
        while written < data.nbytes:  # one write takes 2 GiB at most
            written += os.pwrite(self._file.fileno(), raw[written:], self._end + written)
        self._places[cell] = (self._end, data.shape, data.dtype)
        self._end += data.nbytes
        self._remember(observation)

    def get(self, cell: Cell) -> Observation | None:
        """Return a cell's observation, or None if it was never made."""
        if cell in self._recorded:
            return self._recorded[cell]
        if cell in self._recent:
            self._recent.move_to_end(cell)
            return self._recent[cell]
        if cell in self._failures:
            return self._failures[cell]
        if cell not in self._places:
            return None
        start, shape, dtype = self._places[cell]
        count = math.prod(shape) * dtype.itemsize
        raw = bytearray(os.pread(self._file.fileno(), count, start))
        while len(raw) < count:  # one read returns 2 GiB at most
            raw += os.pread(self._file.fileno(), count - len(raw), start + len(raw))
        found = Observation(cell, np.frombuffer(raw, np.uint8).view(dtype).reshape(shape))
        self._remember(found)
        return found

    def _remember(self, observation: Observation) -> None:
        """Keep the last few in memory: a baseline is read again and again."""
        self._recent[observation.cell] = observation
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def failures(self) -> Iterator[Observation]:
        """Yield the observations that hold a reason and no bits."""
        yield from self._failures.values()

    def __len__(self) -> int:
        return len(self._places) + len(self._failures)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
