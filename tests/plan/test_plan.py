"""From a case to its cells: baselines first, and every comparison along one axis alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.device import Device
from convdiff.case.load import built_in_case
from convdiff.case.model import Case
from convdiff.case.override import vary
from convdiff.plan.cell import CLEAN, Cell
from convdiff.plan.expand import REFERENCE_LENGTHS, Plan, expand
from convdiff.plan.trials import MOST_TRIALS, TRIAL_CELLS, most_trials, trial_cell
from convdiff.runtime.model import Interpreter, Runtime

pytestmark = pytest.mark.slow


def case_of(lengths: tuple[int, ...], batches: tuple[int, ...] = (1,), repeat: int = 1) -> Case:
    return replace(vary(built_in_case(), lengths, batches), repeat=repeat)


def runtimes_of(
    devices: list[str], threads: list[int | None], settings: list[str], pythons: list[str]
) -> list[Runtime]:
    return [
        Runtime(Interpreter("tensorflow", python, count, (("NAME", value),)), Device.parse(device))
        for python in pythons
        for value in settings
        for count in threads
        for device in devices
    ]


def some(values: list, most: int = 3) -> st.SearchStrategy[list]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    case = case_of(
        tuple(sorted(draw(st.sets(st.integers(5, 40), min_size=1, max_size=6)))),
        tuple(sorted(draw(st.sets(st.integers(1, 8), min_size=1, max_size=3)))),
        draw(st.integers(1, 3)),
    )
    runtimes = runtimes_of(
        draw(some(["cpu", "gpu:0", "gpu:1"])),
        draw(some([None, 1, 2])),
        draw(some(["a", "b"])),
        draw(some(["one", "other"])),
    )
    return expand(case, runtimes)


def coordinates(cell: Cell) -> dict[str, object]:
    inner = cell.runtime.interpreter
    return {
        "length": cell.length,
        "batch": cell.batch,
        "threads": inner.threads,
        "repeat": cell.repeat,
        "device": cell.runtime.device,
        "runtime": (inner.python, inner.settings),
        "reference": cell.op,
        "trial": cell.trial,
    }


@given(plans())
def test_a_comparison_is_along_its_axis_and_no_other(plan: Plan):
    for pair in plan.pairs:
        baseline, candidate = coordinates(pair.baseline), coordinates(pair.candidate)
        differing = [name for name in baseline if baseline[name] != candidate[name]]
        assert differing == ["reference" if pair.axis == "exact" else pair.axis]


@given(plans())
def test_a_baseline_is_run_before_its_candidates_except_multiply_and_sum(plan: Plan):
    order = {cell: number for number, cell in enumerate(plan.cells)}
    assert len(order) == len(plan.cells), "no cell is run twice"
    for pair in plan.pairs:
        if pair.axis not in ("reference", "exact"):
            assert order[pair.baseline] < order[pair.candidate]


@given(plans())
def test_everything_is_compared_with_the_longest_the_largest_and_the_first(plan: Plan):
    case, first = plan.case, plan.runtimes[0]
    for pair in plan.pairs:
        cell = pair.baseline
        expected = {
            "length": cell.length == case.lengths[-1],
            "batch": cell.batch == case.batches[-1],
            "repeat": cell.repeat == 0,
            "reference": cell.op == "manual",
            "exact": cell.is_exact,
            "device": cell.runtime.device == first.device,
            "threads": cell.runtime.interpreter.threads == first.interpreter.threads,
            "runtime": (cell.runtime.interpreter.python, cell.runtime.interpreter.settings)
            == (first.interpreter.python, first.interpreter.settings),
        }
        assert expected[pair.axis]


@given(plans())
def test_nothing_that_is_run_goes_uncompared(plan: Plan):
    pairs = [pair for pair in plan.pairs if pair.axis != "exact"]
    compared = {cell for p in pairs for cell in (p.baseline, p.candidate)}
    assert {cell for cell in plan.cells if not cell.trial} == compared


@given(plans())
def test_each_runtime_is_held_against_the_exact_result_once(plan: Plan):
    exact = [pair.candidate for pair in plan.pairs if pair.axis == "exact"]
    assert [cell.runtime for cell in exact] == list(plan.runtimes)
    for cell in exact:
        assert (cell.length, cell.batch) == (plan.case.lengths[-1], plan.case.batches[-1])
        assert cell.is_first_run and not cell.is_reference and cell in plan.cells


@given(plans())
def test_each_axis_is_compared_where_there_is_something_to_compare(plan: Plan):
    axes = {pair.axis for pair in plan.pairs}
    several = {
        axis
        for axis in ("length", "batch", "threads", "repeat", "device", "runtime", "reference")
        if len({coordinates(cell)[axis] for cell in plan.cells if not cell.trial}) > 1
    }
    assert axes == {*several, "exact"}


@given(plans())
def test_random_inputs_are_for_lengths_and_the_longest_has_them_all(plan: Plan):
    trials = [cell for cell in plan.cells if cell.trial]
    assert bool(trials) == (len(plan.case.lengths) > 1)
    assert {cell.op for cell in trials} <= {"conv2d"}
    longest = {cell.trial for cell in trials if cell.length == plan.case.lengths[-1]}
    assert {cell.trial for cell in trials} == longest
    planned = set(trials)
    for length, count in plan.trials.items():
        for runtime in plan.runtimes:
            for trial in range(1, count + 1):
                assert trial_cell(plan.case, runtime, length, trial) in planned


def test_many_lengths_get_few_random_inputs_and_few_references():
    plan = expand(case_of(tuple(range(5, 3005))), runtimes_of(["cpu"], [None], ["a"], ["one"]))
    referenced = sorted(p.candidate.length for p in plan.pairs if p.axis == "reference")
    assert len(referenced) == REFERENCE_LENGTHS
    assert (referenced[0], referenced[-1]) == (5, 3004)
    # At least one an input each, and more only where there are few outputs.
    assert min(plan.trials.values()) == 1
    assert plan.trials[5] == MOST_TRIALS
    assert sum(plan.trials.values()) < 3000 + TRIAL_CELLS + 10 * MOST_TRIALS


def test_large_inputs_get_fewer_random_ones():
    case = case_of((5, 6))
    conv = case.conv._replace(channels_in=256)
    wide = replace(case, conv=conv, height=224, lengths=(224,), batches=(64,))
    assert most_trials(case) == MOST_TRIALS
    assert most_trials(wide) == 2


def test_no_runtime_is_no_cell():
    plan = expand(case_of((7, 8)), [])
    assert (plan.cells, plan.pairs) == ((), ())


def test_with_nan_in_the_data_each_convolution_is_held_against_itself_without():
    case = replace(case_of((7, 8)), repeat=2)
    runtimes = runtimes_of(["cpu"], [None], ["a"], ["one"])
    plain, plan = expand(case, runtimes), expand(case, runtimes, clean=True)
    more = [pair for pair in plan.pairs if pair not in plain.pairs]
    assert {pair.axis for pair in more} == {"clean"} and len(more) == 2 * len(case.batches)
    for pair in more:
        assert pair.baseline == replace(pair.candidate, trial=CLEAN)
        assert pair.baseline.is_clean and not pair.candidate.is_clean
        assert pair.candidate.is_first_run and not pair.candidate.is_reference
    assert set(plan.cells) - set(plain.cells) == {pair.baseline for pair in more}
