"""What recordings bring to a case: cells to compare with that can't be run any more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from convdiff.behaviour.behaviour import Behaviour
from convdiff.case.arrays import Tensors
from convdiff.compare.comparison import Comparison
from convdiff.lab.kernel import data_of, flat, geometry_of_cell
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, Observation
from convdiff.plan.expand import Pairing, Plan
from convdiff.recording.baseline import Baseline
from convdiff.recording.model import Entry, RecordedCase, RecordingError
from convdiff.recording.same_problem import unlike
from convdiff.recording.saved import restored, restored_probes
from convdiff.runtime.fingerprints import Fingerprint, machine_differences
from convdiff.runtime.model import Runtime

NO_ENTRY = "the baseline has no such entry; --add-to-baseline records it"


@dataclass(frozen=True, eq=False)
class Archive:
    """The recorded side of one case's comparisons."""

    pairings: tuple[Pairing, ...] = ()
    refused: tuple[Comparison, ...] = ()
    """What was to be compared and can't be, with the reason."""
    homes: Mapping[Runtime, RecordedCase] = field(default_factory=dict)
    """Where each recorded runtime's cells are."""
    notes: tuple[str, ...] = ()
    """In what the machines differ."""
    unclaimed: tuple[str, ...] = ()
    """Entries that the case does not ask for any more."""
    replays: float = math.inf
    """Products up to which a recorded cell's orders are replayed."""

    @property
    def candidates(self) -> tuple[Cell, ...]:
        """Return the recorded cells that are compared with other recorded ones."""
        cells = (pairing.candidate for pairing in self.pairings)
        return tuple(cell for cell in cells if cell.runtime.origin)

    def observations(self) -> dict[Cell, Observation]:
        """Return the recorded bits by cell."""
        return {
            entry.cell: Observation(entry.cell, entry.output) for entry in self._entries.values()
        }

    def probed(self, cell: Cell) -> Behaviour | None:
        """Return what probes found, None where only others of its runtime and op were probed."""
        entry = self._entry(cell)
        if entry.probes is not None:
            return restored_probes(entry.probes)
        return None if (cell.runtime, cell.op) in self._probed else Behaviour(None, None)

    def explanation(self, cell: Cell) -> Orders | None:
        """Return a cell's orders, as far as their replay proves them again; None without any."""
        entry, home = self._entry(cell), self.homes[cell.runtime]
        if entry.orders is None or entry.output.size * home.case.conv.taps > self.replays:
            return None
        geometry = geometry_of_cell(home.case, cell)
        data = data_of(cell, home.tensors)
        return restored(entry.orders, geometry, data, flat(entry.output), home.case.file)

    def _entry(self, cell: Cell) -> Entry:
        return self._entries[cell]

    @cached_property
    def _entries(self) -> dict[Cell, Entry]:
        homes = dict.fromkeys(self.homes.values())
        return {entry.cell: entry for home in homes for entry in home.entries}

    @cached_property
    def _probed(self) -> set[tuple[Runtime, str]]:
        """(runtime, op) of which any cell was probed."""
        found = self._entries.values()
        return {(one.cell.runtime, one.cell.op) for one in found if one.probes is not None}


NOTHING_RECORDED = Archive()


def against_baseline(
    plan: Plan,
    tensors: Tensors,
    baseline: Baseline,
    fingerprints: Mapping[Runtime, Fingerprint],
    *,
    adding: bool,
) -> Archive:
    """Return what a baseline brings to a case; `fingerprints` are those of the runtimes here.

    adding: what it lacks is not complained of.
    """
    found = baseline.find(plan.case.name)
    recorded = found[1] if found else None
    file = found[0].name if found else baseline.path.name
    entries = recorded.entries if recorded else ()
    known = {_place(entry.cell): entry.cell for entry in entries if not entry.cell.repeat}
    pairings: list[Pairing] = []
    refused: list[Comparison] = []
    for cell in sorted(plan.cells, key=lambda cell: (cell.op, cell.length, cell.batch)):
        if cell.trial or cell.repeat:
            continue
        other = known.pop(_place(cell), None)
        if other is None or recorded is None:
            if not adding:
                refused.append(Comparison("baseline", _ghost(cell, file), cell, None, NO_ENTRY))
            continue
        seen = (cell.batch, cell.length)
        reason = unlike(recorded.case, recorded.tensors, plan.case, tensors, *seen)
        if reason:
            refused.append(Comparison("baseline", other, cell, None, reason))
        else:
            pairings.append(Pairing("baseline", other, cell))
    here = {runtime.live_id for runtime in plan.runtimes}
    held = {pairing.baseline for pairing in pairings}
    unstable = [p for p in (_repeats(recorded) if recorded else ()) if p.baseline in held]
    return Archive(
        (*pairings, *unstable),
        tuple(refused),
        dict.fromkeys(recorded.fingerprints, recorded) if recorded else {},
        tuple(_notes(pairings, recorded, fingerprints)),
        tuple(_named(cell) for place, cell in known.items() if place[0] in here),
    )


def between(a: RecordedCase, b: RecordedCase, replays: float) -> tuple[Plan, Archive]:
    """Return what is compared of two recordings of a case, B against A.

    Raises RecordingError where both say that they were read from one file.
    """
    if set(a.fingerprints) & set(b.fingerprints):
        raise RecordingError(f"{a.case.file}: two recordings of one name can't be told apart")
    partners = _partners(list(a.fingerprints), list(b.fingerprints))
    shelves = _shelves(a)
    pairings: list[Pairing] = []
    refused: list[Comparison] = []
    used: set[tuple[Runtime, Cell]] = set()
    for entry in b.entries:
        cell = entry.cell
        if cell.repeat:
            continue
        other = _counterpart(cell, shelves.get((partners[cell.runtime], cell.op), {}))
        if other is None:
            ghost = replace(cell, runtime=partners[cell.runtime])
            refused.append(Comparison("baseline", ghost, cell, None, f"only in {b.case.file}"))
            continue
        used.add((cell.runtime, other))
        why_not = unlike(a.case, a.tensors, b.case, b.tensors, *_shared(other, cell))
        if why_not:
            refused.append(Comparison("baseline", other, cell, None, why_not))
        else:
            pairings.append(Pairing("baseline", other, cell))
    for cell, mine in _left_over(a, partners, used):
        ghost = replace(cell, runtime=mine)
        refused.append(Comparison("baseline", cell, ghost, None, f"only in {a.case.file}"))
    for cell in (*a.failed, *b.failed):
        known = cell.runtime in partners
        mine = cell.runtime if known else next(iter(partners))
        pair = (replace(cell, runtime=partners[mine]), replace(cell, runtime=mine))
        home = (b if known else a).case.file
        refused.append(Comparison("baseline", *pair, None, f"gave no bits when {home} was made"))
    notes = []
    for mine, partner in partners.items():
        names = (f"{a.case.file} with", f"{b.case.file} with")
        notes += machine_differences(a.fingerprints[partner], b.fingerprints[mine], names)
    alone = [runtime for runtime in a.fingerprints if runtime not in partners.values()]
    notes += [f"only in {a.case.file}: {runtime.live_id}" for runtime in alone]
    homes = {**dict.fromkeys(a.fingerprints, a), **dict.fromkeys(b.fingerprints, b)}
    plan = Plan(b.case, (*a.fingerprints, *b.fingerprints), (), (), {})
    pairings += [*_repeats(a), *_repeats(b)]
    archive = Archive(
        tuple(pairings), tuple(refused), homes, tuple(dict.fromkeys(notes)), (), replays
    )
    return plan, archive


def _repeats(recorded: RecordedCase) -> list[Pairing]:
    """Return the repeats that were kept, because they differ, each with its first run."""
    cells = [entry.cell for entry in recorded.entries]
    return [Pairing("repeat", replace(c, repeat=0), c) for c in cells if c.repeat]


def _left_over(
    a: RecordedCase, partners: Mapping[Runtime, Runtime], used: set[tuple[Runtime, Cell]]
) -> Iterator[tuple[Cell, Runtime]]:
    """Yield A's cells that nothing was compared with, each with the runtime that lacks it."""
    mine_of: dict[Runtime, list[Runtime]] = {}
    for mine, partner in partners.items():
        mine_of.setdefault(partner, []).append(mine)
    for entry in a.entries:
        cell = entry.cell
        for mine in mine_of.get(cell.runtime, list(partners)[:1]):
            if not cell.repeat and (mine, cell) not in used:
                yield cell, mine


def _shared(one: Cell, other: Cell) -> tuple[int, int]:
    """Return the batch and length that both cells see."""
    return min(one.batch, other.batch), min(one.length, other.length)


def _place(cell: Cell) -> tuple[str, str, int, int]:
    return cell.runtime.live_id, cell.op, cell.length, cell.batch


def _ghost(cell: Cell, file: str) -> Cell:
    """Return the cell that a recording would have."""
    runtime = cell.runtime
    interpreter = replace(runtime.interpreter, python="")
    return replace(cell, runtime=replace(runtime, interpreter=interpreter, origin=file))


def _named(cell: Cell) -> str:
    return f"{cell.runtime.live_id} {cell.op} T={cell.length} batch {cell.batch}"


def _notes(
    pairings: Sequence[Pairing],
    recorded: RecordedCase | None,
    fingerprints: Mapping[Runtime, Fingerprint],
) -> Iterator[str]:
    if recorded is None:
        return
    pairs = dict.fromkeys((p.baseline.runtime, p.candidate.runtime) for p in pairings)
    found = [
        note
        for was, now in pairs
        for note in machine_differences(recorded.fingerprints[was], fingerprints[now])
    ]
    yield from dict.fromkeys(found)


def _partners(theirs: Sequence[Runtime], mine: Sequence[Runtime]) -> dict[Runtime, Runtime]:
    """Return whom each runtime of B is compared with: the one most like it, else the first."""

    def likeness(one: Runtime, other: Runtime) -> tuple[bool, bool, bool, bool]:
        return (
            one.live_id == other.live_id,
            one.interpreter.framework == other.interpreter.framework,
            one.device == other.device,
            one.device.kind == other.device.kind,
        )

    return {one: max(theirs, key=lambda other: likeness(one, other)) for one in mine if theirs}


Shelf = dict[tuple[int, int], Cell]
"""Cells of one runtime and op, by (batch, length)."""


def _shelves(recorded: RecordedCase) -> dict[tuple[Runtime, str], Shelf]:
    shelves: dict[tuple[Runtime, str], Shelf] = {}
    for entry in recorded.entries:
        cell = entry.cell
        if not cell.repeat:
            shelf = shelves.setdefault((cell.runtime, cell.op), {})
            shelf[cell.batch, cell.length] = cell
    return shelves


def _counterpart(cell: Cell, shelf: Shelf) -> Cell | None:
    """Return the cell of the same length and batch, else the longest of the batch, or of all."""
    if not shelf or (cell.batch, cell.length) in shelf:
        return shelf.get((cell.batch, cell.length))
    return shelf[max(shelf, key=lambda place: (place[0] == cell.batch, place[1], place[0]))]
