"""The short report of any mixture of axes: what drifts is told as drift, and never under `ok`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import CELL, RUNTIMES, case_of, drifted, result_of, same, summary_of

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding
from convdiff.plan.cell import EXACT, Cell
from convdiff.report.brief import Brief, brief_of

NOW = replace(CELL, length=9)
OLD = replace(RUNTIMES[0], origin="old.json")
SIDES: Mapping[Axis, tuple[Cell, Cell]] = {
    "length": (NOW, CELL),
    "batch": (replace(NOW, batch=2), NOW),
    "channels": (NOW, replace(NOW, channels=4)),
    "threads": (NOW, replace(NOW, runtime=RUNTIMES[1])),
    "repeat": (NOW, replace(NOW, repeat=1)),
    "baseline": (replace(NOW, runtime=OLD), NOW),
    "device": (NOW, replace(NOW, runtime=RUNTIMES[1])),
    "runtime": (NOW, replace(NOW, runtime=RUNTIMES[1])),
    "reference": (replace(NOW, op="manual"), NOW),
    "exact": (replace(NOW, op=EXACT), NOW),
    "clean": (replace(NOW, trial=-1), NOW),
}
"""Baseline and candidate of a comparison along each axis."""
OTHER = replace(CELL, runtime=RUNTIMES[1])
PAIRS = list(permutations(AXES, 2))
UNSAFE = SafeLengths(RUNTIMES[0].id, 9, (8, 9), (7,), (8,), (), 16)


def _named(value: object) -> str:
    return " and ".join(value) if isinstance(value, tuple) else str(value)


def along(axis: Axis, finding: Finding, **changes: object) -> Finding:
    """Return a finding as one along another axis."""
    baseline, candidate = SIDES[axis]
    sides = {"baseline": baseline, "candidate": candidate}
    comparison = replace(finding.comparison, axis=axis, **sides)
    return replace(finding, comparison=comparison, **changes)  # type: ignore[arg-type]


def brief(findings: Sequence[Finding], *, alone: bool = True, **changes: object) -> Brief:
    summary = summary_of(result_of(case_of(findings, **changes)))
    return brief_of(summary.cases[0], alone=alone)


def said(made: Brief, label: str) -> str:
    return " | ".join(one.text for one in made.lines if one.label.text.strip() == label)


def is_told(axis: Axis, made: Brief) -> bool:
    """Return whether a report says of an axis that it drifts."""
    told = f"{made.sentence} {said(made, 'also')}"
    return AXES[axis].noun in told or _sentence(axis) in told


def _sentence(axis: Axis) -> str:
    """Return the end of the sentence by which the answer tells of an axis."""
    value, baseline = AXES[axis].value, SIDES[axis][0]
    if axis == "channels":
        return "other bits than all of them"
    if value is not None:
        return f"other bits than {axis} {value(baseline)}"
    words = {"baseline": "than old.json", "exact": "off the exact result", "repeat": "than run 1"}
    named = {"op": "conv2d", "baseline": "TF_X=1 (#1)", "candidate": "TF_X=2 (#2)"}
    return words.get(axis, AXES[axis].brief.format(**named))


@pytest.mark.parametrize(("worst", "other"), PAIRS, ids=_named)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among"])
def test_each_of_two_axes_that_drift_is_told_and_neither_is_ok(
    worst: Axis, other: Axis, alone: bool
):
    findings = [along(worst, drifted(elements=4)), along(other, drifted())]
    made = brief([*findings, along(other, same())], alone=alone)
    assert is_told(worst, made) and is_told(other, made)
    assert said(made, "also")
    assert not re.search(rf"\b({worst}|{other})\b[^;]*bitwise equal", said(made, "ok"))


states = st.sampled_from(["drift", "rounding", "same", "untested", "absent"])
MADE = {
    "drift": lambda axis: along(axis, drifted()),
    "rounding": lambda axis: along(axis, drifted(), allowed=True),
    "same": lambda axis: along(axis, same()),
    "untested": lambda axis: along(axis, same(), verdict="untested"),
}


@pytest.mark.slow
@given(st.fixed_dictionaries({axis: st.lists(states, max_size=3) for axis in AXES}))
def test_ok_holds_what_was_compared_and_does_not_drift(axes: dict[Axis, list[str]]):
    findings = [MADE[one](axis) for axis, ones in axes.items() for one in ones if one in MADE]
    if not any("drift" in ones for ones in axes.values()):
        return
    made = brief(findings)
    told, ok = made.sentence + said(made, "also"), said(made, "ok")
    equal = re.findall(r"(?:^|; )([a-z, ]+) bitwise equal", ok)
    named = {axis for group in equal for axis in group.split(", ")}
    for axis, ones in axes.items():
        assert ("drift" in ones) <= (axis not in named), (axis, told, ok)
        assert ("drift" in ones) <= (f"{axis} rounding" not in ok)
        if set(ones) <= {"untested", "absent"}:
            assert axis not in named and f"{axis} " not in ok
    drifting = {axis for axis, ones in axes.items() if "drift" in ones}
    assert len([one for one in made.lines if one.label.text == "  also"]) == len(drifting) - 1


def test_a_length_that_differs_in_one_batch_is_not_equal_for_another():
    sizes = [replace(cell, batch=2) for cell in SIDES["length"]]
    equal = same()
    comparison = replace(equal.comparison, baseline=sizes[0], candidate=sizes[1])
    ok = said(brief([drifted(), replace(equal, comparison=comparison)]), "ok")
    assert "length 7" not in ok


@pytest.mark.parametrize("axes", [*PAIRS, *((axis,) for axis in AXES)], ids=_named)
def test_padding_is_advised_where_the_length_drifts_and_says_what_it_does_not_mend(
    axes: tuple[Axis, ...],
):
    made = brief([along(axis, drifted()) for axis in axes], safe_lengths=(UNSAFE,))
    assert ("pad to length 8" in said(made, "fix")) == ("length" in axes)
    for axis in axes:
        mended = axis == "length" or "length" not in axes
        assert (f"no help against {AXES[axis].noun}" in said(made, "fix")) != mended


def test_padding_names_the_runtime_where_lengths_drift_in_several():
    here, there = drifted(), drifted()
    sides = {"baseline": replace(NOW, runtime=RUNTIMES[1]), "candidate": OTHER}
    there = replace(there, comparison=replace(there.comparison, **sides))
    safe = (UNSAFE, replace(UNSAFE, runtime=RUNTIMES[1].id))
    both = said(brief([here, there], safe_lengths=safe), "fix")
    assert "in TF_X=1 (#1) pad to" in both and "in TF_X=2 (#2) pad to" in both
    one = said(brief([here], safe_lengths=safe), "fix")
    assert one.count("pad to") == 1 and "#" not in one
    unlike = replace(UNSAFE, runtime=RUNTIMES[1].id, lengths=(7, 9), unsafe=(8,))
    one = said(brief([here], safe_lengths=(UNSAFE, unlike)), "fix")
    assert one.count("pad to") == 1 and "in TF_X=1 (#1) pad to" in one
