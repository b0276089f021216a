"""Runtimes with execution modes are recorded, read and compared like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from recordings import recorded, recording, runtime, same, tensors_of

from convdiff.case.device import Device
from convdiff.comparing import Asked, compare_recordings
from convdiff.recording.baseline import Kept, keep, open_baseline
from convdiff.recording.files import CODECS, read_recording, write_recording
from convdiff.recording.model import RecordedCase

MODES = runtime("cpu+channels_last+compiled")


@pytest.fixture
def small() -> RecordedCase:
    return recorded("(0+b)", tensors_of((1, 1, 1, 1), (1, 1, 2, 1)), at=MODES)


@pytest.mark.parametrize("suffix", CODECS)
def test_a_recording_with_modes_is_read_and_compared(
    suffix: str, small: RecordedCase, tmp_path: Path
):
    path = tmp_path / f"modes{suffix}"
    write_recording(path, recording(small))
    again = read_recording(path)
    assert same(again, recording(small))
    (entry,) = again.cases["one"].entries
    assert entry.cell.runtime.device == Device("cpu", None, ("channels_last", "compiled"))
    assert entry.cell.runtime.live_id == "tensorflow:cpu+channels_last+compiled"
    compared = compare_recordings(again, read_recording(path, "b"), Asked(None, False, 10, 0))
    assert compared.exit_code == 0


@pytest.mark.parametrize("name", ["folder", "one.json", "one.safetensors"])
def test_a_baseline_with_modes_is_kept_and_read(name: str, small: RecordedCase, tmp_path: Path):
    path = tmp_path / name
    assert keep(path, [small], only_missing=False) == Kept(new=1)
    assert keep(path, [small], only_missing=False) == Kept()
    found = open_baseline(path).find("one")
    assert found is not None
    assert next(iter(found[1].fingerprints)).live_id == MODES.live_id
