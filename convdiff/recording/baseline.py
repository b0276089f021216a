"""Baselines: recordings that runs are held against. One file for all cases, or a folder of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convdiff.errors import UNTESTED
from convdiff.recording.files import CODECS, read_recording, write_recording
from convdiff.recording.json_file import MOST_VALUES
from convdiff.recording.merge import merged
from convdiff.recording.model import RecordedCase, Recording, RecordingError

REVIEWABLE = 20_000
"""Values up to which a folder's new recordings are .json."""


class NoBaselineError(RecordingError):
    """There is no baseline yet: nothing can be said, and that is not green."""

    exit_code = UNTESTED


@dataclass(frozen=True, eq=False)
class Baseline:
    """What is recorded, by file."""

    path: Path
    recordings: Mapping[Path, Recording] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Return whether each case has a file of its own."""
        return self.path.suffix not in CODECS

    def find(self, name: str) -> tuple[Path, RecordedCase] | None:
        """Return a case and its file, or None."""
        for path, recording in self.recordings.items():
            if name in recording.cases:
                return path, recording.cases[name]
        return None

    def unclaimed(self, names: Iterable[str]) -> list[str]:
        """Return the cases that are recorded and not among those named."""
        claimed = set(names)
        recorded = [name for recording in self.recordings.values() for name in recording.cases]
        return [name for name in recorded if name not in claimed]


@dataclass(frozen=True)
class Kept:
    """What became of a baseline's entries."""

    new: int = 0
    changed: int = 0
    """Entries of other bits than before."""
    dropped: int = 0
    """Entries on other inputs than the case has now."""


def open_baseline(path: Path, *, making: bool = False) -> Baseline:
    """Read a baseline. Raises NoBaselineError unless it is being made; RecordingError."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in CODECS)
    else:
        files = [path] if path.exists() else []
    if not files and not making:
        raise NoBaselineError(
            f"no baseline at {path}; to make one, run the same with --update-baseline"
        )
    baseline = Baseline(path, {file: read_recording(file) for file in files})
    names: dict[str, Path] = {}
    for file, recording in baseline.recordings.items():
        for name in recording.cases:
            if name in names:
                raise RecordingError(f"{file}: {name!r} is also in {names[name]}")
            names[name] = file
    return baseline


def keep(path: Path, cases: Sequence[RecordedCase], *, only_missing: bool) -> Kept:
    """Write what was observed into the baseline at a path, and return what that changed.

    Entries that were not observed now stay; with `only_missing`, so do those that were. Another
    process that does the same at the same time waits, and loses nothing.
    """
    folder = path if path.suffix not in CODECS else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            return _keep(open_baseline(path, making=True), cases, only_missing=only_missing)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process writes a baseline in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _keep(baseline: Baseline, cases: Sequence[RecordedCase], *, only_missing: bool) -> Kept:
    total = Kept()
    changed: dict[Path, dict[str, RecordedCase]] = {}
    for case in cases:
        recorded = baseline.find(case.case.name)
        path = recorded[0] if recorded else _new_file(baseline, case)
        whole, counts = merged(recorded[1] if recorded else None, case, only_missing=only_missing)
        changed.setdefault(path, {})[case.case.name] = whole
        total = Kept(
            total.new + counts.new, total.changed + counts.changed, total.dropped + counts.dropped
        )
    for path, these in changed.items():
        before = baseline.recordings.get(path, Recording()).cases
        write_recording(path, Recording({**before, **these}))
    return total


def _new_file(baseline: Baseline, case: RecordedCase) -> Path:
    """Return the file of a case that has none yet: for review while it is small."""
    if not baseline.is_folder:
        return baseline.path
    values = sum(entry.output.size for entry in case.entries) + case.tensors.input_nhwc.size
    suffix = ".json" if values <= min(REVIEWABLE, MOST_VALUES) else ".safetensors"
    stem = re.sub(r"[^\w.-]+", "_", case.case.name).strip("._") or "case"
    return baseline.path / f"{stem}{suffix}"
