"""Sums of a 16-bit format that are not equally wide on both sides, and who is held to that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from findings import CELL, OTHER

from convdiff.behaviour.behaviour import Behaviour, Traits
from convdiff.compare.comparison import Comparison
from convdiff.compare.difference import Difference
from convdiff.diagnose.sums import by_sums
from convdiff.recording.model import SavedProbes
from convdiff.recording.saved import restored_probes, saved_probes

NARROW = Behaviour(Traits(), None, "own format")
WIDE = Behaviour(Traits(), None, "wider format")
UNASKED = Behaviour(Traits())
SOME = Comparison("runtime", CELL, OTHER, Difference(100, 7, 1e-6, 2, (0, 0, 0, 0)))
MANUAL = replace(CELL, op="manual")


def test_both_widths_are_said_where_they_differ():
    ruling = by_sums(SOME, NARROW, WIDE, "float16")
    assert ruling is not None
    assert ruling[0] == "precision"
    assert [str(fact) for fact in ruling[1]] == [
        "baseline: sums in float16",
        "candidate: sums in a wider format than float16",
    ]


@pytest.mark.parametrize(
    "pair", [(NARROW, NARROW), (WIDE, WIDE), (NARROW, UNASKED), (UNASKED, WIDE)]
)
def test_equal_or_unknown_widths_say_nothing(pair):
    assert by_sums(SOME, *pair, "float16") is None


def test_multiply_and_reduce_sum_is_no_patient():
    """That its own sums are the narrower ones is no fault of a convolution."""
    reference = replace(SOME, axis="reference", baseline=MANUAL)
    assert by_sums(reference, NARROW, WIDE, "float16") is None
    assert by_sums(reference, WIDE, NARROW, "float16") is not None


@pytest.mark.parametrize("found", [NARROW, WIDE, UNASKED])
def test_a_recording_keeps_how_wide_sums_are(found: Behaviour):
    assert restored_probes(saved_probes(found)) == found


def test_another_word_in_a_recording_is_passed_over():
    assert restored_probes(SavedProbes({"sums": "in fp8"})) == UNASKED


def test_a_recording_of_before_says_nothing_of_sums():
    assert saved_probes(UNASKED) == SavedProbes({})
