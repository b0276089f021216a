"""A lab of live workers: it keeps what they give, asks each question once, and has a budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convdiff.behaviour.behaviour import Behaviour
from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.lab.jobs import measure, observe
from convdiff.lab.kernel import WorkerKernel, data_of, flat
from convdiff.lab.lab import INTERRUPTED, OFF, Known, NotAsked, RunLog, Tell
from convdiff.lab.session import Session
from convdiff.lab.store import Store
from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.orders import Orders, orders_of
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Runtime

OTHER_DATA = NotAsked("only the case's own data are explained")
SPENT = NotAsked("the budget is spent; raise --budget")


def gives_others(first: Array | NoBits, second: Array | NoBits) -> bool:
    """Return whether two runs both gave bits, and not the same ones."""
    if isinstance(first, NoBits) or isinstance(second, NoBits):
        return False
    return first.shape != second.shape or not same_bits(first, second).all()


class LiveLab:
    """Implements `Lab` for one case on the workers of a session."""

    def __init__(
        self,
        case: Case,
        tensors: Tensors,
        session: Session,
        fingerprints: Mapping[Runtime, Mapping[str, Any]],
        budget: int,
        tell: Tell,
    ) -> None:
        """budget: calls that `orders` may take of all kernels together; 0 switches it off."""
        self.fingerprints = fingerprints
        self._case, self._tensors, self._session = case, tensors, session
        self._asks_orders, self._calls_left, self._tell = budget > 0, budget, tell
        self._deaths_before = session.pool.deaths
        self._store = Store()
        self._done: set[Cell] = set()
        self._restless: dict[Cell, bool] = {}
        self._behaviour: dict[Cell, Behaviour] = {}
        self._orders: dict[Cell, Orders] = {}

    @property
    def log(self) -> RunLog:
        """What became of the cells so far."""
        return RunLog(
            frozenset(self._done),
            dict(self._store.failures()),
            self._session.pool.deaths - self._deaths_before,
            self._session.signal,
        )

    def inputs(self, cell: Cell) -> Tensors:
        """See `Lab.inputs`."""
        return self._tensors

    def observe(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """See `Lab.observe`."""
        answers = observe(self._case, cells, self._tensors, self._session.pool)
        for number, (cell, bits) in enumerate(answers, 1):
            self._store.put(cell, bits)
            self._done.add(cell)
            self._tell(self._named(cell), number, len(cells))
            yield cell

    def bits(self, cell: Cell) -> Array | NoBits:
        """See `Lab.bits`."""
        return self._store.get(cell)

    def is_restless(self, cell: Cell) -> bool:
        """See `Lab.is_restless`; each cell is run again once."""
        if cell not in self._restless and not self._session.signal:
            first = self.bits(cell)
            for _, second in observe(self._case, [cell], self._tensors, self._session.pool):
                self._restless[cell] = gives_others(first, second)
        return self._restless.get(cell, False)

    def behaviour(self, cell: Cell) -> Behaviour | NotAsked:
        """See `Lab.behaviour`."""
        if cell in self._behaviour:
            return self._behaviour[cell]
        if self._session.signal:
            return INTERRUPTED
        self._tell(f"{self._named(cell)}: probing", 0, 0)
        behaviour = behaviour_of(self._case, cell, self._measure)
        if self._session.signal:
            return INTERRUPTED
        self._behaviour[cell] = behaviour
        return behaviour

    def orders(self, cell: Cell) -> Orders | NotAsked:
        """See `Lab.orders`."""
        if cell in self._orders:
            return self._orders[cell]
        refusal = OTHER_DATA if cell.trial else self._refusal()
        output = self.bits(cell)
        if isinstance(output, NoBits):
            return NotAsked(output.reason)
        if refusal is not None:
            return refusal
        self._tell(f"{self._named(cell)}: explaining", 0, 0)
        kernel = WorkerKernel(self._case, cell, self._session.pool)
        data = data_of(cell, self._tensors)
        memory = self._session.orders
        orders = orders_of(kernel, data, flat(output), self._calls_left, memory)
        if self._session.signal:
            return INTERRUPTED
        self._calls_left -= orders.calls
        self._orders[cell] = orders
        return orders

    def known(self, cell: Cell) -> Known:
        """See `Lab.known`."""
        return Known(self._behaviour.get(cell), self._orders.get(cell))

    def close(self) -> None:
        """Give back what it keeps; its session goes on."""
        self._store.close()

    def _refusal(self) -> NotAsked | None:
        """Return why no orders are asked for any more."""
        if not self._asks_orders:
            return OFF
        if self._session.signal:
            return INTERRUPTED
        return SPENT if self._calls_left <= 0 else None

    def _measure(self, cell: Cell, data: Sequence[Tensors]) -> list[Array | None]:
        return measure(self._case, cell, data, self._session.pool)

    def _named(self, cell: Cell) -> str:
        what = cell.op
        if cell.trial:
            what = "without NaN" if cell.is_clean else f"random input {cell.trial}"
        return f"{self._case.name}: {what}, length {cell.length}"
