"""Lengths are compared where their outputs see the same inputs."""

import pytest

from convdiff.case.device import Device
from convdiff.case.load import case_of
from convdiff.plan.alike import longest_alike, padding_notes
from convdiff.plan.expand import expand
from convdiff.runtime.model import Interpreter, Runtime


@pytest.fixture
def case(tmp_path):
    def load(text: str):
        lines = "filter: {normal: 1, shape: [1, 3, 1, 1]}\ninput: {normal: 1}\n"
        return case_of(lines + text, tmp_path / "case.yaml")

    return load


def test_valid_lengths_are_compared_with_the_longest(case):
    found = case("lengths: 5..9")
    assert [longest_alike(found, length) for length in found.lengths] == [9] * 5
    assert not list(padding_notes(found))


def test_the_ends_of_shorter_ones_are_not_compared(case):
    found = case("lengths: 5..9\npadding: same")
    assert [longest_alike(found, length) for length in found.lengths] == [9] * 5
    numbers, ends = padding_notes(found)
    assert numbers == "padding same is height 0+0, width 1+1 at lengths 5..9"
    assert ends.startswith("the last column of a shorter output may see padding where a longer")


def test_same_with_a_stride_shifts_the_grid_of_half_of_the_lengths(case):
    found = case("lengths: 5..9\npadding: same\nstrides: [1, 2]")
    assert [longest_alike(found, length) for length in found.lengths] == [9, 8, 9, 8, 9]
    odd, even, shift, _ = padding_notes(found)
    assert odd == "padding same is height 0+0, width 1+1 at lengths 5..9:2"
    assert even == "padding same is height 0+0, width 0+1 at lengths 6, 8"
    assert shift == (
        "at lengths 6, 8 the windows start 1 input later than at length 9: other sums, "
        "compared with each other only"
    )


def test_each_grid_has_its_own_comparison_with_the_exact_result(case):
    found = case("lengths: 5..9\npadding: same\nstrides: [1, 2]")
    runtime = Runtime(Interpreter("numpy", ""), Device("cpu"))
    pairs = expand(found, [runtime]).pairs
    assert [pair.candidate.length for pair in pairs if pair.axis == "exact"] == [8, 9]
    lengths = [(p.baseline.length, p.candidate.length) for p in pairs if p.axis == "length"]
    assert lengths == [(9, 5), (8, 6), (9, 7)]


def test_causal_padding_is_all_on_the_left(case):
    found = case("lengths: 5..9\npadding: causal")
    assert [longest_alike(found, length) for length in found.lengths] == [9] * 5
    assert list(padding_notes(found)) == ["padding causal is height 0+0, width 2+0 at lengths 5..9"]
