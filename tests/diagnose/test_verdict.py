"""Each verdict of the table, reached by its evidence and not without it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fake_lab import FakeLab
from findings import CELL, OTHER, case_of, compared, judged, tensors
from kernels import direct

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.examine import behaviour_of
from convdiff.case.model import Allowance
from convdiff.compare.comparison import Comparison
from convdiff.compare.difference import Difference
from convdiff.compare.reference import Overflows
from convdiff.diagnose.diagnose import behaviours, diagnose
from convdiff.diagnose.evidence import Look
from convdiff.diagnose.verdict import Finding, judge, largest_ulp, outcome_of
from convdiff.diagnose.verdicts import permits
from convdiff.plan.cell import Cell, Failure
from convdiff.worker.ops.convolution import Convolution

SOME = Difference(100, 7, 1e-6, 2, (0, 0, 0, 0))
NONE = Difference(100, 0)
APPEARED = Difference(100, 7, float("inf"), 0, (0, 0, 0, 0), appeared=3)
CLEAN, DIRTY = Traits(), Traits(integer_error="off by 3")


def comparison(difference: Difference | None = SOME, **more) -> Comparison:
    return Comparison("length", CELL, OTHER, difference, **more)


def verdict(
    comparison: Comparison,
    baseline: Traits | None = CLEAN,
    candidate: Traits | None = CLEAN,
    unstable: bool = False,
    fits: str | None = None,
) -> str:
    return judge(comparison, baseline, candidate, unstable, Look(fits) if fits else None)[0]


def test_untested_is_a_missing_side_with_its_reason():
    missing = comparison(None, reason="worker killed by SIGKILL")
    assert judge(missing, CLEAN, CLEAN, False, None) == ("untested", ("worker killed by SIGKILL",))


def test_same_is_equal_bits_whatever_the_probes_say():
    assert judge(comparison(NONE), CLEAN, CLEAN, False, None) == ("same", ())
    assert verdict(comparison(NONE), DIRTY, DIRTY) == "same"
    assert verdict(comparison(SOME)) != "same"


def test_equal_bits_of_a_sample_are_not_the_same_where_probes_found_an_error():
    sample = comparison(NONE, sampled_of=1000)
    assert verdict(sample) == "same"
    assert verdict(sample, CLEAN, DIRTY) == verdict(sample, DIRTY, CLEAN) == "wrong"
    assert verdict(sample, CLEAN, Traits(narrowed="weights keep 10 bits")) == "same"


def test_mistrusted_is_equal_constants_only():
    assert verdict(comparison(NONE, constant="all zero")) == "mistrusted"
    assert verdict(comparison(SOME, constant="all zero")) != "mistrusted"


def test_rounding_needs_clean_probes_or_the_screen():
    assert verdict(comparison(screen_ratio=0.5)) == "rounding"
    assert verdict(comparison(screen_ratio=20.0, bound_ratio=0.9)) == "rounding"
    assert verdict(comparison(screen_ratio=0.5), None, None) == "rounding"


@pytest.mark.parametrize(
    "traits",
    [Traits(narrowed="7 bits"), Traits(transform="leaks"), DIRTY, Traits(shape_error="too small")],
    ids=["narrowed", "transform", "integers", "shape"],
)
def test_one_unclean_side_is_no_rounding(traits: Traits):
    expected = "precision" if traits.narrowed else "transform" if traits.transform else "wrong"
    assert verdict(comparison(), traits, CLEAN) == expected
    assert verdict(comparison(), CLEAN, traits) == expected
    assert verdict(comparison(), None, traits) == expected


def test_unstable_is_a_repeat_that_differs_or_a_cell_that_did():
    repeat = replace(comparison(), axis="repeat")
    assert verdict(repeat) == "unstable"
    assert verdict(replace(repeat, difference=NONE)) == "same"
    assert verdict(comparison(), unstable=True) == "unstable"
    assert verdict(comparison(NONE), unstable=True) == "same"


@pytest.mark.parametrize(
    ("made", "fits"),
    [
        (comparison(None, reason="gave shape (1,)", mismatch=True), None),
        (comparison(APPEARED), None),
        (comparison(bound_ratio=1.5), None),
        (comparison(screen_ratio=3.0), "the filter is flipped"),
    ],
    ids=["shape", "NaN", "bound", "fits"],
)
def test_wrong_by_the_numbers_alone(made: Comparison, fits: str | None):
    assert verdict(made, None, None, fits=fits) == "wrong"


def test_what_fits_is_told():
    said = judge(comparison(), DIRTY, CLEAN, False, Look("the bias is missing"))[1]
    assert any("the bias is missing" in evidence for evidence in map(str, said))
    assert any("baseline" in evidence for evidence in map(str, said))


def test_infinity_that_a_legal_order_can_give_is_not_wrong():
    assert verdict(comparison(APPEARED, overflows=Overflows(direct=True))) == "rounding"


GRAVITY = ("shape_error", "integer_error", "transform", "narrowed")


@pytest.mark.parametrize("pair", list(itertools.combinations(GRAVITY, 2)), ids=str)
def test_the_graver_of_two_traits_decides(pair: tuple[str, str]):
    graver, lesser = (Traits(**{name: "seen"}) for name in pair)
    expected = verdict(comparison(), graver, CLEAN)
    assert verdict(comparison(), lesser, graver) == expected
    assert verdict(comparison(), graver, lesser) == expected
    assert verdict(comparison(), Traits(**dict.fromkeys(pair, "seen")), CLEAN) == expected


VERDICTS = ("rounding", "precision", "transform", "unstable", "wrong")


def test_what_was_not_compared_is_no_drift_and_what_is_equal_none_either():
    for kind, found in itertools.product(
        ("bitwise", "ulps", "rounding", "anything"), ("same", "mistrusted", "untested")
    ):
        assert permits(Allowance(kind), found, 0)


@pytest.mark.parametrize("found", VERDICTS)
def test_bitwise_allows_no_difference_and_anything_allows_all(found: str):
    assert not permits(Allowance("bitwise"), found, 1)
    assert permits(Allowance("anything"), found, 10**9)


@pytest.mark.parametrize("found", VERDICTS)
def test_only_rounding_is_ever_allowed_as_rounding_or_ulps(found: str):
    rounding = found == "rounding"
    assert permits(Allowance("rounding"), found, 10**9) == rounding
    assert permits(Allowance("ulps", 3), found, 3) == rounding
    assert not permits(Allowance("ulps", 3), found, 4)


def test_infinity_is_within_no_number_of_ulps():
    assert APPEARED.max_ulp == 0
    assert not permits(Allowance("ulps", 10**9), "rounding", largest_ulp(comparison(APPEARED)))
    assert permits(Allowance("ulps", 2), "rounding", largest_ulp(comparison(SOME)))


def finding(found: str, allowed: bool = True) -> Finding:
    return Finding(comparison(), found, allowed)


def outcome(*findings: Finding, failed: Sequence[Cell] = ()) -> str:
    return outcome_of(findings, [Failure(cell, "refused", died=False) for cell in failed])


def test_nothing_compared_is_never_green():
    assert outcome() == "untested"
    assert outcome(finding("untested")) == "untested"
    assert outcome(finding("untested"), finding("mistrusted")) == "untested"


def test_the_reference_compared_with_itself_is_never_green():
    manual = [replace(cell, op="manual") for cell in (CELL, OTHER)]
    alone = replace(comparison(), baseline=manual[0], candidate=manual[1])
    assert outcome(Finding(alone, "same", True)) == "untested"


def test_a_convolution_without_bits_is_never_green():
    assert outcome(finding("same"), failed=[CELL]) == "untested"
    assert outcome(finding("same"), failed=[replace(CELL, op="manual")]) == "ok"
    assert outcome(finding("rounding", False), failed=[CELL]) == "drift"


def test_one_drift_is_drift_whatever_else_there_is():
    assert outcome(finding("same"), finding("untested"), finding("rounding", False)) == "drift"


def test_what_was_compared_and_allowed_is_green():
    assert outcome(finding("same"), finding("untested")) == "ok"


def test_a_cell_that_is_unstable_is_not_probed_and_makes_its_comparisons_unstable():
    conv = Convolution((1, 3), 1, 1)
    data = tensors(conv, (1, 1, 9, 1), 3, bias=False)
    first, second = direct(conv, data), direct(conv, data) * np.float32(1 + 2**-20)
    again = replace(
        compared(conv, data, first, second, "repeat"), candidate=replace(CELL, repeat=1)
    )
    length = compared(conv, data, first, second, "length")
    probed = []

    def measure(cell, probes):
        probed.append(cell)
        return [direct(conv, probe) for probe in probes]

    case = case_of(conv, data)
    lab = FakeLab(data, lambda cell, cut: first, lambda cell: behaviour_of(case, cell, measure))
    comparisons = [again, length]
    found = diagnose(case, comparisons, behaviours(case, comparisons, lab), lab)
    assert [finding.verdict for finding in found] == ["unstable", "unstable"]
    assert again.baseline not in probed


HALF = Convolution((1, 5), 1, 1, dtype="float16")


def half_data(scale: float):
    data = tensors(HALF, (1, 1, 9, 1), 3, bias=False)
    return replace(
        data,
        filter_hwio=(
            0 * data.filter_hwio
            + np.float16(scale) * np.array([1, 1, -1, -1, 1])[None, :, None, None]
        ).astype(np.float16),
        input_nhwc=np.full((1, 1, 9, 1), 200, np.float16),
    )


def backwards(conv, data):
    from kernels import add_up

    return add_up(conv, data, [2, 0, 3, 1, 4])


def test_an_overflow_that_a_legal_order_can_give_is_rounding():
    """200·200 + 200·200 overflows fp16 on the way; taken in turns, it does not."""
    found = judged(HALF, half_data(200), direct, backwards)
    assert found.comparison.difference is not None
    assert found.comparison.difference.appeared == 5
    assert found.verdict == "rounding"
    assert any("overflow" in said for said in map(str, found.evidence))


def test_an_overflow_is_no_difference_of_some_ulps():
    found = judged(HALF, half_data(200), direct, backwards, device=Allowance("ulps", 9))
    assert (found.verdict, found.allowed) == ("rounding", False)


def test_nan_out_of_nowhere_is_wrong():
    def broken(conv, data):
        y = direct(conv, data)
        y[0, 0, 2, 0] = np.nan
        return y

    found = judged(HALF, half_data(2), direct, broken)
    assert (found.verdict, found.allowed) == ("wrong", False)


def test_infinity_where_no_order_overflows_is_wrong():
    data = half_data(2)
    right = direct(HALF, data)
    wrong = right.copy()
    wrong[0, 0, 1, 0] = np.inf
    made = compared(HALF, data, right, wrong)
    assert judge(made, None, None, False, None)[0] == "wrong"


def test_outputs_of_another_shape_are_wrong():
    data = half_data(2)
    made = compared(HALF, data, direct(HALF, data), direct(HALF, data)[:, :, :4])
    found, said = judge(made, None, None, False, None)
    assert found == "wrong"
    assert "(1, 1, 4, 1)" in said[0]
