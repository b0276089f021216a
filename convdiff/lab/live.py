"""A lab of live workers: it keeps what they give, asks each question once, and has a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from convdiff.behaviour.behaviour import Behaviour
from convdiff.behaviour.checks import Check
from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.lab.jobs import Places, check, observe, probe
from convdiff.lab.kernel import WorkerKernel, data_of, flat, orders_of_cell
from convdiff.lab.lab import OFF, Known, NotAsked, RunLog
from convdiff.lab.pace import Pace, Work
from convdiff.lab.pool import Pool
from convdiff.lab.session import Session
from convdiff.lab.store import Store
from convdiff.lab.watch import Watch
from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.cost import CALL, products
from convdiff.plan.sampled import Part, places_of
from convdiff.runtime.model import Runtime

T = TypeVar("T")
Observed = tuple[Cell, "Array | NoBits", float]
"""A cell, what it gave, and its seconds."""
Observe = Callable[[Case, Sequence[Cell], Tensors, Pool, Places], Iterator[Observed]]

OTHER_DATA = NotAsked("only the case's own data are explained")
SPENT = NotAsked("the budget is spent; raise --budget")
IN_PART = NoBits("computed at some of its outputs only; --whole asks for all")


def gives_others(first: Array | NoBits, second: Array | NoBits) -> bool:
    """Return whether two runs both gave bits, and not the same ones."""
    if isinstance(first, NoBits) or isinstance(second, NoBits):
        return False
    return first.shape != second.shape or not same_bits(first, second).all()


def _columns(cell: Cell) -> int:
    """Return how many columns of inputs a cell has; its products go with them."""
    return cell.batch * cell.length


class LiveLab:
    """Implements `Lab` for one case on the workers of a session."""

    def __init__(
        self,
        case: Case,
        tensors: Tensors,
        session: Session,
        fingerprints: Mapping[Runtime, Mapping[str, Any]],
        budget: int,
        watch: Watch,
        *,
        whole: bool = False,
        run: Observe = observe,
    ) -> None:
        """budget: calls that `orders` may take of all kernels together; 0 switches it off.

        whole: large references are computed at all of their outputs, too. run: runs cells.
        """
        self.fingerprints = fingerprints
        self._case, self._tensors, self._session = case, tensors, session
        self._asks_orders, self._calls_left = budget > 0, budget
        self._watch = watch
        self._whole, self._observe = whole, run
        self._deaths_before = session.pool.deaths
        self._store: Store[Cell] = Store()
        self._done: set[Cell] = set()
        self._seconds: dict[Cell, float] = {}
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
            dict(self._seconds),
        )

    def inputs(self, cell: Cell) -> Tensors:
        """See `Lab.inputs`."""
        return self._tensors

    def observe(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """See `Lab.observe`."""
        works = self._works(cells)
        pace = self._watch.pace = Pace(list(works.values()))
        count = sum(work.cost - CALL for work in works.values())
        if cells:
            self._watch.tell(f"{self._case.name}: {len(works):,} cells, about {count:.1g} products")
        for cell, bits, seconds in self._run(cells):
            self._store.put(cell, bits)
            self._seconds[cell] = seconds
            self._done.add(cell)
            pace.did(works[cell], seconds)
            self._watch.tell(self._named(cell))
            yield cell
        self._watch.pace = None

    def bits(self, cell: Cell) -> Array | NoBits:
        """See `Lab.bits`."""
        return self._store.get(cell) if self.part(cell) is None else IN_PART

    def part(self, cell: Cell) -> Part | None:
        """See `Lab.part`."""
        places, bits = self._places(cell), self._store.get(cell)
        if places is None or isinstance(bits, NoBits):
            return None
        shape = (1, 1, len(places), self._case.conv.channels_out)
        return Part(places, bits[0, 0]) if bits.shape == shape else None

    def is_restless(self, cell: Cell) -> bool:
        """See `Lab.is_restless`; each cell is run again once."""
        if cell not in self._restless and not self._session.signal:
            first = self._store.get(cell)
            for _, second, _ in self._run([cell]):
                self._restless[cell] = gives_others(first, second)
        return self._restless.get(cell, False)

    def behaviour(self, cell: Cell) -> Behaviour | NotAsked:
        """See `Lab.behaviour`."""
        if cell in self._behaviour:
            return self._behaviour[cell]
        if self._session.signal:
            return NotAsked(self._session.stopping.reason)
        work = partial(behaviour_of, self._case, cell, self._probe, self._check)
        behaviour = self._watch.compute(f"{self._named(cell)}: probing", work)
        if self._session.signal or isinstance(behaviour, NotAsked):
            return NotAsked(self._session.stopping.reason)
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
        orders = self._explained(cell, output)
        if self._session.signal or isinstance(orders, NotAsked):
            return NotAsked(self._session.stopping.reason)
        self._calls_left -= orders.calls
        self._orders[cell] = orders
        return orders

    def known(self, cell: Cell) -> Known:
        """See `Lab.known`."""
        return Known(self._behaviour.get(cell), self._orders.get(cell))

    def compute(self, what: str, work: Callable[[], T]) -> T | NotAsked:
        """See `Lab.compute`."""
        return self._watch.compute(f"{self._case.name}: {what}", work)

    def paced(self, items: Sequence[T], work_of: Callable[[T], Work]) -> Iterator[T]:
        """See `Lab.paced`."""
        return self._watch.paced(items, work_of)

    def close(self) -> None:
        """Give back what it keeps; its session goes on."""
        self._store.close()

    def _run(self, cells: Sequence[Cell]) -> Iterator[Observed]:
        return self._observe(self._case, cells, self._tensors, self._session.pool, self._places)

    def _works(self, cells: Sequence[Cell]) -> dict[Cell, Work]:
        """Return what it costs to run each cell, about; interpreters run side by side.

        Products are counted of the largest cell of an op: of thousands that would take long.
        """
        largest: dict[tuple[str, int], Cell] = {}
        for cell in cells:
            kind = cell.op, cell.channels
            if kind not in largest or _columns(cell) > _columns(largest[kind]):
                largest[kind] = cell
        each = {kind: self._products(one) / _columns(one) for kind, one in largest.items()}
        works = {}
        for cell in cells:
            cost = CALL + each[cell.op, cell.channels] * _columns(cell)
            runtime = cell.runtime  # one object in all of a plan's cells; to hash it takes longer
            works[cell] = Work(cost, (id(runtime), cell.op), id(runtime.interpreter))
        return works

    def _products(self, cell: Cell) -> int:
        """Return how many products are computed of a cell."""
        places = self._places(cell)
        if places is None:
            return products(self._case, cell)
        return len(places) * self._case.conv.channels_out * self._case.conv.taps

    def _places(self, cell: Cell) -> Array | None:
        return None if self._whole else places_of(self._case, cell)

    def _refusal(self) -> NotAsked | None:
        """Return why no orders are asked for any more."""
        if not self._asks_orders:
            return OFF
        if self._session.signal:
            return NotAsked(self._session.stopping.reason)
        return SPENT if self._calls_left <= 0 else None

    def _explained(self, cell: Cell, output: Array) -> Orders | NotAsked:
        """Reveal a cell's orders, and tell how many calls that took so far."""
        budget = self._calls_left
        doing = f"{self._case.name}: explaining {cell.runtime.id} at length {cell.length}"

        def tell(calls: int) -> None:
            self._watch.tell(f"{doing}: {calls:,} of {budget:,} calls")

        kernel = WorkerKernel(self._case, cell, self._session.pool, tell)
        data = data_of(self._case, cell, self._tensors)
        memory = self._session.orders
        work = partial(orders_of_cell, kernel, data, flat(output), budget, memory)
        return self._watch.compute(doing, work)

    def _probe(self, cell: Cell, data: Sequence[Tensors]) -> Sequence[Array | Part | None]:
        return probe(self._case, cell, data, self._session.pool)

    def _check(self, cell: Cell, question: Check) -> tuple[int, int] | None:
        return check(self._case, cell, question, self._session.pool)

    def _named(self, cell: Cell) -> str:
        what = cell.op
        if cell.trial:
            what = "without NaN" if cell.is_clean else f"random input {cell.trial}"
        return f"{self._case.name}: {what}, length {cell.length}"
