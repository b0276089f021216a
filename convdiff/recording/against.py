"""A plan with a baseline beside it: each of its cells against the one that was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from convdiff.case.arrays import Tensors
from convdiff.case.axes import filters
from convdiff.plan.cell import Cell
from convdiff.plan.plan import Pair, Plan
from convdiff.plan.sampled import places_of
from convdiff.recording.baseline import Baseline
from convdiff.recording.model import RecordedCase
from convdiff.recording.same_problem import unlike
from convdiff.runtime.fingerprints import Fingerprint, machine_differences
from convdiff.runtime.model import Runtime

NO_ENTRY = "the baseline has no such entry; --add-to-baseline records it"

Coordinates = tuple[str, str, int, int, int]
"""(runtime's id, op, length, batch): what a live cell and its recorded one share."""


@dataclass(frozen=True, eq=False)
class Held:
    """What a baseline has of one case; `recorded` is None where it has nothing."""

    file: str
    recorded: RecordedCase | None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Return the cells that it has."""
        if self.recorded is None:
            return ()
        return self.recorded.cells

    @property
    def first_runs(self) -> tuple[Cell, ...]:
        """Return the cells that it has, without their repeats."""
        return tuple(cell for cell in self.cells if cell.is_first_run)


def held_of(baseline: Baseline, name: str) -> Held:
    """Return what a baseline has of the case of this name. Raises RecordingError, OSError."""
    hit = baseline.find(name)
    if hit is None:
        return Held(baseline.path.name, None)
    return Held(hit[0].name, hit[1])


def against(
    plan: Plan,
    tensors: Tensors,
    held: Held,
    fingerprints: Mapping[Runtime, Fingerprint],
    *,
    adding: bool,
) -> Plan:
    """Return the plan with a comparison of each first run with the baseline's.

    fingerprints: of the runtimes here. adding: what the baseline lacks is not complained of.
    """
    pairs = _pairs(plan, tensors, held)
    compared = [pair for pair in pairs if not pair.reason]
    refused = [pair for pair in pairs if pair.reason]
    if adding:
        refused = [pair for pair in refused if pair.reason != NO_ENTRY]
    baselines = {pair.baseline for pair in compared}
    unstable = [pair for pair in repeats(held.cells) if pair.baseline in baselines]
    return replace(
        plan,
        cells=(*cells_of([*compared, *unstable]), *plan.cells),
        pairs=(*plan.pairs, *compared, *unstable, *refused),
        notes=(*plan.notes, *_notes(compared, held.recorded, fingerprints)),
        unclaimed=_unclaimed(plan, pairs, held),
    )


def _pairs(plan: Plan, tensors: Tensors, held: Held) -> list[Pair]:
    """Return each first run with its counterpart in the baseline, or why it has none."""
    known = {_coordinates(cell): cell for cell in held.first_runs}
    live = [cell for cell in plan.cells if cell.is_first_run]
    pairs = []
    for cell in sorted(live, key=lambda cell: (cell.op, cell.length, cell.batch)):
        other = known.get(_coordinates(cell))
        # A reference that is computed in part is not recorded.
        if other is not None or places_of(plan.case, cell) is None:
            pairs.append(_pair(plan, tensors, cell, other, held))
    return pairs


def _unclaimed(plan: Plan, pairs: Sequence[Pair], held: Held) -> tuple[str, ...]:
    """Name the baseline's entries, of runtimes that are here, that no cell asks for any more."""
    here = {runtime.live_id for runtime in plan.runtimes}
    claimed = {_coordinates(pair.candidate) for pair in pairs}
    names = []
    for cell in held.first_runs:
        if cell.runtime.live_id in here and _coordinates(cell) not in claimed:
            names.append(_named(cell))
    return tuple(names)


def _pair(plan: Plan, tensors: Tensors, cell: Cell, other: Cell | None, held: Held) -> Pair:
    """Return a cell's comparison with its counterpart in the baseline, where there is one."""
    recorded = held.recorded
    if other is None or recorded is None:
        return Pair("baseline", _recorded(cell, held.file), cell, NO_ENTRY)
    sizes = (cell.batch, cell.length)
    reason = unlike(recorded.case, recorded.tensors, plan.case, tensors, *sizes)
    return Pair("baseline", other, cell, reason or "")


def repeats(cells: Sequence[Cell]) -> list[Pair]:
    """Return the repeats that were kept, because they differ, each with its first run."""
    again = [cell for cell in cells if cell.repeat]
    return [Pair("repeat", replace(cell, repeat=0), cell) for cell in again]


def cells_of(pairs: Sequence[Pair]) -> list[Cell]:
    """Return the recorded cells of some pairs, each once."""
    both = dict.fromkeys(chain.from_iterable(pair.cells for pair in pairs))
    return [cell for cell in both if cell.recorded]


def _coordinates(cell: Cell) -> Coordinates:
    return cell.runtime.live_id, cell.op, cell.length, cell.batch, cell.channels


def _recorded(cell: Cell, file: str) -> Cell:
    """Return the cell's coordinates in a recording, where nothing is."""
    runtime = cell.runtime
    interpreter = replace(runtime.interpreter, python="")
    return replace(cell, runtime=replace(runtime, interpreter=interpreter, origin=file))


def _named(cell: Cell) -> str:
    name = f"{cell.runtime.live_id} {cell.op} T={cell.length} batch {cell.batch}"
    if cell.channels:
        name += f" {filters(cell.channels)}"
    return name


def _notes(
    compared: Sequence[Pair],
    recorded: RecordedCase | None,
    fingerprints: Mapping[Runtime, Fingerprint],
) -> tuple[str, ...]:
    """Say in what the machines differ, each thing once."""
    if recorded is None:
        return ()
    notes: list[str] = []
    for was, now in dict.fromkeys((p.baseline.runtime, p.candidate.runtime) for p in compared):
        notes += machine_differences(recorded.fingerprints[was], fingerprints[now])
    return tuple(dict.fromkeys(notes))
