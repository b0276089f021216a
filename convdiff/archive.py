"""What recordings bring to a case: cells to compare with that can't be run any more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from convdiff.case.arrays import Tensors
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.order.explain import Explanation
from convdiff.diagnose.saved import restored, restored_probes
from convdiff.diagnose.traits import Probed
from convdiff.plan import Pairing, Plan
from convdiff.recording.baseline import Baseline
from convdiff.recording.likeness import unlike
from convdiff.recording.machines import Fingerprint, machine_differences
from convdiff.recording.observation import Cell, Observation
from convdiff.recording.recording import Entry, RecordedCase
from convdiff.runtime.model import Runtime
from convdiff.worker_kernel import data_of, flat, geometry_of_cell

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
        return tuple(cell for cell in cells if cell.runtime.interpreter.recording)

    def observations(self) -> dict[Cell, Observation]:
        """Return the recorded bits by cell."""
        return {
            entry.cell: Observation(entry.cell, entry.output)
            for home in dict.fromkeys(self.homes.values())
            for entry in home.entries
        }

    def probed(self, cell: Cell) -> Probed | None:
        """Return what probes found, None where only others of its runtime and op were probed."""
        entry = self._entry(cell)
        if entry.probes is not None:
            return restored_probes(entry.probes)
        likewise = (cell.runtime, cell.op)
        for other in self.homes[cell.runtime].entries:
            if other.probes is not None and (other.cell.runtime, other.cell.op) == likewise:
                return None
        return Probed(None, None)

    def explanation(self, cell: Cell) -> Explanation | None:
        """Return a cell's orders, as far as their replay proves them again; None without any."""
        entry, home = self._entry(cell), self.homes[cell.runtime]
        if entry.orders is None or entry.output.size * home.case.conv.taps > self.replays:
            return None
        geometry = geometry_of_cell(home.case, cell)
        data = data_of(cell, home.tensors)
        return restored(entry.orders, geometry, data, flat(entry.output), home.case.file)

    def _entry(self, cell: Cell) -> Entry:
        return next(entry for entry in self.homes[cell.runtime].entries if entry.cell == cell)


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
    return Archive(
        tuple(pairings),
        tuple(refused),
        dict.fromkeys(recorded.fingerprints, recorded) if recorded else {},
        tuple(_notes(pairings, recorded, fingerprints)),
        tuple(_named(cell) for place, cell in known.items() if place[0] in here),
    )


def between(a: RecordedCase, b: RecordedCase, replays: float) -> tuple[Plan, Archive]:
    """Return what is compared of two recordings of a case, B against A."""
    partners = _partners(list(a.fingerprints), list(b.fingerprints))
    pairings: list[Pairing] = []
    refused: list[Comparison] = []
    used: set[Cell] = set()
    for entry in b.entries:
        cell = entry.cell
        if cell.repeat:
            continue
        other = _counterpart(cell, partners[cell.runtime], a)
        if other is None:
            ghost = replace(cell, runtime=partners[cell.runtime])
            reason = f"only in {b.case.file}"
            refused.append(Comparison("baseline", ghost, cell, None, reason))
            continue
        used.add(other)
        why_not = unlike(a.case, a.tensors, b.case, b.tensors, *_shared(other, cell))
        if why_not:
            refused.append(Comparison("baseline", other, cell, None, why_not))
        else:
            pairings.append(Pairing("baseline", other, cell))
    for entry in a.entries:
        cell = entry.cell
        if cell not in used and not cell.repeat and cell.runtime in partners.values():
            mine = next(one for one, partner in partners.items() if partner == cell.runtime)
            ghost = replace(cell, runtime=mine)
            reason = f"only in {a.case.file}"
            refused.append(Comparison("baseline", cell, ghost, None, reason))
    notes = []
    for mine, partner in partners.items():
        names = (f"{a.case.file} with", f"{b.case.file} with")
        notes += machine_differences(a.fingerprints[partner], b.fingerprints[mine], names)
    notes += [
        f"only in {a.case.file}: {runtime.live_id}"
        for runtime in a.fingerprints
        if runtime not in partners.values()
    ]
    homes = {**dict.fromkeys(a.fingerprints, a), **dict.fromkeys(b.fingerprints, b)}
    plan = Plan(b.case, (*a.fingerprints, *b.fingerprints), (), (), {})
    archive = Archive(
        tuple(pairings), tuple(refused), homes, tuple(dict.fromkeys(notes)), (), replays
    )
    return plan, archive


def _shared(one: Cell, other: Cell) -> tuple[int, int]:
    """Return the batch and length that both cells see."""
    return min(one.batch, other.batch), min(one.length, other.length)


def _place(cell: Cell) -> tuple[str, str, int, int]:
    return cell.runtime.live_id, cell.op, cell.length, cell.batch


def _ghost(cell: Cell, file: str) -> Cell:
    """Return the cell that a recording would have."""
    runtime = cell.runtime
    interpreter = replace(runtime.interpreter, python="", recording=file)
    return replace(cell, runtime=replace(runtime, interpreter=interpreter))


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

    def likeness(one: Runtime, other: Runtime) -> tuple[bool, bool, bool]:
        return (
            one.live_id == other.live_id,
            one.interpreter.framework == other.interpreter.framework,
            one.device == other.device,
        )

    return (
        {one: max(theirs, key=lambda other: likeness(one, other)) for one in mine} if theirs else {}
    )


def _counterpart(cell: Cell, runtime: Runtime, recorded: RecordedCase) -> Cell | None:
    """Return the cell of the same length and batch, else the longest and largest that there is."""
    cells = [
        entry.cell
        for entry in recorded.entries
        if entry.cell.runtime == runtime and entry.cell.op == cell.op and not entry.cell.repeat
    ]
    same = (cell.length, cell.batch)
    return max(
        cells,
        key=lambda c: ((c.length, c.batch) == same, c.batch == cell.batch, c.length, c.batch),
        default=None,
    )
