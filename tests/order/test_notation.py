"""The notation says every tree, and parses back into the identical one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from soak import soak
from synthetic import random_tree

from convdiff.order.tree.find_loops import nest_of
from convdiff.order.tree.loop_nest import tree_of
from convdiff.order.tree.notation import notation, parse, parse_nest, write_nest
from convdiff.order.tree.tree import Tree


@soak(5000, database=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 200), st.booleans(), st.integers(0, 2**32))
def test_any_tree_is_written_and_read_back(taps: int, bias: bool, seed: int) -> None:
    tree = random_tree(taps, bias, seed)
    assert tree_of(nest_of(tree)) == tree
    assert parse(notation(tree)) == tree
    assert parse(write_nest(nest_of(tree))) == tree


@pytest.mark.parametrize(
    "text",
    [
        "((((0+1)+2)+3)+4)",
        "(((0+1)+(2+3))+4)",
        "(((0+1*)+2*)+b)",
        "(0*+1)",
        "{0 1 2 3}",
        "[([0..287]*)^8+288 b]",
        "[b 0..20]*",
        "[[0..143]* b ([144..287]*)^3+144]",
        "[((0..15)^9+64)^4+16]*",
        "<([0..56:8])^8+1>",
        "<|([0..56:8])^8+1|>",
        "[{0..7} (&{8..15})^35+8 b]",
        "[0..20 21..30*]",
    ],
)
def test_regular_orders_are_written_as_briefly_as_here(text: str) -> None:
    assert notation(parse(text)) == text


def test_operands_may_be_written_in_either_order() -> None:
    assert parse("(4+((2+3)+(1+0)))") == parse("(((0+1)+(2+3))+4)")


def test_a_chain_is_short_for_its_parentheses() -> None:
    assert parse("[0 1 2 3]*") == parse("(((0+1*)+2*)+3*)")
    assert parse("<0 1 2 3>") == parse("((0+1)+(2+3))")
    assert parse("<|0 1 2 3|>") == parse("((0+2)+(1+3))")
    assert parse("([0 1] + [2 3])") == parse("((0+1)+(2+3))")


def test_a_very_long_chain_in_parentheses_is_no_matter() -> None:
    taps = 5000
    text = "(" * (taps - 1) + "0" + "".join(f"+{k})" for k in range(1, taps))
    assert notation(parse(text)) == f"[0..{taps - 1}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 orders"),
        ("(0+1", "not closed"),
        ("(0+1]", "closed by"),
        ("(0+0)", "named twice"),
        ("(0+2)", "3 taps need 3 terms, 2 are named"),
        ("(0+1+2)", "adds 3 terms"),
        ("<0 1 2>", "cannot be added pairwise"),
        ("(0 1)^2+2", "repetition"),
        ("[0..7:3]", "no range"),
        ("0+?", "cannot read"),
        ("b", "0 taps"),
    ],
)
def test_what_is_no_order_is_an_error_that_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_loops_may_run_backwards() -> None:
    assert parse("[(3)^4-1]") == parse("(((3+2)+1)+0)")
    assert write_nest(parse_nest("[(3)^4-1]")) == "[(3)^4-1]"


def test_equal_orders_are_equal_objects_however_they_were_built() -> None:
    one = Tree.build(3, 3, [[0, 1], [3, 2]])
    other = Tree.build(3, 3, [[1, 0], [2, 3]])
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    ("children", "fused", "message"),
    [
        ([[0, 1]], None, "never added"),
        ([[0, 1], [3, 3]], None, "used twice"),
        ([[0, 4], [1, 2]], None, "late"),
        ([[0, 1], [2]], None, "at least two"),
        ([[0, 1, 2]], [0], "cannot be fused"),
        ([[0, 1], [2, 3]], [-1, 3], "cannot be fused"),
    ],
)
def test_a_tree_that_is_none_cannot_be_built(
    children: list[list[int]], fused: list[int] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Tree.build(3, 3, children, fused)
