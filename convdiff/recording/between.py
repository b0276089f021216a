"""A plan of two recordings of one case, B against A: nothing of it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from convdiff.plan.cell import Cell
from convdiff.plan.plan import Pair, Plan
from convdiff.recording.against import cells_of, repeats
from convdiff.recording.model import RecordedCase, RecordingError
from convdiff.recording.same_problem import unlike
from convdiff.runtime.fingerprints import machine_differences
from convdiff.runtime.model import Runtime

Partners = Mapping[Runtime, Runtime]
"""Which of A's runtimes each of B's is compared with."""
Shelf = dict[tuple[int, int], Cell]
"""Cells of one runtime and op, by (batch, length)."""


def between(a: RecordedCase, b: RecordedCase) -> Plan:
    """Return what is compared of two recordings of a case, B against A.

    Raises RecordingError where both say that they were read from one file.
    """
    if set(a.fingerprints) & set(b.fingerprints):
        raise RecordingError(f"{a.case.file}: two recordings of one name can't be told apart")
    partners = _partners(list(a.fingerprints), list(b.fingerprints))
    pairs = list(_pairs(a, b, partners))
    refused = [pair for pair in pairs if pair.reason]
    refused += _left_over(a, partners, {(p.candidate.runtime, p.baseline) for p in pairs})
    refused += _failed(a, b, partners)
    compared = [pair for pair in pairs if not pair.reason]
    compared += repeats(a.cells) + repeats(b.cells)
    return Plan(
        b.case,
        (*a.fingerprints, *b.fingerprints),
        tuple(cells_of(compared)),
        (*compared, *refused),
        notes=tuple(dict.fromkeys(_notes(a, b, partners))),
    )


def _pairs(a: RecordedCase, b: RecordedCase, partners: Partners) -> Iterator[Pair]:
    """Yield each of B's first runs with its counterpart in A, or why there is none."""
    shelves = _shelves(a)
    for cell in b.cells:
        if cell.repeat:
            continue
        partner = partners[cell.runtime]
        other = _counterpart(cell, shelves.get((partner, cell.op, cell.channels), {}))
        if other is None:
            yield Pair("baseline", replace(cell, runtime=partner), cell, f"only in {b.case.file}")
            continue
        batch, length = min(other.batch, cell.batch), min(other.length, cell.length)
        reason = unlike(a.case, a.tensors, b.case, b.tensors, batch, length)
        yield Pair("baseline", other, cell, reason or "")


def _left_over(
    a: RecordedCase, partners: Partners, used: set[tuple[Runtime, Cell]]
) -> Iterator[Pair]:
    """Yield A's cells that nothing was compared with, for each runtime that lacks them."""
    lacking: dict[Runtime, list[Runtime]] = {}
    for mine, partner in partners.items():
        lacking.setdefault(partner, []).append(mine)
    for cell in a.cells:
        if cell.repeat:
            continue
        for mine in lacking.get(cell.runtime, list(partners)[:1]):
            if (mine, cell) not in used:
                missing = replace(cell, runtime=mine)
                yield Pair("baseline", cell, missing, f"only in {a.case.file}")


def _failed(a: RecordedCase, b: RecordedCase, partners: Partners) -> Iterator[Pair]:
    """Yield the cells that gave no bits when either recording was made."""
    for cell in (*a.failed, *b.failed):
        mine, home = cell.runtime, b
        if mine not in partners:
            mine, home = next(iter(partners)), a
        yield Pair(
            "baseline",
            replace(cell, runtime=partners[mine]),
            replace(cell, runtime=mine),
            f"gave no bits when {home.case.file} was made",
        )


def _notes(a: RecordedCase, b: RecordedCase, partners: Partners) -> Iterator[str]:
    """Yield in what the machines differ, and which of A's runtimes have no partner."""
    names = (f"{a.case.file} with", f"{b.case.file} with")
    for mine, partner in partners.items():
        yield from machine_differences(a.fingerprints[partner], b.fingerprints[mine], names)
    for runtime in a.fingerprints:
        if runtime not in partners.values():
            yield f"only in {a.case.file}: {runtime.live_id}"


def _partners(theirs: Sequence[Runtime], mine: Sequence[Runtime]) -> Partners:
    """Return whom each runtime of B is compared with: the one most like it, else the first."""
    if not theirs:
        return {}
    return {one: max(theirs, key=lambda other: _likeness(one, other)) for one in mine}


def _likeness(one: Runtime, other: Runtime) -> tuple[bool, ...]:
    """Return what two runtimes share, what matters most first."""
    return (
        one.live_id == other.live_id,
        one.interpreter.framework == other.interpreter.framework,
        one.device == other.device,
        one.device.kind == other.device.kind,
    )


def _shelves(recorded: RecordedCase) -> dict[tuple[Runtime, str, int], Shelf]:
    shelves: dict[tuple[Runtime, str, int], Shelf] = {}
    for cell in recorded.cells:
        if not cell.repeat:
            shelf = shelves.setdefault((cell.runtime, cell.op, cell.channels), {})
            shelf[cell.batch, cell.length] = cell
    return shelves


def _counterpart(cell: Cell, shelf: Shelf) -> Cell | None:
    """Return the cell of the same length and batch, else the longest of the batch, or of all."""
    if not shelf or (cell.batch, cell.length) in shelf:
        return shelf.get((cell.batch, cell.length))
    return shelf[max(shelf, key=lambda at: (at[0] == cell.batch, at[1], at[0]))]
