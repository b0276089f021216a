"""Cases with a step that follows: recorded, read, proved again, and never held against others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import convdiff
from recordings import resealed

from convdiff.recording.files import read_recording
from convdiff.recording.model import RecordingError

pytestmark = pytest.mark.slow

KERNELS = """
import numpy as np


def plain(x, w, b, then="", added=None, backwards=False):
    columns = x.shape[2] - w.shape[1] + 1
    taps = list(range(w.shape[1]))[:: -1 if backwards else 1]
    y = None
    for tap in taps:
        product = x[:, :, tap : tap + columns] * w[0, tap, 0]
        y = product if y is None else y + product
    return y + added if then == "add" else np.maximum(y, 0) + 0 if then else y


def backwards(x, w, b, then="", added=None):
    return plain(x, w, b, then, added, True)


def first(x, w, b, then="", added=None):
    columns = x.shape[2] - w.shape[1] + 1
    y = added if then == "add" else 0
    for tap in range(w.shape[1]):
        y = y + x[:, :, tap : tap + columns] * w[0, tap, 0]
    return np.maximum(y, 0) + 0 if then == "relu" else y
"""
CASE = """
filter: {normal: 1, shape: [1, 5, 1, 3], seed: 1}
input: {normal: 1, seed: 2}
lengths: [9, 30]
then: THEN
expect: {baseline: bitwise}
"""
ADD = "{add: {normal: 1, seed: 3}}"


def saved(folder: Path, then: str, kernel: str, name: str) -> Path:
    """Record a case on a kernel; the kernel's own name is no part of what is compared."""
    (folder / "own.py").write_text(KERNELS, "utf-8")
    (folder / "case.yaml").write_text(CASE.replace("THEN", then), "utf-8")
    ran = convdiff("run", "case.yaml", "--kernel", f"own:{kernel}", "--save", name, cwd=folder)
    assert ran.code == 0, ran.out + ran.err
    return folder / name


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize(("then", "other"), [("relu", "backwards"), (ADD, "first")])
def test_recordings_with_a_step_are_compared_and_proved(
    tmp_path: Path, then: str, other: str, suffix: str
):
    a = saved(tmp_path, then, "plain", f"a{suffix}")
    b = saved(tmp_path, then, other, f"b{suffix}")
    ran = convdiff("compare", a, b, "--json", "-", "-q", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    (case,) = json.loads(ran.out)["cases"]
    assert case["then"] == ("relu" if then == "relu" else "add")
    differing = [one for one in case["comparisons"] if one["verdict"] == "rounding"]
    differing = [one for one in differing if one["axis"] == "baseline"]
    assert differing
    for one in differing:
        assert one["explanation"]["status"] == "proved"
        assert one["step"] is None, "nobody can be asked for it any more"
    (alike,) = read_recording(a).cases.values()
    assert alike.tensors.added is None or alike.tensors.added.shape == (1, 1, 26, 3)


def test_another_step_or_another_array_is_another_problem(tmp_path: Path):
    relu = saved(tmp_path, "relu", "plain", "relu.json")
    relu6 = saved(tmp_path, "relu6", "plain", "relu6.json")
    added = saved(tmp_path, ADD, "plain", "added.json")
    moved = saved(tmp_path, ADD.replace("seed: 3", "seed: 4"), "plain", "moved.json")
    for one, other, words in (
        (relu, relu6, "then relu against relu6"),
        (added, moved, "the added"),
    ):
        ran = convdiff("compare", one, other, cwd=tmp_path)
        assert ran.code == 125
        assert words in " ".join((ran.out + ran.err).split())


def test_a_recording_whose_step_has_no_array_is_refused(tmp_path: Path):
    path = saved(tmp_path, ADD, "plain", "added.json")

    def without(document: Any) -> None:
        name = document["cases"][0].pop("added")
        del document["arrays"][name], document["values"][name]

    path = resealed(path, without)
    with pytest.raises(RecordingError, match="what a step adds is missing"):
        read_recording(path)
