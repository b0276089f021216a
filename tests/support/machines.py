"""What machines computed, as they recorded it: digits are asserted of these, not of the CPU here.

`tests/recordings/README.md` says which machines these are and how their files were made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from program import REPOSITORY

from convdiff.comparing import Asked, compare_recordings
from convdiff.diagnose.verdict import Finding
from convdiff.plan.cell import Cell
from convdiff.recording.files import read_recording
from convdiff.recording.model import RecordedCase, Recording

RECORDINGS = REPOSITORY / "tests" / "recordings"
ZEN3, ZEN4 = MACHINES = ("amd-zen3", "amd-zen4")


def path_of(machine: str, name: str) -> Path:
    """Return the file in which a machine recorded a case."""
    return RECORDINGS / machine / f"{name}.safetensors"


def recorded(machine: str, name: str, *, tag: str = "") -> RecordedCase:
    """Return a case as a machine recorded it; `tag` tells it from another part of the same."""
    recording = read_recording(path_of(machine, name), f"{machine}/{name}{tag}")
    (case,) = recording.cases.values()
    return case


def runtimes_of(case: RecordedCase) -> list[str]:
    """Return the ids of a recording's runtimes, as they were asked for."""
    return [runtime.live_id for runtime in case.fingerprints]


def part(case: RecordedCase, runtime: str, wanted: Callable[[Cell], bool]) -> RecordedCase:
    """Return what one runtime gave in some of its cells."""
    fingerprints = {r: f for r, f in case.fingerprints.items() if r.live_id == runtime}
    assert fingerprints, f"{runtime} is not among {runtimes_of(case)}"
    mine = [entry for entry in case.entries if entry.cell.runtime in fingerprints]
    entries = tuple(entry for entry in mine if wanted(entry.cell))
    assert entries, f"{runtime} has no such cell"
    return replace(case, fingerprints=fingerprints, entries=entries)


def numbers(case: RecordedCase, runtime: str, length: int, op: str = "conv2d") -> np.ndarray:
    """Return what a runtime gave at a length, NHWC."""
    (entry,) = part(case, runtime, lambda cell: (cell.op, cell.length) == (op, length)).entries
    return entry.output


def compared(one: RecordedCase, other: RecordedCase) -> list[Finding]:
    """Return the findings of `other` against `one`, as `convdiff compare` finds them."""
    a, b = (Recording({case.case.name: case}) for case in (one, other))
    (result,) = compare_recordings(a, b, Asked()).cases
    return list(result.findings)


def convolution(cell: Cell) -> bool:
    """Return whether a cell is the framework's own convolution."""
    return cell.op == "conv2d"


def between_runtimes(machine: str, name: str, one: str, other: str) -> list[Finding]:
    """Return what parts two runtimes' convolutions on one machine, of each length and batch."""
    sides = [
        part(recorded(machine, name, tag=f" of {runtime}"), runtime, convolution)
        for runtime in (one, other)
    ]
    return compared(*sides)


def between_cells(
    machine: str,
    name: str,
    runtime: str,
    one: Callable[[Cell], bool],
    other: Callable[[Cell], bool],
) -> Finding:
    """Return what parts two convolutions of one runtime, as of another length or batch."""
    a = part(recorded(machine, name, tag=" of one"), runtime, lambda c: convolution(c) and one(c))
    b = part(
        recorded(machine, name, tag=" of another"), runtime, lambda c: convolution(c) and other(c)
    )
    (finding,) = compared(a, b)
    return finding
