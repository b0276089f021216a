"""`convdiff compare`: whom a runtime is compared with, and how two sides are called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from recordings import recorded, recording, resealed, runtime, tensors_of, together
from two_recordings import (
    CHAIN,
    FUSED,
    Compare,
    Report,
    compare,
    compared,
    comparisons,
    renamed,
    tensors,
)

from convdiff.case.arrays import Tensors
from convdiff.comparing import Asked, compare_recordings
from convdiff.recording.files import write_recording
from convdiff.recording.model import RecordedCase
from convdiff.report.sentences import sides

__all__ = ["compare", "tensors"]


def matched(report: Report) -> dict[str, str]:
    """Return the partner of each runtime of B, less where they are recorded."""
    found = {}
    for comparison in comparisons(report):
        mine, other = (
            re.sub(r"\[?,?recorded=[ab]\.json\]", "", comparison[side]["runtime"])
            for side in ("candidate", "baseline")
        )
        found[mine.replace("tensorflow:", "")] = other.replace("tensorflow:", "")
    return found


def at(*runtimes: Any) -> RecordedCase:
    tensors = tensors_of((1, 3, 1, 2), (2, 1, 6, 1))
    return together(*(recorded(CHAIN, tensors, at=one) for one in runtimes))


CPU, GPU0, GPU1 = runtime("cpu"), runtime("gpu:0"), runtime("gpu:1")


@pytest.mark.parametrize(
    ("theirs", "mine", "wanted"),
    [
        ((CPU, GPU0), (CPU, GPU0), {"cpu": "cpu", "gpu:0": "gpu:0"}),
        ((CPU, GPU0), (GPU0, CPU), {"cpu": "cpu", "gpu:0": "gpu:0"}),
        ((CPU,), (GPU0,), {"gpu:0": "cpu"}),
        ((GPU0,), (CPU,), {"cpu": "gpu:0"}),
        ((CPU, GPU0, GPU1), (GPU1, CPU, GPU0), {"cpu": "cpu", "gpu:0": "gpu:0", "gpu:1": "gpu:1"}),
        (
            (runtime(TF_X="0"), runtime(TF_X="1")),
            (runtime(TF_X="1"), runtime(TF_X="0")),
            {"cpu[TF_X=0": "cpu[TF_X=0", "cpu[TF_X=1": "cpu[TF_X=1"},
        ),
        ((GPU0, runtime(TF_X="0")), (CPU, GPU0), {"cpu": "cpu[TF_X=0", "gpu:0": "gpu:0"}),
        ((CPU, GPU0), (CPU, GPU1), {"cpu": "cpu", "gpu:1": "gpu:0"}),
    ],
    ids=lambda value: "" if isinstance(value, dict) else " ".join(one.live_id for one in value),
)
def test_runtimes_are_compared_with_the_likest(
    theirs: tuple[Any, ...], mine: tuple[Any, ...], wanted: dict[str, str], compare: Compare
):
    _, report = compare(at(*theirs), at(*mine))
    assert matched(report) == wanted


def test_a_recording_made_on_a_cpu_and_called_a_gpus_is_compared_with_it(
    tensors: Tensors, tmp_path: Path
):
    """By the file: the device is what it says, and the notes say in what they differ."""
    paths = [tmp_path / "cpu.json", tmp_path / "gpu.json"]
    for path, order in zip(paths, (CHAIN, FUSED), strict=True):
        write_recording(path, recording(recorded(order, tensors)))

    def on_gpu(document: Report) -> None:
        (one,) = document["cases"][0]["runtimes"]
        one["device"] = "gpu:0"
        one["fingerprint"]["device_names"] = {"gpu:0": "A Card"}

    resealed(paths[1], on_gpu)
    code, report = compared(paths, "--expect", "rounding")
    assert code == 0
    (found,) = comparisons(report)
    assert found["candidate"]["runtime"] == "tensorflow:gpu:0[recorded=gpu.json]"
    assert found["baseline"]["runtime"] == "tensorflow:cpu[recorded=cpu.json]"
    assert found["explanation"]["status"] == "proved"
    assert "cpu.json with A Processor, gpu.json with A Card" in report["cases"][0]["notes"]


@pytest.mark.parametrize("size", ["batch", "length", "both"])
def test_sides_of_unlike_sizes_are_named_by_them(size: str):
    made = []
    for batch, length in ((1, 4), (2, 6)):
        sizes = {
            "batches": (batch if size != "length" else 2,),
            "lengths": (length if size != "batch" else 6,),
        }
        given = tensors_of((1, 3, 1, 2), (2, 1, 6, 1))
        made.append(recorded(CHAIN, given, ops=("conv2d",), **sizes))
    result = compare_recordings(renamed(made[0], "a.json"), renamed(made[1], "b.json"), Asked())
    (case,) = result.cases
    found = [one.comparison for one in case.findings if one.comparison.axis == "baseline"]
    parts = {"batch": (" batch 1", " batch 2"), "length": (" T=4", " T=6")}
    parts["both"] = (" T=4 batch 1", " T=6 batch 2")
    assert sides(found[0], case) == (f"a.json{parts[size][0]}", f"b.json{parts[size][1]}")
