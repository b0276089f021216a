"""The search for the smallest safe length, on machines whose safe lengths are known."""

from __future__ import annotations

import pytest
from machines_of_nets import Differs, Machine
from small_nets import nine_layers

from convdiff.case.device import Device
from convdiff.net.padding.pad import Asked, pad
from convdiff.net.padding.paper import Paper
from convdiff.net.padding.result import Common, Padding, Question, Tail
from convdiff.net.padding.search import thinned
from convdiff.net.receptive_field import receptive_field
from convdiff.runtime.model import Interpreter, Runtime, Standing

FIXED = 1024
STANDING = Standing(Runtime(Interpreter("invented", "python"), Device("cpu")), True)
NINE = Paper(nine_layers(), FIXED)
PAPER = [452, 516, 580, 644]
"""Of data 20..64, 65..128, 129..192, 193..200."""


def machine(differs: Differs) -> Machine:
    return Machine("conv9", NINE.positions, differs)


def asked(data: tuple[int, ...], thorough: bool = False) -> Asked:
    fields = {"conv9": receptive_field(nine_layers(), "conv9", FIXED)}
    question = Question("nine", data, FIXED, 0.0, fields)
    return Asked(question, NINE, tuple(NINE.groups(data)), thorough)


def padding(on: Machine, thorough: bool = False) -> Padding:
    return pad(asked(tuple(range(20, 201)), thorough), on, STANDING, lambda *_: None)


def lengths(found: Padding) -> list[int]:
    return [safe.length for safe in found.safe]


def test_where_nothing_differs_the_paper_minimum_is_enough():
    found = padding(machine(lambda run: False))
    assert [safe.group.minimum for safe in found.safe] == PAPER == lengths(found)
    assert found.rule and not found.rule.least and not found.rule.beyond
    assert [found.rule.length(data) for data in (20, 64, 65, 200)] == [452, 452, 516, 644]
    assert found.tail and found.tail.held == found.tail.of == 181


def test_one_output_position_that_differs_asks_for_two():
    found = padding(machine(lambda run: run.length < 516))
    assert lengths(found) == [516, 516, 580, 644]
    assert found.rule and (found.rule.least, found.rule.positions) == (516, 2)
    assert [miss.run.length for miss in found.safe[0].misses] == list(range(452, 516))
    assert (found.boundaries, found.lengths) == ((129, 193), (516, 580, 644))


def test_a_safe_length_between_two_counts_of_positions_is_found():
    found = padding(machine(lambda run: run.length < 570))
    assert lengths(found) == [570, 570, 580, 644]
    assert found.rule and (found.rule.least, found.rule.positions) == (570, 0)


def test_one_data_length_that_differs_makes_a_length_unsafe_for_its_group():
    for data in (20, 37, 64):
        found = padding(machine(lambda run: run.length < 600 and run.data == data))  # noqa: B023
        assert lengths(found) == [600, 516, 580, 644]
        assert found.rule is None


def test_one_length_for_all_data_is_one_at_which_all_data_was_run():
    on = machine(lambda run: run.length < 516)
    found = padding(on)
    assert found.common == Common(644, 181 + 4 * 4)
    assert {run.data for run in on.runs if run.length == 644} >= set(range(20, 201))


@pytest.mark.parametrize("data", [20, 100, 192])
def test_shorter_data_that_differs_at_the_longest_answer_asks_for_a_longer_one(data: int):
    found = padding(machine(lambda run: (run.data, run.length) == (data, 644)))
    assert lengths(found) == PAPER
    assert found.common and found.common.length == 708


@pytest.mark.parametrize("length", [515, 700, 1023, FIXED])
def test_a_worker_that_dies_is_no_length_that_is_unsafe(length: int):
    on = machine(lambda run: run.length < 516)
    on.dies = lambda run: run.length == length
    found = padding(on, thorough=True)
    assert found.reason.replace(",", "").startswith(f"length {length}")
    assert found.reason.endswith(": worker killed by SIGABRT")
    assert found.common is None and found.rule is None


def test_where_short_data_differs_at_every_long_length_no_one_length_is_named():
    found = padding(machine(lambda run: run.data == 20 and 600 <= run.length < FIXED))
    assert found.common == Common(FIXED)
    assert lengths(found) == PAPER


def test_a_runtime_that_compiles_for_each_length_is_asked_for_fewer():
    """The same ones for all data, and all of those between the last that differs and the answer."""
    on = machine(lambda run: run.length < 901)
    compiled = Standing(Runtime(Interpreter("jax", "python"), Device("cpu")), True)
    found = pad(asked(tuple(range(20, 201))), on, compiled, lambda *_: None)
    assert lengths(found) == [901] * 4
    assert {899, 900} <= {miss.run.length for miss in found.safe[0].misses}
    for safe in found.safe:
        assert safe.untried == 901 - safe.group.minimum - len(safe.misses) > 100
    assert len({run.length for run in on.runs}) < 180


@pytest.mark.parametrize("lengths_there", [range(450, 905), range(451, 901, 2), [7], []])
def test_some_of_many_lengths_are_all_over_them(lengths_there):
    for most in (1, 2, 100, 1000):
        some = thinned(lengths_there, most)
        assert len(some) <= most and set(some) <= set(lengths_there) and some == sorted(some)
        assert bool(some) == bool(lengths_there)
        assert len(some) >= min(most, len(lengths_there)) / 2 - 1


def test_what_differs_again_above_the_answer_is_told():
    found = padding(machine(lambda run: run.length < 516 or run.length == 519))
    assert lengths(found)[0] == 516
    assert {miss.run.length for miss in found.above.relapses} == {519}


def test_a_length_that_holds_only_now_and_then_is_no_reason_to_look_no_lower():
    """Bisection would take 708: at 516, 580 and 644 the machine differs, at 460 it does not."""
    found = padding(machine(lambda run: run.length < 708 and run.length != 460))
    assert lengths(found) == [460, 708, 708, 708]
    assert 516 in {miss.run.length for miss in found.above.relapses}


def test_thorough_tries_every_longer_length_at_three_data_lengths():
    on = machine(lambda run: run.length == 997 and run.data == 110)
    assert not padding(on).above.relapses
    above = padding(on, thorough=True).above
    assert above.data == (20, 110, 200)
    assert above.tried == sum(FIXED - 1 - length for length in (452, 516, 644))
    assert [miss.run.length for miss in above.relapses] == [997]


def test_an_answer_that_fails_on_an_unseen_input_is_sought_anew():
    on = machine(lambda run: run.length < 580 and run.trial == 3)
    found = padding(on)
    assert lengths(found) == [580, 580, 580, 644]
    assert found.unseen == 16 and found.checked == 4 * 16
    assert max(run.trial for run in on.runs) == 32, "others than those it failed on"


def test_where_every_length_differs_nothing_below_the_fixed_size_is_safe():
    found = padding(machine(lambda run: run.length < FIXED))
    assert set(lengths(found)) == {FIXED} and not found.checked


def test_a_steady_distance_from_the_paper_minimum_is_a_rule():
    def differs(run):
        return NINE.positions(run.length) < -(-run.data // 64) + 2

    found = padding(machine(differs))
    assert lengths(found) == [length + 128 for length in PAPER]
    assert found.rule and (found.rule.least, found.rule.beyond) == (0, 2)


def test_a_length_that_gives_no_bits_is_no_safe_one():
    on = machine(lambda run: False)
    on.refuses = lambda run: run.length < 516
    found = padding(on)
    assert lengths(found) == [516, 516, 580, 644]
    assert found.safe[0].misses[0].reason == "refused here"


def test_a_runtime_that_gives_other_bits_when_it_repeats_is_untested():
    on = machine(lambda run: False)
    on.unstable = True
    assert padding(on).reason.startswith("unstable")


def test_a_fixed_length_without_bits_is_untested():
    on = machine(lambda run: False)
    on.refuses = lambda run: run.length == FIXED
    assert padding(on).reason == "length 1,024: refused here"


def test_outputs_behind_the_data_are_held_against_padding_alone():
    on = machine(lambda run: run.length < 516)
    assert padding(on).tail == Tail(181, 181, apart=2, elements=2)
    on.ends_otherwise = lambda run: run.length == FIXED and run.data == 33
    found = padding(on)
    assert found.tail and (found.tail.held, found.tail.of) == (180, 181)
    on.ends_otherwise = lambda run: run.length < FIXED
    found = padding(on)
    assert lengths(found) == [516, 580, 644, 708], "the last position of each is not the data's"
    assert found.tail and (found.tail.held, found.tail.others) == (181, (516, 580, 644, 708))
    on.ends_otherwise = lambda run: not run.data and run.length == FIXED
    found = padding(on)
    assert found.tail and (found.tail.held, found.tail.vectors) == (0, 2)


@pytest.mark.parametrize("runs", [2, 100, 200, 400, 530])
def test_what_is_stopped_keeps_what_was_found(runs):
    on = machine(lambda run: run.length < 516)
    on.stops_after = runs
    found = padding(on)
    assert found.reason == "interrupted"
    assert lengths(found) == [516, 516, 580, 644][: len(found.safe)]
    assert bool(found.safe) == (runs > 100)


def test_no_run_is_made_twice_but_to_measure_its_time():
    on = machine(lambda run: run.length < 516)
    padding(on)
    tried = [run for run in on.runs if not run.repeat]
    assert len(tried) - len(set(tried)) <= 2, "the fixed length, and padding alone, once more"
