"""Two recordings of a small case, compared by the program in this process."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recordings import recorded, recording, tensors_of, together

from convdiff.case.arrays import Tensors
from convdiff.cli import exit_code
from convdiff.recording.files import write_recording
from convdiff.recording.model import RecordedCase, Recording

Report = dict[str, Any]
Compare = Callable[..., tuple[int, Report]]

CHAIN, FUSED, PAIRS = "[0 1 2 b]", "[[0 1*] [2 b]]", "[[0 1] [2 b]]"
"""Orders of three taps and a bias; the last is another order of the first one's products."""


@pytest.fixture
def tensors() -> Tensors:
    return tensors_of((1, 3, 1, 2), (2, 1, 6, 1))


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Return a way to save two recordings, compare them and read the report."""

    def both(a: RecordedCase | Recording, b: RecordedCase | Recording, *more: str) -> Any:
        paths = [tmp_path / "a.json", tmp_path / "b.json"]
        for path, side in zip(paths, (a, b), strict=True):
            write_recording(path, side if isinstance(side, Recording) else recording(side))
        return compared(paths, *more)

    return both


def compared(paths: Sequence[Path], *more: str) -> tuple[int, Report]:
    out, before = io.StringIO(), sys.argv
    sys.argv = ["convdiff", "compare", *map(str, paths), "--json", "-", *more]
    try:
        with contextlib.redirect_stdout(out):
            code = exit_code()
    finally:
        sys.argv = before
    report = json.loads(out.getvalue())
    assert report["exit_code"] == code
    return code, report


def comparisons(report: Report) -> list[Report]:
    (case,) = report["cases"]
    return list(case["comparisons"])


def with_outputs(case: RecordedCase, change: Callable[[Any], Any]) -> RecordedCase:
    """Return a case with other outputs and whatever was said of them."""
    return replace(
        case, entries=tuple(replace(one, output=change(one.output)) for one in case.entries)
    )


def with_manual(op: str, manual: str, tensors: Tensors) -> RecordedCase:
    """Return a recorded case whose convolution and multiply + reduce_sum add in these orders."""
    return together(recorded(op, tensors), recorded(manual, tensors, ops=["manual"]))


def truth(tensors: Tensors, notation: str) -> Any:
    return recorded(notation, tensors).entries[0].output


def renamed(case: RecordedCase, file: str) -> Recording:
    """Return a recording as if it were read from a file of this name."""
    names = {one: replace(one, origin=file) for one in case.fingerprints}
    return recording(
        replace(
            case,
            case=replace(case.case, file=file),
            fingerprints={names[one]: seen for one, seen in case.fingerprints.items()},
            entries=tuple(
                replace(entry, cell=replace(entry.cell, runtime=names[entry.cell.runtime]))
                for entry in case.entries
            ),
        )
    )
