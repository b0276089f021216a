"""An irregular order is summed up in four lines at most; one that is brief is told as it is."""

from __future__ import annotations

import pytest
from synthetic import random_tree

from convdiff.order.tree.describe import describe
from convdiff.order.tree.notation import parse
from convdiff.order.tree.sum_up import LONGEST, summed_up

IRREGULAR = {
    # As torch, jax and NumPy have them in long rows.
    "[[0..3 7..359:4] [5..361:4] [[4..360:4] [6..362:4]]]": (
        "4 lanes of 90 or 93 taps, uneven, each lane a chain of rounded products, "
        "added pairwise in the order 0, 5, 4, 6"
    ),
    "[[0..4 12..348:8] [8..352:8] [[6..350:8] [10..354:8]] <|([5..349:8])^4+2|> 356..362 b]": (
        "8 lanes of 44 or 48 taps, uneven, and 7 single taps, each lane a chain of rounded "
        "products, added pairwise in the order 0, 8, 6, 10, 5, 9, 7, 11, bias last"
    ),
    "[<([0..168:8]* [1..169:8]* [4..172:8]* [5..173:8]*)^2+2> <(176 177 180 181)^2+2> "
    "[<([184..352:8]* [185..353:8]* [188..356:8]* [189..357:8]*)^2+2> [360 361] 362]]": (
        "21 lanes of 2 or 22 taps, uneven, and 1 single tap, each lane a chain, 336 of 363 "
        "products fused, added pairwise, unevenly, in the order 0, 1, 4, 5, 2, 3, 6, 7, …"
    ),
}


@pytest.mark.parametrize(("order", "said"), IRREGULAR.items())
def test_an_irregular_order_is_summed_up_by_its_lanes(order: str, said: str) -> None:
    tree = parse(order)
    assert len(describe(tree, (1, tree.taps, 1, 1))) > LONGEST - 10
    assert summed_up(tree, (1, tree.taps, 1, 1)) == said


@pytest.mark.parametrize("order", ["[0..287]*", "[([0..287]*)^8+288 b]", "<0..63>", "[0..8 b]"])
def test_a_regular_order_is_told_whole(order: str) -> None:
    tree = parse(order)
    shape = (1, tree.taps, 1, 4)
    assert summed_up(tree, shape) == describe(tree, shape)


@pytest.mark.parametrize("seed", range(120))
@pytest.mark.parametrize("taps", [20, 200, 363])
def test_no_order_takes_more_than_four_lines(taps: int, seed: int) -> None:
    assert len(summed_up(random_tree(taps, bool(seed % 2), seed), (1, taps, 1, 1))) <= LONGEST
