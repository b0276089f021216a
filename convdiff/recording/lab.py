"""A lab that answers from recordings: nothing is run, and orders are proved again by replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from convdiff.behaviour.behaviour import Behaviour
from convdiff.case.arrays import Tensors
from convdiff.lab.kernel import data_of, flat, geometry_of_cell
from convdiff.lab.lab import OFF, Known, NotAsked, RunLog
from convdiff.lab.pace import Work
from convdiff.lab.watch import Watch
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.sampled import Part
from convdiff.recording.model import Entry, RecordedCase
from convdiff.recording.saved import restored, restored_probes
from convdiff.runtime.model import Runtime

T = TypeVar("T")

NO_ORDERS = NotAsked("recorded without its orders, or too large to replay unasked")
NOT_PROBED = NotAsked("one of many cells")
NOT_HELD = NoBits("not recorded")


class RecordedLab:
    """Implements `Lab` for one case of one or two recordings."""

    def __init__(self, homes: Sequence[RecordedCase], replayed: float, watch: Watch) -> None:
        """replayed: products of a cell up to which its orders are replayed; 0 for no cell."""
        self._watch, self._replayed = watch, replayed
        self._homes = {runtime: home for home in homes for runtime in home.fingerprints}
        self._entries = {entry.cell: entry for home in homes for entry in home.entries}
        self._orders: dict[Cell, Orders] = {}
        self._kinds_probed = {
            (cell.runtime, cell.op) for cell, entry in self._entries.items() if entry.probes
        }

    @property
    def log(self) -> RunLog:
        """No cell was run."""
        return RunLog(signal=self._watch.stop.signal)

    @property
    def fingerprints(self) -> Mapping[Runtime, Mapping[str, Any]]:
        """What the runtimes said of themselves when they were recorded."""
        return {runtime: home.fingerprints[runtime] for runtime, home in self._homes.items()}

    def inputs(self, cell: Cell) -> Tensors:
        """See `Lab.inputs`."""
        return self._homes[cell.runtime].tensors

    def observe(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """See `Lab.observe`; all are there at once."""
        return self._watch.paced(cells, self._work)

    def _work(self, cell: Cell) -> Work:
        """Return what it costs to compare a cell."""
        output = self.bits(cell)
        return Work(1.0 if isinstance(output, NoBits) else 1.0 + output.size)

    def bits(self, cell: Cell) -> Array | NoBits:
        """See `Lab.bits`."""
        entry = self._entries.get(cell)
        return NOT_HELD if entry is None else entry.output

    def part(self, cell: Cell) -> Part | None:
        """See `Lab.part`: what is recorded is whole."""
        return None

    def is_restless(self, cell: Cell) -> bool:
        """See `Lab.is_restless`: nothing is run."""
        return False

    def behaviour(self, cell: Cell) -> Behaviour | NotAsked:
        """See `Lab.behaviour`: what probes found then; no answer where none was put to its kind."""
        entry = self._entries.get(cell)
        if entry is not None and entry.probes is not None:
            return restored_probes(entry.probes)
        if (cell.runtime, cell.op) in self._kinds_probed:
            return NOT_PROBED
        return Behaviour(None, None)

    def orders(self, cell: Cell) -> Orders | NotAsked:
        """See `Lab.orders`: those that their replay proves again. Raises RecordingError."""
        if cell in self._orders:
            return self._orders[cell]
        if not self._replayed:
            return OFF
        entry = self._entries.get(cell)
        if entry is None or entry.orders is None or self._is_large(entry):
            return NO_ORDERS
        home = self._homes[cell.runtime]
        work = partial(
            restored,
            entry.orders,
            geometry_of_cell(home.case, cell),
            data_of(home.case, cell, home.tensors),
            flat(entry.output),
            home.case.file,
        )
        orders = self.compute(f"replaying {cell.runtime.id} at length {cell.length}", work)
        if not isinstance(orders, NotAsked):
            self._orders[cell] = orders
        return orders

    def known(self, cell: Cell) -> Known:
        """See `Lab.known`."""
        entry, behaviour = self._entries.get(cell), None
        if entry is not None and entry.probes is not None:
            behaviour = restored_probes(entry.probes)
        return Known(behaviour, self._orders.get(cell))

    def paced(self, items: Sequence[T], work_of: Callable[[T], Work]) -> Iterator[T]:
        """See `Lab.paced`."""
        return self._watch.paced(items, work_of)

    def compute(self, what: str, work: Callable[[], T]) -> T | NotAsked:
        """See `Lab.compute`."""
        return self._watch.compute(what, work)

    def _is_large(self, entry: Entry) -> bool:
        taps = self._homes[entry.cell.runtime].case.conv.taps
        return entry.output.size * taps > self._replayed
