"""A lab that answers from functions: for what is claimed of stages, not of frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from convdiff.behaviour.behaviour import Behaviour
from convdiff.case.arrays import Tensors
from convdiff.lab.jobs import trial_input
from convdiff.lab.lab import OFF, Known, NotAsked, RunLog
from convdiff.lab.live import gives_others
from convdiff.lab.pace import Work
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.sampled import Part
from convdiff.runtime.model import Runtime

T = TypeVar("T")


class FakeLab:
    """Implements `Lab`: `kernel` gives a cell's output on an input, or None for a refusal."""

    def __init__(
        self,
        tensors: Tensors,
        kernel: Callable[[Cell, Tensors], Array | None],
        behaviour: Callable[[Cell], Behaviour | NotAsked] = lambda cell: Behaviour(None, None),
    ) -> None:
        self.tensors, self.kernel, self._behaviour = tensors, kernel, behaviour
        self.asked: dict[Cell, Array | NoBits] = {}
        self.signal = 0

    @property
    def fingerprints(self) -> Mapping[Runtime, Mapping[str, Any]]:
        return {}

    @property
    def log(self) -> RunLog:
        return RunLog(frozenset(self.asked), signal=self.signal)

    def inputs(self, cell: Cell) -> Tensors:
        return self.tensors

    def observe(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        for cell in cells:
            if self.signal:
                return
            x = self.tensors.input_nhwc
            x = trial_input(x, cell.trial) if cell.trial else x
            cut = x[: cell.batch, :, : cell.length]
            tensors = Tensors(self.tensors.filter_hwio, self.tensors.bias, cut)
            output = self.kernel(cell, tensors)
            self.asked[cell] = NoBits("refused") if output is None else output
            yield cell

    def bits(self, cell: Cell) -> Array | NoBits:
        return self.asked.get(cell, NoBits("not run"))

    def part(self, cell: Cell) -> Part | None:
        return None

    def is_restless(self, cell: Cell) -> bool:
        first = self.bits(cell)
        list(self.observe([cell]))
        second, self.asked[cell] = self.bits(cell), first
        return gives_others(first, second)

    def behaviour(self, cell: Cell) -> Behaviour | NotAsked:
        return self._behaviour(cell)

    def orders(self, cell: Cell) -> Orders | NotAsked:
        return OFF

    def known(self, cell: Cell) -> Known:
        return Known()

    def paced(self, items: Sequence[T], work_of: Callable[[T], Work]) -> Iterator[T]:
        yield from items

    def compute(self, what: str, work: Callable[[], T]) -> T | NotAsked:
        return NotAsked("interrupted") if self.signal else work()
