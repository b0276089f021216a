"""`convdiff compare`: what may differ, by the case and by the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from program import convdiff
from recordings import case_of, recorded, recording, tensors_of
from two_recordings import (
    CHAIN,
    FUSED,
    PAIRS,
    Compare,
    compare,
    comparisons,
    renamed,
    tensors,
    with_manual,
)

from convdiff.case.arrays import Tensors
from convdiff.case.model import Allowance
from convdiff.comparing import Asked, compare_recordings
from convdiff.recording.files import write_recording
from convdiff.recording.model import RecordedCase

__all__ = ["compare", "tensors"]


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
