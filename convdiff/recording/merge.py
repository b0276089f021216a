"""What was recorded and what is observed now, made one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from convdiff.case.arrays import digest
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
    before = {_place(entry): entry for entry in old.entries}
    now = {_place(entry): entry for entry in new.entries}
    fresh = [entry for place, entry in now.items() if place not in before]
    again = [place for place in now if place in before]
    changed = [p for p in again if digest(before[p].output) != digest(now[p].output)]
    if only_missing:
        kept = {**now, **before}
        changed = []
    else:
        # A repeat was kept because it differed from its first run, which is replaced.
        first = {place[:-1] for place in now}
        kept = {**{p: e for p, e in before.items() if p[:-1] not in first}, **now}
    tensors = max(old, new, key=lambda side: side.tensors.input_nhwc.size).tensors
    runtimes = _runtimes(old, new)
    entries = tuple(
        replace(entry, cell=replace(entry.cell, runtime=runtimes[entry.cell.runtime]))
        for _, entry in sorted(kept.items(), key=lambda item: item[0])
    )
    fingerprints = {**old.fingerprints, **new.fingerprints}
    there = {(e.cell.runtime, e.cell.op, e.cell.length, e.cell.batch) for e in entries}
    failed = tuple(
        dict.fromkeys(
            cell
            for cell in (
                replace(c, runtime=runtimes[c.runtime]) for c in (*old.failed, *new.failed)
            )
            if (cell.runtime, cell.op, cell.length, cell.batch) not in there
        )
    )
    used = dict.fromkeys(cell.runtime for cell in (*(e.cell for e in entries), *failed))
    kept_fingerprints = {one: fingerprints[one] for one in used}
    whole = RecordedCase(new.case, tensors, kept_fingerprints, entries, failed)
    return whole, Counts(len(fresh), len(changed), 0)


def _on_other_inputs(old: RecordedCase, new: RecordedCase) -> bool:
    """Return whether one recording can't hold both: inputs differ, or neither covers the other."""
    shapes = [side.tensors.input_nhwc.shape for side in (old, new)]
    smaller, larger = sorted(shapes)
    if any(a > b for a, b in zip(smaller, larger, strict=True)):
        return True
    batch, length = smaller[0], smaller[2]
    return unlike(old.case, old.tensors, new.case, new.tensors, batch, length) is not None


def _runtimes(old: RecordedCase, new: RecordedCase) -> dict[Runtime, Runtime]:
    """Return what each side's runtimes are called in the whole: those that are alike are one."""
    found = {runtime: runtime for runtime in old.fingerprints}
    for runtime, fingerprint in new.fingerprints.items():
        found[runtime] = next(
            (
                known
                for known, theirs in old.fingerprints.items()
                if known.live_id == runtime.live_id and dict(theirs) == dict(fingerprint)
            ),
            runtime,
        )
    return found


def _place(entry: Entry) -> tuple[str, str, int, int, int]:
    cell = entry.cell
    return cell.runtime.live_id, cell.op, cell.length, cell.batch, cell.repeat
