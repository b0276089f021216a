"""What is kept of a run for a recording: bits, probes and orders of the case's own input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from convdiff.behaviour.behaviour import Behaviour
from convdiff.compare.difference import differs
from convdiff.lab.lab import Lab
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.cost import HEAVY, is_small, products
from convdiff.plan.plan import Plan
from convdiff.recording.model import Entry, RecordedCase, SavedOrders, SavedProbes
from convdiff.recording.saved import saved_orders, saved_probes
from convdiff.runtime.model import Runtime

WIDE = 24
"""Cells of a (runtime, op) up to which all are probed; of more, the ends and the middle."""


def record(plan: Plan, lab: Lab) -> RecordedCase:
    """Return a case as it was observed, with what the lab says of its cells.

    Orders are those that were found, and of light cells as far as the budget goes; where the case
    locks them, of all. A repeat is kept where its bits differ from the first run's. A reference
    that was computed in part is not kept.
    """
    cells = [cell for cell in plan.live if not cell.trial]
    cells.sort(key=lambda cell: (cell.op, cell.length, cell.batch, cell.channels, cell.repeat))
    probed = set(_to_probe(plan))
    done = lab.log.done
    entries, failed = [], []
    for cell in cells:
        if cell not in done or _repeats(cell, lab) or lab.part(cell):
            continue
        output = lab.bits(cell)
        if isinstance(output, NoBits):
            failed.append(cell)
            continue
        behaviour = _behaviour(cell, lab, ask=cell in probed)
        orders = _orders(cell, lab, ask=_wants_orders(plan, cell))
        entries.append(Entry(cell, output, behaviour, orders))
    used = {cell.runtime for cell in (*failed, *(entry.cell for entry in entries))}
    fingerprints = {one: lab.fingerprints[one] for one in plan.runtimes if one in used}
    tensors = lab.inputs(plan.live[0])
    return RecordedCase(plan.case, tensors, fingerprints, tuple(entries), tuple(failed))


def _wants_orders(plan: Plan, cell: Cell) -> bool:
    """Return whether a cell's orders are looked for though nothing asked for them yet."""
    locked = plan.case.lock_order and not cell.is_reference
    return not cell.repeat and (locked or is_small(plan.case, cell))


def _behaviour(cell: Cell, lab: Lab, *, ask: bool) -> SavedProbes | None:
    answer = lab.behaviour(cell) if ask else lab.known(cell).behaviour
    return saved_probes(answer) if isinstance(answer, Behaviour) else None


def _orders(cell: Cell, lab: Lab, *, ask: bool) -> SavedOrders | None:
    answer = lab.orders(cell) if ask else lab.known(cell).orders
    return saved_orders(answer) if isinstance(answer, Orders) else None


def _repeats(cell: Cell, lab: Lab) -> bool:
    """Return whether a cell is a repeat that gave its first run's bits."""
    if not cell.repeat:
        return False
    first, again = lab.bits(replace(cell, repeat=0)), lab.bits(cell)
    if isinstance(first, NoBits) or isinstance(again, NoBits):
        return False
    return first.shape == again.shape and not differs(first, again, strict=True).any()


def _to_probe(plan: Plan) -> Iterator[Cell]:
    """Yield the cells whose traits a later comparison may want."""
    groups: dict[tuple[Runtime, str], list[Cell]] = {}
    for cell in plan.live:
        if cell.is_first_run and products(plan.case, cell) <= HEAVY:
            groups.setdefault((cell.runtime, cell.op), []).append(cell)
    for group in groups.values():
        if len(group) <= WIDE:
            yield from group
        else:
            yield from (group[0], group[len(group) // 2], group[-1])
