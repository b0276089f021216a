"""`convdiff compare`: no green without equal questions, and no proof without a replay."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import convdiff
from recordings import (
    CLEAN,
    FINGERPRINT,
    case_of,
    recorded,
    recording,
    resealed,
    runtime,
    saved,
    tensors_of,
    together,
)

from convdiff.case.arrays import Tensors
from convdiff.case.model import Allowance
from convdiff.cli import exit_code
from convdiff.comparing import Asked, compare_recordings
from convdiff.recording.files import write_recording
from convdiff.recording.model import Entry, RecordedCase, Recording, SavedProbes
from convdiff.report.sentences import sides
from convdiff.result import Result

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


@pytest.mark.parametrize("manual", [PAIRS, FUSED])
def test_where_only_the_manual_sums_differ_nothing_drifts(
    manual: str, tensors: Tensors, compare: Compare, tmp_path: Path
):
    code, report = compare(with_manual(CHAIN, CHAIN, tensors), with_manual(CHAIN, manual, tensors))
    assert code == 0
    rulings = {
        one["candidate"]["op"]: (one["verdict"], one["allowed"]) for one in comparisons(report)
    }
    assert rulings == {"conv2d": ("same", True), "manual": ("rounding", True)}
    files = tmp_path / "a.json", tmp_path / "b.json"
    words = " ".join(convdiff("compare", *files, "-v").out.split())
    assert "OK one: baseline: bitwise equal; only multiply + reduce_sum differs (rounding" in words
    brief = convdiff("compare", *files).out
    assert brief.startswith("OK one: baseline bitwise equal (multiply + reduce_sum: rounding, ≤")


def test_where_the_convolution_differs_too_it_is_drift(tensors: Tensors, compare: Compare):
    code, report = compare(with_manual(CHAIN, CHAIN, tensors), with_manual(PAIRS, PAIRS, tensors))
    assert code == 1
    assert {one["candidate"]["op"]: one["allowed"] for one in comparisons(report)} == {
        "conv2d": False,
        "manual": True,
    }


def test_a_case_may_hold_on_to_the_manual_sums(tensors: Tensors, compare: Compare):
    sides = [with_manual(CHAIN, order, tensors) for order in (CHAIN, PAIRS)]
    held = [
        replace(one, case=replace(one.case, baseline_reference=Allowance("bitwise")))
        for one in sides
    ]
    assert compare(*sides)[0] == 0
    assert compare(*held)[0] == 1


# What is compared at all


def flipped(array: Any) -> Any:
    """Return an array whose first value is its neighbour."""
    other = array.copy()
    other.reshape(-1)[0] = np.nextafter(other.reshape(-1)[0], np.float32(9))
    return other


@pytest.mark.parametrize("name", ["filter_hwio", "bias", "input_nhwc"])
@pytest.mark.parametrize("expect", ["bitwise", "rounding", "ulps:9", "anything"])
def test_other_inputs_are_not_compared(name: str, expect: str, tensors: Tensors, compare: Compare):
    """A single bit; the outputs are equal, as they may be by chance."""
    one = recorded(CHAIN, tensors)
    other = replace(one, tensors=replace(tensors, **{name: flipped(getattr(tensors, name))}))
    code, report = compare(one, other, "--expect", expect)
    assert code == 125
    (found,) = comparisons(report)
    assert found["verdict"] == "untested"
    word = name.partition("_")[0]
    assert re.fullmatch(
        rf"not the same inputs: sha256 of the {word} [0-9a-f]{{12}} against [0-9a-f]{{12}}",
        found["reason"],
    )
    assert (found["elements"], found["differing"], found["elements_shown"]) == (0, 0, [])
    assert found["explanation"]["status"] == "not_needed"


def test_zeros_of_other_signs_are_other_inputs(tensors: Tensors, compare: Compare):
    tensors.input_nhwc[0, 0, 0, 0] = 0.0
    one = recorded(CHAIN, tensors)
    negative = tensors.input_nhwc.copy()
    negative[0, 0, 0, 0] = -0.0
    code, report = compare(one, replace(one, tensors=replace(tensors, input_nhwc=negative)))
    assert code == 125
    assert "sha256 of the input" in comparisons(report)[0]["reason"]


def test_only_what_both_sides_saw_has_to_be_the_same(tensors: Tensors, compare: Compare):
    """The inputs differ in a column that the shorter one does not have."""
    long = replace(tensors, input_nhwc=tensors.input_nhwc.copy())
    long.input_nhwc[:, :, 5] += 1
    code, report = compare(recorded(CHAIN, tensors, lengths=(5,)), recorded(CHAIN, long))
    assert code == 0
    (found,) = comparisons(report)
    assert (found["verdict"], found["baseline"]["length"], found["candidate"]["length"]) == (
        "same",
        5,
        6,
    )
    long.input_nhwc[:, :, 4] += 1
    code, report = compare(recorded(CHAIN, tensors, lengths=(5,)), recorded(CHAIN, long))
    assert code == 125


def constant(
    filter_hwio: Sequence[int], input_nhwc: Sequence[int], *, bias: bool = True, **conv: Any
) -> RecordedCase:
    """Return a case whose outputs are all alike, so that only their shapes tell it from another."""
    tensors = tensors_of(filter_hwio, input_nhwc, bias=bias)
    tensors.filter_hwio[:] = tensors.input_nhwc[:] = 1
    if tensors.bias is not None:
        tensors.bias[:] = 0
    case, taps = case_of(tensors, **conv), filter_hwio[0] * filter_hwio[1] * filter_hwio[2]
    order = f"[0..{taps - 1}{' b' * bias}]" if taps > 1 else "(0+b)"
    return recorded(order, tensors, case=case)


UNLIKE = {
    "channels": (constant((1, 2, 1, 1), (1, 1, 6, 1)), constant((1, 2, 1, 4), (1, 1, 6, 1))),
    "height": (constant((1, 2, 1, 1), (1, 1, 6, 1)), constant((1, 2, 1, 1), (1, 3, 6, 1))),
    "bias": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), bias=False),
    ),
    "strides": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), strides=(1, 2)),
    ),
    "vertical strides": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), strides=(2, 1)),
    ),
    "dilations": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 1, 1), (1, 1, 6, 1), dilations=(1, 2)),
    ),
    "kernel": (constant((1, 2, 1, 1), (1, 3, 6, 1)), constant((2, 1, 1, 1), (1, 3, 6, 1))),
    "groups": (
        constant((1, 2, 2, 2), (1, 1, 6, 2)),
        constant((1, 2, 1, 2), (1, 1, 6, 2), groups=2),
    ),
    "channels of the input": (
        constant((1, 2, 1, 1), (1, 1, 6, 1)),
        constant((1, 2, 2, 1), (1, 1, 6, 2)),
    ),
}


REASONS = {
    "channels": "not the same convolution: channels_out",
    "height": "not the same inputs: height",
    "bias": "not the same inputs: a bias on one side only",
    "vertical strides": "not the same convolution: strides",
    "channels of the input": "not the same inputs: sha256 of the filter",
}
"""Else it is the convolution's own word for it."""


@pytest.mark.parametrize("name", UNLIKE)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_what_only_broadcasting_would_match_is_refused(name: str, turned: bool, compare: Compare):
    pair = UNLIKE[name][::-1] if turned else UNLIKE[name]
    for expect in ("bitwise", "anything"):
        code, report = compare(*pair, "--expect", expect)
        assert code == 125
        (found,) = comparisons(report)
        assert found["verdict"] == "untested"
        assert found["reason"].startswith(REASONS.get(name, f"not the same convolution: {name}"))


def test_a_case_in_one_file_only_is_named_and_not_green(tensors: Tensors, compare: Compare):
    one, two, three = (recorded(CHAIN, tensors, case=case_of(tensors, n)) for n in "abc")
    code, report = compare(recording(one, two), recording(one, three))
    assert code == 125
    assert {case["name"]: (case["outcome"], case["notes"]) for case in report["cases"]} == {
        "a": ("ok", []),
        "b": ("untested", ["only in a.json"]),
        "c": ("untested", ["only in b.json"]),
    }
    code, report = compare(recording(one), recording(two))
    assert code == 125
    code, report = compare(recording(), recording())
    assert (code, report["cases"]) == (125, [])


@pytest.mark.parametrize(
    "whole",
    [
        {"lengths": (4, 6)},
        {"batches": (1, 2)},
        {"ops": ("conv2d", "manual")},
        {"lengths": (4, 5, 6), "ops": ("conv2d", "manual"), "batches": (1, 2)},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("expect", ["bitwise", "anything"])
def test_cells_on_one_side_only_are_named_and_not_green(
    whole: dict[str, Any], expect: str, tensors: Tensors, compare: Compare
):
    """Taken from A they have no counterpart; of B, those of another operation have none."""
    one = recorded(CHAIN, tensors, **whole)
    for left_out in one.entries:
        kept = [entry for entry in one.entries if entry is not left_out]
        less = replace(one, entries=tuple(kept))
        code, report = compare(one, less, "--expect", expect)
        assert code == 125
        (missing,) = [c for c in comparisons(report) if c["verdict"] == "untested"]
        assert missing["reason"] == "only in a.json"
        cell = left_out.cell
        said = [missing["baseline"][key] for key in ("op", "length", "batch")]
        assert said == [cell.op, cell.length, cell.batch]
        code, report = compare(less, one, "--expect", expect)
        alone = not any(entry.cell.op == cell.op for entry in kept)
        assert code == (125 if alone else 0)
        reasons = [c["reason"] for c in comparisons(report) if c["verdict"] == "untested"]
        assert reasons == (["only in b.json"] if alone else [])


def test_only_the_manual_reference_on_both_sides_is_not_green(tensors: Tensors, compare: Compare):
    manual = recorded(CHAIN, tensors, ops=("manual",))
    assert compare(manual, manual)[0] == 125


def test_a_runtime_on_one_side_only_is_not_green(tensors: Tensors, compare: Compare):
    one = recorded(CHAIN, tensors)
    code, report = compare(together(one, recorded(CHAIN, tensors, at=runtime("gpu:0"))), one)
    assert report["cases"][0]["notes"] == ["only in a.json: tensorflow:gpu:0"]
    assert code == 125


def test_lengths_that_differ_are_compared_where_they_overlap(tensors: Tensors, compare: Compare):
    """One was recorded at length 6, the other at 4 on the first 4 columns, and the reverse."""
    short = replace(tensors, input_nhwc=tensors.input_nhwc[:, :, :4].copy())
    for order, code in ((CHAIN, 0), (PAIRS, 1)):
        long, brief = recorded(CHAIN, tensors), recorded(order, short)
        for pair in ((long, brief), (brief, long)):
            found_code, report = compare(*pair)
            assert found_code == code
            (found,) = comparisons(report)
            assert found["elements"] == 2 * 1 * 2 * 2
            assert {found["baseline"]["length"], found["candidate"]["length"]} == {4, 6}
            assert found["verdict"] == ("rounding" if code else "same")
            assert found["explanation"]["status"] == ("proved" if code else "not_needed")


def test_batches_that_differ_are_compared_where_they_overlap(tensors: Tensors, compare: Compare):
    few = replace(tensors, input_nhwc=tensors.input_nhwc[:1].copy())
    for order, code in ((CHAIN, 0), (PAIRS, 1)):
        for pair in (
            (recorded(CHAIN, tensors), recorded(order, few)),
            (recorded(order, few), recorded(CHAIN, tensors)),
        ):
            found_code, report = compare(*pair)
            assert found_code == code
            assert comparisons(report)[0]["elements"] == 1 * 1 * 4 * 2


# Whom a runtime is compared with


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


# Verdicts and proofs


def test_another_order_is_rounding_and_proved(tensors: Tensors, compare: Compare):
    for order, cause in ((PAIRS, "bias position"), (FUSED, "fma"), ("[[0 2] [1 b]]", "order")):
        code, report = compare(recorded(CHAIN, tensors), recorded(order, tensors))
        assert code == 1
        (found,) = comparisons(report)
        why = found["explanation"]
        assert (found["verdict"], why["status"], why["unexplained"]) == ("rounding", "proved", 0)
        assert cause in " ".join(why["cause"])
        assert all(done == of for done, of in why["replayed"].values())


@pytest.mark.parametrize("side", [0, 1])
def test_a_tampered_order_proves_nothing(side: int, compare: Compare):
    """It is well formed and its file is sealed; only its replay gives other bits."""
    tensors = tensors_of((1, 3, 1, 2), (2, 1, 6, 1), seed=1)  # tells all of these orders apart
    pair = [recorded(CHAIN, tensors), recorded(FUSED, tensors)]
    for forged in ("[b 0 1 2]", "[2 1 0 b]", "[0 1 2 b]*", "{0 1 2 b}", (CHAIN, FUSED)[1 - side]):
        (entry,) = pair[side].entries
        lie = replace(entry, orders=saved(entry.output, forged))
        sides = [*pair]
        sides[side] = replace(pair[side], entries=(lie,))
        code, report = compare(*sides)
        assert code == 1
        (found,) = comparisons(report)
        why = found["explanation"]
        assert why["status"] != "proved"
        done, of = why["replayed"][("baseline", "candidate")[side]]
        truly = int((entry.output == truth(tensors, forged)).sum())
        assert (done, of) == (truly, entry.output.size)
        assert why["unexplained"] > 0
        assert sum(why["causes"].values()) + why["unexplained"] == found["differing"]


def truth(tensors: Tensors, notation: str) -> Any:
    return recorded(notation, tensors).entries[0].output


def test_a_tampered_map_of_orders_proves_nothing(tensors: Tensors, compare: Compare):
    """Both orders are there, and each element is said to have the other one."""
    a, b = truth(tensors, CHAIN), truth(tensors, FUSED)
    shape = (8, 2)
    half = np.arange(16).reshape(shape) % 2
    mixed = np.where(half.reshape(a.shape) == 0, a, b)
    right, wrong = half.astype(np.int32), (1 - half).astype(np.int32)
    baseline = recorded(PAIRS, tensors)
    (entry,) = baseline.entries
    differ = (a != b).reshape(shape)
    for which, proven in ((right, 16), (wrong, 16 - int(differ.sum()))):
        orders = saved(mixed, CHAIN, FUSED, which=which)
        other = replace(baseline, entries=(replace(entry, output=mixed, orders=orders),))
        _, report = compare(baseline, other)
        why = comparisons(report)[0]["explanation"]
        assert why["replayed"]["candidate"] == [proven, 16]
        assert (why["unexplained"] == 0) == (proven == 16)


def test_elements_without_an_order_are_not_explained(tensors: Tensors, compare: Compare):
    baseline, other = recorded(CHAIN, tensors), recorded(FUSED, tensors)
    (entry,) = other.entries
    which = np.zeros((8, 2), np.int32)
    which[3:] = -1
    partial = replace(entry, orders=saved(entry.output, FUSED, which=which))
    code, report = compare(baseline, replace(other, entries=(partial,)))
    assert code == 1
    why = comparisons(report)[0]["explanation"]
    assert why["status"] == "partial"
    assert why["replayed"] == {"baseline": [16, 16], "candidate": [6, 16]}


@pytest.mark.parametrize("expect", ["bitwise", "rounding", "ulps:999999999999999999"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda y: y + np.float32(1),
        lambda y: -y,
        lambda y: y * np.float32(1.01),
        lambda y: np.where(np.arange(y.size).reshape(y.shape) == 5, np.float32(np.inf), y),
        lambda y: np.where(np.arange(y.size).reshape(y.shape) == 5, np.float32(np.nan), y),
        np.zeros_like,
        lambda y: y[..., :1],
        lambda y: y[:, :, 1:],
        lambda y: y[:1],
        lambda y: y.reshape(-1),
        lambda y: y[:, :, :0],
    ],
    ids=["+1", "-", "1%", "inf", "nan", "0", "channel", "width", "image", "flat", "empty"],
)
def test_what_no_rounding_gives_is_wrong_whatever_is_said_of_it(
    wrong: Callable[[Any], Any], expect: str, tensors: Tensors, compare: Compare
):
    """It comes with clean probes and a fine order, on either side."""
    right = recorded(CHAIN, tensors)
    bad = with_outputs(recorded(FUSED, tensors), lambda y: wrong(y).astype(np.float32))
    (entry,) = bad.entries
    if entry.output.ndim != 4 or entry.output.shape != right.entries[0].output.shape:
        bad = replace(bad, entries=(replace(entry, orders=None),))
    for pair in ((right, bad), (bad, right)):
        code, report = compare(*pair, "--expect", expect)
        assert code == 1
        (found,) = comparisons(report)
        assert (found["verdict"], found["allowed"]) == ("wrong", False)


@pytest.mark.parametrize(
    ("traits", "verdict"),
    [
        ({"integer_error": "3 of 16 integers are wrong"}, "wrong"),
        ({"shape_error": "gives shape (1, 7)"}, "wrong"),
        ({"transform": "values outside a tap's field reach it"}, "transform"),
        ({"narrowed": "inputs keep 10 bits"}, "precision"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("side", [0, 1])
def test_what_probes_found_then_is_heeded_now(
    traits: dict[str, str], verdict: str, side: int, tensors: Tensors, compare: Compare
):
    """The bits alone would pass for rounding."""
    pair = [recorded(CHAIN, tensors), recorded(FUSED, tensors)]
    (entry,) = pair[side].entries
    told = replace(entry, probes=SavedProbes(traits))
    pair[side] = replace(pair[side], entries=(told,))
    code, report = compare(*pair, "--expect", "rounding")
    assert code == 1
    assert comparisons(report)[0]["verdict"] == verdict


def test_what_was_neither_probed_nor_ordered_is_not_taken_for_rounding(
    tensors: Tensors, compare: Compare
):
    """By its size it could be; nobody asked the kernel, and nobody can any more."""

    def side(order: str, probes: SavedProbes | None, orders: bool) -> RecordedCase:
        return recorded(order, tensors, probes=probes, orders=orders)

    for a, b, code in (
        ((None, False), (None, False), 1),
        ((CLEAN, False), (None, False), 1),
        ((None, False), (CLEAN, True), 1),
        ((SavedProbes({}, silent=True), False), (CLEAN, False), 1),
        ((CLEAN, False), (CLEAN, False), 0),  # as `run --no-explain` has it
        ((None, True), (None, True), 0),  # a replay of every bit is better than probes
    ):
        found_code, report = compare(side(CHAIN, *a), side(FUSED, *b), "--expect", "rounding")
        assert found_code == code, (a, b)
        (found,) = comparisons(report)
        assert found["verdict"] == "rounding"
        unproved = "the probes got no answer: not taken for rounding unproved"
        assert (unproved in found["evidence"]) == (None in (a[0], b[0]) or a[0] != CLEAN)
        proved = found["explanation"]["status"] == "proved"
        assert proved == (a[1] and b[1])


def test_more_than_usual_rounding_takes_a_proof(compare: Compare):
    """Clean probes are not enough where a difference is larger than rounding usually is."""
    tensors = tensors_of((1, 1, 64, 1), (1, 1, 4, 64))
    for array in (tensors.filter_hwio, tensors.input_nhwc):
        np.abs(array, out=array)
    right = recorded("[0..63 b]", tensors, orders=False)
    seen = set()
    for steps in (1, 3, 10, 30, 100, 300):
        far = np.float32(1 + steps * 2.0**-23)
        other = with_outputs(right, lambda y, far=far: y * far)
        code, report = compare(right, other, "--expect", "rounding")
        (found,) = comparisons(report)
        usual = found["screen_ratio"] <= 1
        seen.add((found["verdict"], usual))
        assert code == (0 if (found["verdict"], usual) == ("rounding", True) else 1)
        if found["verdict"] == "rounding" and not usual:
            assert any("not taken for rounding unproved" in said for said in found["evidence"])
    assert seen == {("rounding", True), ("rounding", False), ("wrong", False)}


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_equal_constants_are_not_green(value: float, tensors: Tensors, compare: Compare):
    alike = with_outputs(recorded(CHAIN, tensors), lambda y: np.full_like(y, value))
    code, report = compare(alike, alike)
    assert code == 125
    assert comparisons(report)[0]["verdict"] == "mistrusted"


def test_strict_tells_zeros_and_nans_apart(tensors: Tensors, compare: Compare):
    one = recorded(CHAIN, tensors)
    raw = one.entries[0].output.copy()
    raw.reshape(-1)[:2] = 0.0, np.nan
    other = raw.copy()
    other.reshape(-1)[0] = -0.0
    other.reshape(-1).view(np.uint32)[1] |= 7
    pair = [with_outputs(one, lambda _, y=y: y) for y in (raw, other)]
    assert compare(*pair)[0] == 0
    code, report = compare(*pair, "--strict")
    assert code == 1
    assert comparisons(report)[0]["differing"] == 2


def repeated(first: str, second: str, tensors: Tensors) -> RecordedCase:
    """Return a cell that gave other bits when it was repeated, too large for orders."""
    one, again = (recorded(order, tensors, orders=False) for order in (first, second))
    (entry,) = again.entries
    second_run = replace(entry, cell=replace(entry.cell, repeat=1))
    return replace(one, entries=(*one.entries, second_run))


def test_a_cell_that_was_unstable_then_is_not_rounding_now(tensors: Tensors, compare: Compare):
    code, report = compare(
        repeated(CHAIN, FUSED, tensors), repeated(FUSED, CHAIN, tensors), "--expect", "rounding"
    )
    assert {c["verdict"] for c in comparisons(report) if c["axis"] == "baseline"} == {"unstable"}
    assert code == 1


# What may differ


def test_what_may_differ_is_said_by_the_second_recording(tensors: Tensors, compare: Compare):
    def expecting(allowance: Allowance, order: str) -> RecordedCase:
        case = case_of(tensors, expect={"baseline": allowance})
        return recorded(order, tensors, case=case)

    bitwise, rounding = Allowance("bitwise"), Allowance("rounding")
    assert compare(expecting(bitwise, CHAIN), expecting(rounding, FUSED))[0] == 0
    assert compare(expecting(rounding, CHAIN), expecting(bitwise, FUSED))[0] == 1
    pair = (expecting(bitwise, CHAIN), expecting(rounding, FUSED))
    assert compare(*pair, "--expect", "bitwise")[0] == 1


def test_ulps_are_counted(tensors: Tensors, compare: Compare):
    pair = (recorded(CHAIN, tensors), recorded(FUSED, tensors))
    _, report = compare(*pair)
    most = comparisons(report)[0]["max_ulp"]
    assert most > 1
    assert compare(*pair, "--expect", f"ulps:{most}")[0] == 0
    assert compare(*pair, "--expect", f"ulps:{most - 1}")[0] == 1


def locked(order: str, tensors: Tensors, *, orders: bool = True) -> RecordedCase:
    case = replace(case_of(tensors), lock_order=True)
    return recorded(order, tensors, case=case, orders=orders)


def test_a_locked_order_is_held_from_the_files(compare: Compare):
    """In small integers all orders give the same bits, and yet another one is drift."""
    tensors = tensors_of((1, 3, 1, 2), (2, 1, 6, 1))
    for array in (tensors.filter_hwio, tensors.input_nhwc):
        array[:] = np.round(array * 3)
    assert tensors.bias is not None
    tensors.bias[:] = 1
    one, same_, other = (locked(order, tensors) for order in (CHAIN, CHAIN, PAIRS))
    code, report = compare(one, same_)
    assert (code, comparisons(report)[0]["order"]) == (0, "kept")
    code, report = compare(one, other)
    assert comparisons(report)[0]["differing"] == 0
    assert (code, comparisons(report)[0]["order"]) == (1, "changed")
    for pair in (
        (one, locked(CHAIN, tensors, orders=False)),
        (locked(CHAIN, tensors, orders=False), one),
    ):
        code, report = compare(*pair)
        assert (code, comparisons(report)[0]["order"]) == (125, "unproved")
    assert compare(one, same_, "--no-explain")[0] == 125


def test_no_explain_replays_nothing_and_explain_replays_what_is_large(tensors: Tensors):
    pair = [
        renamed(recorded(order, tensors), name)
        for order, name in ((CHAIN, "a.json"), (FUSED, "b.json"))
    ]
    for replays, proved in ((0, False), (47, False), (48, True), (float("inf"), True)):
        (case,) = compare_recordings(*pair, Asked(replays=replays)).cases
        (finding,) = case.findings
        assert (finding.why is not None and finding.why.status == "proved") == proved
        if 0 < replays < 48:
            assert "too large to replay unasked" in finding.unasked


@pytest.mark.parametrize(
    "expect",
    ["", "rounded", "ulps", "ulps:", "ulps:-1", "ulps:1.5", "ulps:1e3", "ulps:" + "9" * 19],
)
def test_what_is_no_allowance_is_bad_usage(expect: str):
    ran = convdiff("compare", "a.json", "b.json", "--expect", expect)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "bitwise|ulps:N|rounding|anything" in ran.err


def test_the_text_names_both_files_and_how_to_repeat_it(tensors: Tensors, tmp_path: Path):
    paths = [tmp_path / "there.json", tmp_path / "here.safetensors"]
    for path, order in zip(paths, (CHAIN, FUSED), strict=True):
        write_recording(path, recording(recorded(order, tensors)))
    ran = convdiff("compare", *paths, "-v")
    assert (ran.code, ran.err) == (1, "")
    assert "DRIFT  one: the bits are not those of there.json: rounding, proved" in ran.out
    assert f"again: convdiff compare {paths[0]} {paths[1]}" in ran.out
    brief = convdiff("compare", *paths).out.splitlines()
    assert "(here.safetensors) gives other bits than" in brief[0]
    assert brief[-2] == f"  again  convdiff compare {paths[0]} {paths[1]}"
    assert brief[-1] == "1 case: 1 drift (exit 1)"
    ran = convdiff("compare", *paths, "--expect", "rounding")
    assert ran.code == 0
    assert ran.out.startswith("OK one: baseline rounding")


# No wrong green, whatever is changed


Change = Callable[[RecordedCase, np.random.Generator], RecordedCase]


def one_output(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    """Change any bit of a convolution."""
    return one_bit(case, "conv2d", 1 << int(rng.integers(32)), rng)


def last_bit_of_manual(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    """Change what multiply + reduce_sum gave, as another rounding does."""
    return one_bit(case, "manual", 1, rng)


def one_bit(case: RecordedCase, op: str, bit: int, rng: np.random.Generator) -> RecordedCase:
    own = [number for number, entry in enumerate(case.entries) if entry.cell.op == op]
    if not own:
        return case
    at_ = own[rng.integers(len(own))]
    output = case.entries[at_].output.copy()
    bits = output.reshape(-1).view(np.uint32)
    bits[rng.integers(len(bits))] ^= np.uint32(bit)
    return with_entry(case, at_, replace(case.entries[at_], output=output))


def with_entry(case: RecordedCase, number: int, entry: Entry) -> RecordedCase:
    entries = [*case.entries]
    entries[number] = entry
    return replace(case, entries=tuple(entries))


def one_input(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    name = str(rng.choice(["filter_hwio", "bias", "input_nhwc"]))
    array = getattr(case.tensors, name).copy()
    bits = array.reshape(-1).view(np.uint32)
    bits[rng.integers(len(bits))] ^= np.uint32(1 << rng.integers(23))
    return replace(case, tensors=replace(case.tensors, **{name: array}))


def other_name(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    return replace(case, case=replace(case.case, name="another"))


def no_conv(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    kept = tuple(entry for entry in case.entries if entry.cell.op == "manual")
    return replace(case, entries=kept)


def other_fingerprint(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    newer = {**FINGERPRINT, "version": "3.0", "cpu_isa": ["avx512f"]}
    return replace(case, fingerprints={one: newer for one in case.fingerprints})


def fewer_probes(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    at_ = int(rng.integers(len(case.entries)))
    return with_entry(case, at_, replace(case.entries[at_], probes=None))


def another_order(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    at_ = int(rng.integers(len(case.entries)))
    entry = case.entries[at_]
    return with_entry(case, at_, replace(entry, orders=saved(entry.output, "[2 1 0 b]")))


MATTERS: tuple[Change, ...] = (one_output, one_input, other_name, no_conv)
HARMLESS: tuple[Change, ...] = (
    *(other_fingerprint, fewer_probes, another_order, last_bit_of_manual),
)


@given(
    st.lists(st.sampled_from([*MATTERS, *HARMLESS]), max_size=3, unique=True),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_green_is_for_equal_bits_of_equal_questions_and_for_nothing_else(
    changes: list[Change], seed: int, turned: bool
):
    """Whatever of a recording is changed: what matters is never green, all else always is."""
    rng = np.random.default_rng(seed)
    whole = recorded(
        CHAIN,
        tensors_of((1, 3, 1, 2), (2, 1, 6, 1)),
        lengths=(4, 6),
        batches=(1, 2),
        ops=("conv2d", "manual"),
    )
    other = whole
    for change in changes:
        other = change(other, rng)
    matters = any(change in MATTERS for change in changes)
    pair = renamed(whole, "a.json"), renamed(other, "b.json")
    result = compare_recordings(*(pair[::-1] if turned else pair), Asked(strict=True))
    assert (result.exit_code == 0) is not matters, [change.__name__ for change in changes]
    assert told(result)


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


def told(result: Result) -> bool:
    """Return whether a verdict that is not green has something to show for it."""
    if result.exit_code == 0:
        return True
    findings = [finding for case in result.cases for finding in case.findings]
    notes = [note for case in result.cases for note in case.notes]
    shown = [f for f in findings if not f.allowed or (f.verdict == "untested" and f.evidence)]
    return bool(shown or notes)


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
