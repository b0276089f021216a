"""What is kept of a run for a recording: bits, probes and orders of the case's own input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.difference import differs
from convdiff.diagnose.diagnose import HEAVY
from convdiff.diagnose.examining import Examiner
from convdiff.diagnose.explaining import Explainer, is_light
from convdiff.lab.store import Spool
from convdiff.plan.cell import Cell
from convdiff.plan.expand import Plan
from convdiff.recording.model import Entry, RecordedCase
from convdiff.recording.saved import saved_orders, saved_probes
from convdiff.runtime.fingerprints import Fingerprint
from convdiff.runtime.model import Runtime

FEW = 24
"""Cells of a (runtime, op) up to which all are probed; of more, the ends and the middle."""


def record_case(
    plan: Plan,
    tensors: Tensors,
    fingerprints: Mapping[Runtime, Fingerprint],
    spool: Spool,
    examiner: Examiner | None,
    explainer: Explainer | None,
) -> RecordedCase:
    """Return a case as it was observed; probes and orders are looked for where there is who asks.

    Orders are those that were found, and of light cells as far as the budget goes; where the case
    locks them, of all. A repeat is kept where its bits differ from the first run's.
    """
    cells = [cell for cell in plan.cells if not cell.trial]
    asked = set(_to_probe(plan, cells)) if examiner else set()
    entries, failed = [], []
    for cell in sorted(cells, key=lambda c: (c.op, c.length, c.batch, c.repeat)):
        seen = spool.get(cell)
        if seen is None or (cell.repeat and _repeats(cell, spool)):
            continue
        if seen.output is None:
            failed.append(cell)
            continue
        probes = examiner.of(cell) if examiner and cell in asked else None
        if probes is None and examiner:
            probes = examiner.found.get(cell)
        wanted = not cell.repeat and (
            is_light(plan.case, cell.batch, cell.length)
            or (plan.case.lock_order and not cell.is_reference)
        )
        orders = explainer.of(cell) if explainer and wanted else None
        if orders is None and explainer:
            orders = explainer.found.get(cell)
        entries.append(
            Entry(
                cell,
                seen.output,
                None if probes is None else saved_probes(probes),
                None if orders is None else saved_orders(orders),
            )
        )
    used = {cell.runtime for cell in (*failed, *(entry.cell for entry in entries))}
    kept = {runtime: fingerprints[runtime] for runtime in plan.runtimes if runtime in used}
    return RecordedCase(plan.case, tensors, kept, tuple(entries), tuple(failed))


def _repeats(cell: Cell, spool: Spool) -> bool:
    """Return whether a repeat gave its first run's bits."""
    first, again = spool.get(replace(cell, repeat=0)), spool.get(cell)
    if first is None or again is None or first.output is None or again.output is None:
        return False
    same_shape = first.output.shape == again.output.shape
    return same_shape and not differs(first.output, again.output, strict=True).any()


def _to_probe(plan: Plan, cells: list[Cell]) -> Iterator[Cell]:
    """Yield the cells whose traits a later comparison may want."""
    groups: dict[tuple[Runtime, str], list[Cell]] = {}
    for cell in cells:
        shape = plan.case.conv.output_shape(cell.batch, plan.case.height, cell.length)
        if not cell.repeat and float(np.prod(shape)) * plan.case.conv.taps <= HEAVY:
            groups.setdefault((cell.runtime, cell.op), []).append(cell)
    for group in groups.values():
        yield from group if len(group) <= FEW else (group[0], group[len(group) // 2], group[-1])
