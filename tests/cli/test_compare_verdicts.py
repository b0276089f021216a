"""`convdiff compare`: no verdict without what was probed then, and no proof without a replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recordings import CLEAN, recorded, saved, tensors_of
from two_recordings import (
    CHAIN,
    FUSED,
    PAIRS,
    Compare,
    compare,
    comparisons,
    tensors,
    truth,
    with_outputs,
)

from convdiff.case.arrays import Tensors
from convdiff.recording.model import RecordedCase, SavedProbes

__all__ = ["compare", "tensors"]


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
