"""Which variables make the difference: the fewest, in few runs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.errors import ConvdiffError
from convdiff.search.settings import culprits, mixed, parsed

NAMES = [f"V{number}" for number in range(10)]
GOOD = dict.fromkeys(NAMES, "0")
BAD = dict.fromkeys(NAMES, "1")


@given(st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_the_variables_that_matter_together_are_found(wanted: set[str]) -> None:
    asked = []

    def state(variables: Mapping[str, str]) -> bool:
        asked.append(tuple(sorted(variables.items())))
        return all(variables[name] == "1" for name in wanted)

    found = culprits(GOOD, BAD, state, 200)
    assert set(found.names) == wanted
    assert found.is_minimal
    assert len(set(asked)) <= (40 if len(wanted) == 1 else 60)


def test_one_that_is_only_there_is_found() -> None:
    found = culprits({"A": "1"}, {"B": "1"}, lambda variables: "A" in variables, 40)
    assert found.names == ("A",)


def test_equal_ends_and_ends_that_do_not_run_are_told_apart() -> None:
    assert culprits(GOOD, BAD, lambda _: 1, 40).reason == ""
    assert culprits(GOOD, BAD, lambda variables: variables["V0"] == "0" or None, 40).reason


def test_mixed_takes_some_of_the_other_end() -> None:
    assert mixed({"A": "1", "C": "3"}, {"B": "2"}, frozenset({"A", "B"})) == {"C": "3", "B": "2"}


def test_variables_are_read_as_a_shell_does() -> None:
    assert parsed("--good-env", "A=1 B='x y' C=") == {"A": "1", "B": "x y", "C": ""}
    for text in ("A", "1A=2", "A='1"):
        with pytest.raises(ConvdiffError):
            parsed("--good-env", text)
