"""What was recorded and what is observed now, made one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from convdiff.case.arrays import digest
from convdiff.plan.cell import Cell
from convdiff.recording.model import Entry, RecordedCase
from convdiff.recording.same_problem import unlike
from convdiff.runtime.model import Runtime


@dataclass(frozen=True)
class Counts:
    """Entries that are new, that have other bits than before, and that were dropped."""

    new: int
    changed: int
    dropped: int


def merged(
    old: RecordedCase | None, new: RecordedCase, *, only_missing: bool
) -> tuple[RecordedCase, Counts]:
    """Return the new entries with those of the old that they do not replace.

    Old entries on other inputs are dropped, and none are where only missing ones are added.
    """
    if old is None:
        return new, Counts(len(new.entries), 0, 0)
    if _on_other_inputs(old, new):
        if only_missing:
            return old, Counts(0, 0, 0)
        return new, Counts(len(new.entries), 0, len(old.entries))
    before, now = _by_coordinates(old), _by_coordinates(new)
    if only_missing:
        kept = {**now, **before}
        changed = 0
    else:
        kept = {**_not_run_again(before, now), **now}
        changed = _changed(before, now)
    whole = _whole(old, new, [kept[at] for at in sorted(kept)])
    return whole, Counts(len(now.keys() - before.keys()), changed, 0)


Coordinates = tuple[str, str, int, int, int, int]
"""(runtime's id, op, length, batch, channels, repeat): what a cell is in any recording."""


def _by_coordinates(side: RecordedCase) -> dict[Coordinates, Entry]:
    entries = {}
    for entry in side.entries:
        cell = entry.cell
        sizes = cell.length, cell.batch, cell.channels, cell.repeat
        at = (cell.runtime.live_id, cell.op, *sizes)
        entries[at] = entry
    return entries


def _not_run_again(
    before: Mapping[Coordinates, Entry], now: Mapping[Coordinates, Entry]
) -> dict[Coordinates, Entry]:
    """Return the old entries that stay.

    A repeat was kept because it differed from its first run; it goes where that is replaced.
    """
    run_again = {at[:-1] for at in now}
    return {at: entry for at, entry in before.items() if at[:-1] not in run_again}


def _changed(before: Mapping[Coordinates, Entry], now: Mapping[Coordinates, Entry]) -> int:
    """Return how many entries have other bits than before."""
    both = before.keys() & now.keys()
    return sum(digest(before[at].output) != digest(now[at].output) for at in both)


def _whole(old: RecordedCase, new: RecordedCase, kept: Sequence[Entry]) -> RecordedCase:
    """Return the one recording of these entries, with the failures that nothing made good."""
    runtimes = _runtimes(old, new)

    def renamed(cell: Cell) -> Cell:
        return replace(cell, runtime=runtimes[cell.runtime])

    entries = [replace(entry, cell=renamed(entry.cell)) for entry in kept]
    cells = [entry.cell for entry in entries]
    there = {replace(cell, repeat=0) for cell in cells}
    failed = dict.fromkeys(map(renamed, (*old.failed, *new.failed)))
    left = [cell for cell in failed if replace(cell, repeat=0) not in there]
    fingerprints = {**old.fingerprints, **new.fingerprints}
    return RecordedCase(
        new.case,
        max(old, new, key=lambda side: side.tensors.input_nhwc.size).tensors,
        {cell.runtime: fingerprints[cell.runtime] for cell in (*cells, *left)},
        tuple(entries),
        tuple(left),
    )


def _on_other_inputs(old: RecordedCase, new: RecordedCase) -> bool:
    """Return whether one recording can't hold both: inputs differ, or neither covers the other."""
    smaller, larger = sorted((old.tensors.input_nhwc.shape, new.tensors.input_nhwc.shape))
    if any(a > b for a, b in zip(smaller, larger, strict=True)):
        return True
    batch, length = smaller[0], smaller[2]
    return unlike(old.case, old.tensors, new.case, new.tensors, batch, length) is not None


def _runtimes(old: RecordedCase, new: RecordedCase) -> dict[Runtime, Runtime]:
    """Return what each side's runtimes are called in the whole: those that are equal are one."""
    names = dict(zip(old.fingerprints, old.fingerprints, strict=True))
    for runtime, fingerprint in new.fingerprints.items():
        names[runtime] = runtime
        for known, other in old.fingerprints.items():
            if known.live_id == runtime.live_id and dict(other) == dict(fingerprint):
                names[runtime] = known
                break
    return names
