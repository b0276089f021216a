"""Live and recorded cells side by side: a baseline beside what is run now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from convdiff.behaviour.behaviour import Behaviour
from convdiff.case.arrays import Tensors
from convdiff.lab.lab import Known, Lab, NotAsked, RunLog
from convdiff.lab.pace import Work
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.sampled import Part
from convdiff.runtime.model import Runtime

T = TypeVar("T")


class MixedLab:
    """Implements `Lab` by asking the one or the other, as a cell's origin says."""

    def __init__(self, live: Lab, recorded: Lab) -> None:
        self._live, self._recorded = live, recorded

    @property
    def fingerprints(self) -> Mapping[Runtime, Mapping[str, Any]]:
        """Those of both."""
        return {**self._recorded.fingerprints, **self._live.fingerprints}

    @property
    def log(self) -> RunLog:
        """What became of the live cells."""
        return self._live.log

    def inputs(self, cell: Cell) -> Tensors:
        """See `Lab.inputs`."""
        return self._of(cell).inputs(cell)

    def observe(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """See `Lab.observe`; recorded cells come first, since they are there."""
        yield from self._recorded.observe([cell for cell in cells if cell.recorded])
        yield from self._live.observe([cell for cell in cells if not cell.recorded])

    def bits(self, cell: Cell) -> Array | NoBits:
        """See `Lab.bits`."""
        return self._of(cell).bits(cell)

    def part(self, cell: Cell) -> Part | None:
        """See `Lab.part`."""
        return self._of(cell).part(cell)

    def is_restless(self, cell: Cell) -> bool:
        """See `Lab.is_restless`."""
        return self._of(cell).is_restless(cell)

    def behaviour(self, cell: Cell) -> Behaviour | NotAsked:
        """See `Lab.behaviour`."""
        return self._of(cell).behaviour(cell)

    def orders(self, cell: Cell) -> Orders | NotAsked:
        """See `Lab.orders`."""
        return self._of(cell).orders(cell)

    def known(self, cell: Cell) -> Known:
        """See `Lab.known`."""
        return self._of(cell).known(cell)

    def paced(self, items: Sequence[T], work_of: Callable[[T], Work]) -> Iterator[T]:
        """See `Lab.paced`."""
        return self._live.paced(items, work_of)

    def compute(self, what: str, work: Callable[[], T]) -> T | NotAsked:
        """See `Lab.compute`."""
        return self._live.compute(what, work)

    def _of(self, cell: Cell) -> Lab:
        return self._recorded if cell.recorded else self._live
