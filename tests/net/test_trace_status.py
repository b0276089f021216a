"""What becomes of a difference at each layer, from which activations differ alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from convdiff.net.trace.status import seen_sources, statuses, unseen_sources

CHAIN = {"a": ["input"], "b": ["a"], "c": ["b"]}
FORK = {"a": ["input"], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def test_a_difference_enters_once_is_carried_and_healed():
    assert statuses(CHAIN, {"a": False, "b": True, "c": True}) == {
        "a": "untouched",
        "b": "entered",
        "c": "carried",
    }
    assert statuses(CHAIN, {"a": True, "b": True, "c": False}) == {
        "a": "entered",
        "b": "carried",
        "c": "healed",
    }


def test_several_layers_are_entered_and_what_joins_them_carries():
    found = statuses(FORK, {"a": False, "b": True, "c": True, "d": True})
    assert found == {"a": "untouched", "b": "entered", "c": "entered", "d": "carried"}


def test_a_join_with_one_differing_input_is_not_entered():
    found = statuses(FORK, {"a": False, "b": True, "c": False, "d": True})
    assert found["d"] == "carried"


def test_what_was_not_looked_at_is_looked_through():
    found = statuses(CHAIN, {"a": False, "c": True})
    assert found == {"a": "untouched", "b": "unseen", "c": "entered"}
    assert unseen_sources(CHAIN, {"a": False, "c": True}, "c") == ["b"]
    assert seen_sources(CHAIN, {"a": False, "c": True}, "c") == ["a"]
    assert statuses(CHAIN, {"a": True, "c": True})["c"] == "carried"


def test_what_sees_no_common_input_is_apart_and_looked_through():
    found = statuses(CHAIN, {"a": True, "b": None, "c": False})
    assert found == {"a": "entered", "b": "apart", "c": "healed"}


def test_a_captured_value_of_a_body_counts_as_an_input():
    loop = {"weights": ["input"], "body": ["state", "weights"]}
    assert statuses(loop, {"weights": True, "body": True})["body"] == "carried"


@st.composite
def graphs(draw):
    names = [f"n{number}" for number in range(draw(st.integers(1, 7)))]
    sources = {}
    for number, name in enumerate(names):
        earlier = ["input", *names[:number]]
        sources[name] = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3))
    return sources, {name: draw(st.booleans()) for name in names}


@given(graphs())
def test_of_a_graph_that_was_looked_at_whole_each_status_is_its_definition(drawn):
    sources, differs = drawn
    for name, status in statuses(sources, differs).items():
        reads = any(differs.get(source, False) for source in sources[name])
        words = {(0, 0): "untouched", (0, 1): "entered", (1, 0): "healed", (1, 1): "carried"}
        assert status == words[int(reads), int(differs[name])]


@given(graphs(), st.sets(st.sampled_from([f"n{number}" for number in range(7)])))
def test_where_something_differs_something_is_entered_however_little_is_seen(drawn, seen):
    sources, differs = drawn
    looked_at = {name: differs[name] for name in differs if name in seen}
    found = statuses(sources, looked_at)
    assert any(looked_at.values()) == ("entered" in found.values())
