"""More than a thousand recordings that are not what they say: refused in a line, or read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from program import REPOSITORY, environment
from recordings import recorded, recording, resealed, tensors_of

from convdiff.comparing import Asked, compare_recordings
from convdiff.recording.files import read_recording, write_recording
from convdiff.recording.model import RecordingError

MOST_MEMORY = 200
"""MiB, of which the program with NumPy takes 60."""
Json = Any


@pytest.mark.slow
def test_no_attack_ends_in_a_traceback_a_hang_or_a_lot_of_memory():
    done = subprocess.run(
        [sys.executable, Path(__file__).parent.parent / "support" / "attacks.py"],
        env=environment({"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    *wrong, last = done.stdout.splitlines() or [""]
    assert wrong == []
    assert done.stderr == ""
    told = json.loads(last)
    assert told["tried"] > 1000
    assert told["memory"] < MOST_MEMORY


def at_cell(document: Json) -> Json:
    return document["cases"][0]["cells"][0]


def whole_number_as_fraction(document: Json) -> None:
    at_cell(document)["length"] = 6.0


def bomb(document: Json) -> None:
    at_cell(document)["orders"]["orders"][0]["notation"] = "[0 1 2 ((b)^0+1)^1000000000+1 b]"


def a_billion_taps(document: Json) -> None:
    at_cell(document)["orders"]["orders"][0]["notation"] = "(0)^1000000000+1"


def parentheses(document: Json) -> None:
    at_cell(document)["orders"]["orders"][0]["notation"] = "[" * 100 + "0" + "]" * 100


def many_parentheses(document: Json) -> None:
    at_cell(document)["orders"]["orders"][0]["notation"] = "(" * 100_000


def another_format(document: Json) -> None:
    at_cell(document)["orders"]["orders"][0]["arithmetic"]["dtype"] = "float16"


def instruction_sets(document: Json) -> None:
    document["cases"][0]["runtimes"][0]["fingerprint"]["cpu_isa"] = 5


def infinite(document: Json) -> None:
    document["cases"][0]["runtimes"][0]["fingerprint"]["threads"] = float("inf")


def nested(document: Json) -> None:
    inside = document["cases"][0]["runtimes"][0]["fingerprint"]
    for _ in range(40):
        inside["x"] = [{}]
        inside = inside["x"][0]


def long_name(document: Json) -> None:
    at_cell(document)["output"] = "x" * 90_000


def another_runtime(document: Json) -> None:
    at_cell(document)["runtime"] = 1


def endless(document: Json) -> None:
    at_cell(document).update(length=10**9, batch=10**9)


def no_bits(document: Json) -> None:
    next(iter(document["values"].values()))[0][1] = 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (whole_number_as_fraction, "damaged header: 6.0 is not a whole number"),
        (bomb, "damaged: no summation order: a repetition of nothing"),
        (a_billion_taps, "damaged: no summation order: 1000000000 terms, expected 4"),
        (parentheses, "damaged: no summation order: 1 terms, expected 4"),
        (many_parentheses, "damaged: no summation order: 100,000 characters for 4 terms"),
        (another_format, "damaged: no summation order: it gives float16, not float32"),
        (
            instruction_sets,
            "damaged header: 'cases.0.runtimes.0.fingerprint.cpu_isa': expected a list, found 5",
        ),
        (infinite, "Infinity is no JSON"),
        (nested, "damaged header: nested too deeply"),
        (long_name, "damaged: case 0: '" + "x" * 199 + "…"),
        (another_runtime, "damaged: case 0: list index out of range"),
        (endless, "damaged: case 0: a cell is larger than the input"),
        (no_bits, "damaged: the values of one/"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_sealed_and_still_not_sound_is_told(
    change: Callable[[Json], None], said: str, tmp_path: Path
):
    tensors = tensors_of((1, 3, 1, 2), (2, 1, 6, 1))
    sound, forged = tmp_path / "sound.json", tmp_path / "forged.json"
    write_recording(sound, recording(recorded("[0 1 2 b]", tensors)))
    write_recording(forged, recording(recorded("[[0 1] [2 b]]", tensors)))
    resealed(forged, change)
    with pytest.raises(RecordingError) as refused:
        compare_recordings(read_recording(sound), read_recording(forged), Asked())
    line = str(refused.value)
    assert said in line
    assert "forged.json" in line
    assert line.isprintable() and len(line) < 500 and refused.value.exit_code == 2
