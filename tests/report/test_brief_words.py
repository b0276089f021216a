"""The short report's words: what sides are called, what is cut, and what is said twice."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from made import (
    CELL,
    GONE,
    RUNTIMES,
    case_of,
    drifted,
    failed,
    result_of,
    same,
    summary_of,
    untested,
)
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.style import Style

from convdiff.case.axes import AXES, Axis
from convdiff.case.load import built_in_case
from convdiff.compare.comparison import Nearness
from convdiff.compare.difference import measure
from convdiff.diagnose.agreement import Agreement
from convdiff.diagnose.cause import Explanation, SideOrder
from convdiff.diagnose.evidence import Look, SideFact
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding
from convdiff.errors import Place
from convdiff.report.console.brief import print_brief
from convdiff.report.console.grid import print_grid
from convdiff.report.console.style import MARKS
from convdiff.report.console.sweep import print_brief_sweep
from convdiff.report.marks import Mark
from convdiff.result import Result


def printed(result: Result, width: int = 80) -> str:
    """Return the short report of a result."""
    out = io.StringIO()
    print_brief(Console(file=out, width=width, highlight=False), summary_of(result), quiet=False)
    return out.getvalue()


def words(result: Result) -> str:
    return " ".join(printed(result, 200).split())


def of_versions(*versions: str) -> Result:
    """Return a run of two interpreters of these versions, of which the first drifts."""
    result = result_of(case_of([drifted(), other("length"), other("runtime", "rounding")]))
    standings = [
        replace(one, fingerprint={**one.fingerprint, "version": version})
        for one, version in zip(result.standings, versions, strict=True)
    ]
    return replace(result, standings=tuple(standings))


def other(axis: str, verdict: str = "same") -> Finding:
    """Return a finding about the second runtime."""
    finding = same(axis, verdict=verdict)  # type: ignore[arg-type]
    sides = {"baseline": replace(CELL, length=9, runtime=RUNTIMES[1])}
    sides |= {"candidate": replace(CELL, length=8, runtime=RUNTIMES[1])}
    return replace(finding, comparison=replace(finding.comparison, **sides))


def recorded(length: int, **changes: object) -> Finding:
    """Return a drift from the recording old.json."""
    was = replace(RUNTIMES[0], origin="old.json")
    finding = drifted(length)
    comparison = replace(
        finding.comparison,
        axis="baseline",
        baseline=replace(CELL, length=length, runtime=was),
        **changes,  # type: ignore[arg-type]
    )
    return replace(finding, comparison=comparison)


def test_a_drift_of_one_of_two_versions_names_the_version_and_clears_the_other():
    text = words(of_versions("1.0.0", "2.21.0"))
    assert "in tensorflow 1.0.0 (#1) (" in text
    assert "no length differs in tensorflow 2.21.0 (#2)" in text


def test_a_drift_from_a_recording_says_which_version_and_at_which_lengths():
    text = words(result_of(case_of([recorded(7), recorded(8), recorded(9)])))
    assert "tensorflow 2 gives other bits than old.json at lengths 7..9, at " in text


@pytest.mark.parametrize("width", [80, 120])
def test_every_runtime_is_whole_whatever_the_others(width: int):
    lines = printed(of_versions("1.0.0", "2.21.0"), width).splitlines()
    told = [one for one in lines if "tensorflow:cpu" in one]
    assert sum(one.count("TF_X=1") for one in told) == 1
    assert any("2.21.0 [TF_X=2], 1 thread" in one for one in told)
    assert not any("…" in one for one in told)


def test_what_is_absent_has_its_reason_and_is_not_cut():
    result = result_of(case_of([drifted()]))
    lines = printed(replace(result, standings=(*result.standings, GONE))).splitlines()
    assert any(one.strip().endswith("untested: there is no GPU") for one in lines)


def near_zero(terms_ulp: float) -> Finding:
    """Return a difference of 64 ulp, at outputs that are small beside their terms."""
    a = np.full((1, 1, 2, 1), 1e-3, np.float32)
    b = a + 64 * np.spacing(a)
    difference = measure(a, b, strict=True, most=2)
    finding = drifted()
    return replace(
        finding, comparison=replace(finding.comparison, difference=difference, terms_ulp=terms_ulp)
    )


def test_ulps_near_zero_stand_beside_ulps_at_the_terms_size():
    assert "(2 of 2, ≤ 64 ulp, 1 at the terms' size)" in words(result_of(case_of([near_zero(0.7)])))


def test_what_is_no_rounding_has_no_ulps_of_terms():
    wrong = replace(near_zero(9.0), verdict="wrong")
    assert "terms" not in words(result_of(case_of([wrong])))


def test_only_convolutions_are_counted_where_they_and_convdiffs_own_sums_round():
    own, conv = near_zero(0.0), drifted(allowed=True)
    sides = {"baseline": RUNTIMES[0], "candidate": RUNTIMES[1]}
    cells = {side: replace(CELL, runtime=runtime, op="manual") for side, runtime in sides.items()}
    own = replace(own, allowed=True, comparison=replace(own.comparison, axis="runtime", **cells))
    cells = {side: replace(cell, op="conv2d") for side, cell in cells.items()}
    conv = replace(conv, comparison=replace(conv.comparison, axis="runtime", **cells))
    assert "runtime rounding, ≤ 1 ulp" in words(result_of(case_of([own, conv])))


def nearness(baseline: float, candidate: float) -> Finding:
    finding = drifted()
    found = Nearness(1.0, 1.0, baseline, candidate, 1, 0, 3)
    return replace(finding, comparison=replace(finding.comparison, nearness=found))


def test_an_error_that_both_have_is_said_once():
    text = words(result_of(case_of([nearness(7.63e-06, 7.63e-06)])))
    assert text.count("7.63e-06") == 1
    assert "no bug; nearer: length 9 at 1 of 3, length 7 at 0; both ≤ 7.63e-06 off" in text


def test_a_side_without_error_is_exact():
    assert "length 7 at 0; exact and ≤ 7.63e-06 off" in words(
        result_of(case_of([nearness(0.0, 7.63e-06)]))
    )


@pytest.mark.parametrize("width", range(60, 121, 7))
def test_no_line_ends_between_a_sign_and_its_number(width: int):
    text = printed(result_of(case_of([nearness(7.63e-06, 1.53e-05)])), width)
    assert not any(one.rstrip().endswith("≤") for one in text.splitlines())
    assert "\ue000" not in text


def test_an_infinity_has_no_ulps():
    finding = drifted()
    a = np.array([1, np.inf], np.float32).reshape(1, 1, 2, 1)
    b = np.array([2, np.nan], np.float32).reshape(1, 1, 2, 1)
    comparison = replace(finding.comparison, difference=measure(a, b, strict=True, most=2))
    lines = printed(result_of(case_of([replace(finding, comparison=comparison)]))).splitlines()
    assert next(one.split()[-1] for one in lines if " nan" in one) == "—"


def test_untested_says_how_much_could_be_compared_and_how_that_stands():
    text = words(result_of(case_of([same(), untested()], failures=(failed(),))))
    assert "1 of 2 comparisons could not be made; the others: length bitwise equal" in text


def test_what_is_absent_is_said_once_with_what_to_do():
    result = replace(result_of(case_of([])), standings=(GONE,))
    text = words(result)
    assert text.count("there is no GPU") == 1
    assert "convdiff doctor" in text


def test_what_to_accept_stands_where_it_is_to_be_written():
    case = case_of([drifted()], suggested_expect={"length": built_in_case().expect["reference"]})
    places = {**case.case.places, "expect.length": Place("made.yaml", 15, 1)}
    case = replace(case, case=replace(case.case, places=places))
    assert "at made.yaml:15" in words(result_of(case))


def test_a_sweep_sums_convdiffs_own_sums_up_in_a_line():
    rows = []
    for length in (5, 6, 7):
        for op in ("conv2d", "manual"):
            finding = drifted(length, allowed=True)
            cell = replace(CELL, length=length, op=op)
            sides = {"baseline": cell, "candidate": replace(cell, runtime=RUNTIMES[1])}
            comparison = replace(finding.comparison, axis="runtime", **sides)
            rows.append(replace(finding, comparison=comparison))
    out = io.StringIO()
    print_brief_sweep(Console(file=out, width=80), summary_of(result_of(case_of(rows))))
    assert "runtime, of multiply + reduce_sum itself: 3 rounding" in out.getvalue()
    assert "manual" not in out.getvalue()


def test_a_runtimes_brackets_are_no_markup_of_the_grid():
    runtimes = tuple(
        replace(one, interpreter=replace(one.interpreter, label=label, settings=()))
        for one, label in zip(RUNTIMES, ("old", "new"), strict=True)
    )
    agreement = Agreement(runtimes, ((None, None), (None, None)), ())
    out = io.StringIO()
    print_grid(Console(file=out, width=80), agreement)
    assert "tensorflow:cpu[python=old]" in out.getvalue()


def test_only_labels_and_notations_are_bold():
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system="256")
    finding = replace(drifted(), fits="shifted")
    case = case_of([finding], suggested_expect={"length": built_in_case().expect["reference"]})
    print_brief(console, summary_of(result_of(case)), quiet=False)
    lines = out.getvalue().splitlines()
    for name in ("accept", "more"):
        label, text = next(one for one in lines if f"  {name}" in one).split("\x1b[0m", 1)
        assert label.startswith("\x1b[1m")
        assert "\x1b[1" not in text
    legend = next(one for one in lines if "colours" in one)
    assert legend.count("\x1b[2m") == 1  # what is dim shows another colour than the numbers have
    assert "\x1b[2;" not in legend


def test_a_line_that_is_cut_ends_after_a_clause():
    rows = [nearness(7.63e-06, 1.53e-05) for _ in range(2)]
    result = result_of(*(case_of([one], name=f"case {n}") for n, one in enumerate(rows)))
    right = [one for one in printed(result, 72).splitlines() if one.startswith("  right")]
    assert [one.endswith("length 7 at 0; …") for one in right] == [True, True]


def test_untested_of_nothing_says_so():
    text = words(result_of(case_of([untested()], failures=(failed(),))))
    assert "none of 1 comparison could be made" in text
    assert "length: untested" not in text


def test_a_length_that_is_unsafe_is_equal_on_this_input_alone():
    safe = SafeLengths(RUNTIMES[0].id, 9, (9,), (7, 8), (), (), 16)
    text = words(result_of(case_of([drifted(), same()], safe_lengths=(safe,))))
    assert "ok length 8 = length 9 on this input alone" in text
    assert "no other length that was run is safe" in text


def test_a_length_that_is_unsafe_in_another_runtime_is_equal_in_this_one():
    other = SafeLengths(RUNTIMES[1].id, 9, (9,), (7, 8), (), (), 16)
    here = replace(other, runtime=RUNTIMES[0].id, lengths=(8, 9), unsafe=(7,))
    text = words(result_of(case_of([drifted(), same()], safe_lengths=(here, other))))
    assert "ok length 8 = length 9 " in text
    assert "on this input alone" not in text


def test_unsafe_lengths_name_their_runtime_where_others_have_other_ones():
    here = SafeLengths(RUNTIMES[0].id, 9, (8, 9), (7,), (), (), 16)
    other = replace(here, runtime=RUNTIMES[1].id, lengths=(7, 9), unsafe=(8,))
    text = words(result_of(case_of([same()], safe_lengths=(here, other))))
    assert f"length 7 in {RUNTIMES[0].id}; length 8 in {RUNTIMES[1].id}" in text
    assert "safe in TF_X=1 (#1): 8: bit-identical to T=9" in text
    assert "safe in TF_X=2 (#2): 7: bit-identical to T=9" in text
    alike = replace(here, runtime=RUNTIMES[1].id)
    text = words(result_of(case_of([same()], safe_lengths=(here, alike))))
    assert "(length 7)" in text


def test_a_sweep_does_not_sum_up_what_the_answer_says():
    out = io.StringIO()
    reference = same("reference")
    rows = [drifted(), replace(reference, verdict="rounding"), drifted(5)]
    print_brief_sweep(Console(file=out, width=80), summary_of(result_of(case_of(rows))))
    assert "length, against" in out.getvalue()
    assert out.getvalue().count("reference") == 1


def ordered(verdict: str) -> Finding:
    """Return a drift with an order that was proved."""
    order = SideOrder("baseline", 1, "[0 1]", "from the left", 0)
    why = Explanation("proved", {}, 0, {"baseline": (1, 1)}, (order,), None, ())
    return drifted(verdict=verdict, why=why)


@pytest.mark.parametrize("verdict", ["rounding", "precision"])
def test_more_is_one_line_of_80_columns_and_says_where_the_notation_is_told(verdict: str):
    text = printed(result_of(case_of([ordered(verdict)])), 80)
    (more,) = (one for one in text.splitlines() if one.startswith("  more"))
    assert more.endswith(f" · convdiff rule {verdict} · convdiff rule notation")
    assert "notation" not in printed(result_of(case_of([drifted()])), 80)


def test_a_broken_lock_is_told_beside_the_bits_with_its_rule():
    text = words(result_of(case_of([replace(recorded(7), lock="changed")])))
    assert "ulp); the order is locked and changed" in text
    assert "convdiff rule order-locked" in text
    kept = words(result_of(case_of([replace(recorded(7), lock="kept")])))
    assert "locked" not in kept


@pytest.mark.parametrize("width", [80, 200])
def test_a_case_that_is_ok_has_its_runtime_in_its_line_or_below(width: int):
    finding = same(evidence=("of a long story",))
    case = case_of([finding, other("reference", "rounding")], runtimes=RUNTIMES[:1])
    result = replace(result_of(case), standings=(*result_of().standings[:1], GONE))
    first, *rest, last = printed(result, width).splitlines()
    assert ("tensorflow:cpu 2 [TF_X=1], 1 thread" in first) == (width == 200)
    assert rest == ["  tensorflow:cpu 2 [TF_X=1], 1 thread"] * (width == 80)
    assert last == "1 case: 1 ok (exit 0); untested: tensorflow:gpu"


DIFFERING = [axis for axis in AXES if axis not in ("reference", "exact")]


@pytest.mark.parametrize("axis", DIFFERING)
@pytest.mark.parametrize("cases", [1, 2])
@pytest.mark.parametrize("name", ["short", "of a name that is as long as a line is " * 2])
def test_what_is_ok_never_loses_an_axis_that_differs(axis: Axis, cases: int, name: str):
    finding = drifted(allowed=True)
    differing = replace(finding, comparison=replace(finding.comparison, axis=axis))
    equal = [same(one) for one in DIFFERING if one != axis]
    case = case_of([*equal, differing, other("reference", "rounding")], name=name)
    for width in (60, 80, 120):
        text = " ".join(printed(result_of(*[case] * cases), width).split())
        assert text.count(f"{axis} rounding, ≤ 1 ulp") == cases


def test_what_differs_stands_before_what_is_equal_and_the_reference_last():
    finding = drifted(allowed=True)
    runtime = replace(finding, comparison=replace(finding.comparison, axis="runtime"))
    text = words(result_of(case_of([same(), runtime, other("reference", "rounding")])))
    order = ("runtime rounding", "length bitwise equal", "reference rounding")
    assert sorted(order, key=text.index) == list(order)


def test_an_absent_runtime_of_cases_that_are_ok_is_named_once_and_a_required_one_is_elsewhere():
    result = result_of(case_of([same()]), case_of([same()]))
    result = replace(result, standings=(*result.standings, GONE))
    assert printed(result).splitlines()[-1] == "2 cases: 2 ok (exit 0); untested: tensorflow:gpu"
    required = printed(replace(result, missing_required=(GONE,)))
    assert required.splitlines()[-1] == "2 cases: 2 ok (exit 125)"
    assert required.count("tensorflow:gpu") == 1


@pytest.mark.parametrize("fits", ["shifted", "the dilation is ignored"])
def test_what_it_looks_like_is_said_once(fits: str):
    finding = drifted(
        verdict="wrong", fits=fits, evidence=(SideFact("candidate", "off"), Look(fits))
    )
    text = words(result_of(case_of([finding])))
    assert text.count(fits) == 1
    assert "why length 7: off" in text


def test_what_rests_on_its_looks_alone_has_no_empty_why():
    finding = drifted(verdict="wrong", fits="shifted", evidence=(Look("shifted"),))
    lines = printed(result_of(case_of([finding]))).splitlines()
    assert not any(one.startswith("  why") for one in lines)


def contrast(one: float, other: float) -> float:
    """Return WCAG 2's contrast of two luminances."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def luminance(colour: Color) -> float:
    """Return WCAG 2's relative luminance of a colour."""
    parts = [part / 255 for part in colour.get_truecolor()]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mark", MARKS)
def test_every_colour_can_be_read_on_black_and_on_white(mark: Mark):
    colour = Style.parse(MARKS[mark]).color
    if colour is not None:
        assert contrast(luminance(colour), 0) > 3.9 < contrast(luminance(colour), 1)


def test_the_verdict_of_the_first_line_has_its_own_colour():
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system="256")
    print_brief(console, summary_of(result_of(case_of([drifted()]))), quiet=True)
    grave, calm = (Style.parse(MARKS[mark]) for mark in ("grave", "calm"))
    assert out.getvalue().startswith(grave.render("DRIFT", color_system=ColorSystem.EIGHT_BIT))
    assert (calm + Style(bold=True)).render(
        "[rounding]", color_system=ColorSystem.EIGHT_BIT
    ) in out.getvalue()


def ulps_at(place: int, elements: int) -> Finding:
    """Return a drift whose most ulps, of the least |Δ|, are at one place."""
    a = np.full((1, 1, elements, 1), 100, np.float32)
    b = a + np.float32(3) * np.spacing(a)
    a[0, 0, place] = 1e-3
    b[0, 0, place] = a[0, 0, place] + np.float32(90) * np.spacing(a[0, 0, place])
    finding = drifted()
    kept = measure(a, b, strict=True, most=10)
    return replace(finding, comparison=replace(finding.comparison, difference=kept, exact=None))


@pytest.mark.parametrize("place", [0, 7, 29])
@pytest.mark.parametrize("cases", [1, 2])
def test_the_element_with_the_ulps_of_the_answer_is_among_those_shown(place: int, cases: int):
    text = printed(result_of(*[case_of([ulps_at(place, 30)])] * cases))
    shown = [one.split() for one in text.splitlines()]
    assert sum(one[:1] == [str(place)] and one[-1] == "90" for one in shown) == cases, text


def test_ulps_of_another_length_are_told_apart_from_those_shown():
    most = ulps_at(0, 3)
    other_length = replace(CELL, length=8)
    comparison = replace(most.comparison, candidate=other_length)
    text = words(result_of(case_of([drifted(), replace(most, comparison=comparison)])))
    assert "≤ 90 ulp)" in text and "elsewhere" not in text
    least = replace(drifted(elements=3), verdict="wrong")
    text = words(result_of(case_of([least, replace(most, comparison=comparison)])))
    assert "(3 of 4, ≤ 1 ulp; elsewhere ≤ 90 ulp)" in text


@pytest.mark.parametrize("axis", ["runtime", "threads", "device"])
def test_a_drift_between_runtimes_says_at_which_lengths(axis: Axis):
    cell = replace(CELL, runtime=RUNTIMES[1])
    rows = []
    for length in (7, 8):
        sides = {
            "baseline": replace(CELL, length=length),
            "candidate": replace(cell, length=length),
        }
        finding = drifted()
        rows.append(replace(finding, comparison=replace(finding.comparison, axis=axis, **sides)))
    assert "TF_X=1 (#1) at length 7 (3 of 4" in words(result_of(case_of(rows[:1])))
    assert "TF_X=1 (#1) at lengths 7, 8, at 7 (3 of 4" in words(result_of(case_of(rows)))


@pytest.mark.parametrize("cases", [1, 2])
def test_a_command_that_is_tried_is_never_broken_and_stands_alone(cases: int):
    made = [case_of([drifted()], name=f"case {'long ' * 20}{n}") for n in range(cases)]
    lines = printed(result_of(*made), 60).splitlines()
    for label, command in (("try", "cure"), ("report", "shrink")):
        told = [one for one in lines if one.startswith(f"  {label} ")]
        assert all(one.split()[1:3] == ["convdiff", command] for one in told)
        assert all("·" not in one and len(one) > 100 for one in told)
        assert len(told) == (cases if command == "cure" else cases % 2)
