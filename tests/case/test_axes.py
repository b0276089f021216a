"""The table of axes: whole, and enough to make every sentence that a report needs."""

from __future__ import annotations

import string
from typing import get_args

import pytest

from convdiff.case.axes import AXES, Axis
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Interpreter, Runtime

CELL = Cell(Runtime(Interpreter("numpy", "python"), "cpu"), "manual", 7, 2, repeat=3)


def test_every_axis_has_a_row():
    assert tuple(AXES) == get_args(Axis)


@pytest.mark.parametrize("axis", AXES)
def test_a_sentence_needs_no_more_than_its_axis_knows(axis: Axis):
    facts = AXES[axis]
    known = {"baseline", "candidate", "op"} | ({"values", "value"} if facts.value else set())
    needed = {name for _, name, _, _ in string.Formatter().parse(facts.drift) if name}
    assert needed <= known


def test_sides_are_named_by_what_tells_them_apart():
    names = {axis: facts.side(CELL) for axis, facts in AXES.items() if facts.side}
    ops = {"reference": "manual", "exact": "manual", "clean": "given"}
    assert names == {
        "length": "T=7",
        "batch": "batch 2",
        "channels": "all filters",
        "repeat": "run 4",
        **ops,
    }


def test_runtimes_tell_the_sides_apart_only_where_nothing_else_does():
    assert not any(facts.side for facts in AXES.values() if facts.between_runtimes)
