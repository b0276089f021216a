"""What is remembered needs no trust, and what is right in part is taken for no more than that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from soak import one_in
from synthetic import Machine, orders_kernel, tree_kernel

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel, ConvolutionFunction
from convdiff.order.reveal.memory import OrderMemory
from convdiff.order.tree.notation import parse
from convdiff.order.tree.tree import Tree

CHAIN, PAIRS = parse("[0..47]*"), parse("[<0..15> <16..31> <32..47>]")
WIDE = Geometry((1, 1, 55, 1), (1, 48, 1, 6))


def known(*trees: Tree) -> OrderMemory:
    """Return a memory of these trees, the last the most recent."""
    memory = OrderMemory()
    for tree in trees:
        memory.keep(memory.suite(tree))
    return memory


def explained(
    fn: ConvolutionFunction, memory: OrderMemory | None = None, geometry: Geometry = WIDE
) -> Orders:
    return orders_of(CallableKernel(fn, geometry), random_data(geometry, 3), memory=memory)


def test_a_known_order_is_confirmed_without_being_revealed() -> None:
    memory = OrderMemory()
    first = explained(tree_kernel(CHAIN, WIDE), memory)
    again = explained(tree_kernel(CHAIN, WIDE), memory)
    for found in (first, again):
        assert (found.status, found.confirmed) == ("proved", True)
        assert [one.order.tree for one in found.orders] == [CHAIN]
    vectors = sum(len(stage.weights) for stage in memory.suite(CHAIN).stages())
    assert again.calls == 3 + vectors < first.calls


def test_an_order_of_another_kernel_falls_after_two_calls() -> None:
    alone = explained(tree_kernel(CHAIN, WIDE))
    found = explained(tree_kernel(CHAIN, WIDE), known(PAIRS))
    assert found.calls == alone.calls + 2
    assert [one.order.tree for one in found.orders] == [CHAIN]


def test_the_orders_of_one_output_are_both_remembered() -> None:
    fn = orders_kernel(lambda p, c: CHAIN if c < 2 else PAIRS, WIDE)
    memory = OrderMemory()
    first = explained(fn, memory)
    again = explained(fn, memory)
    assert again.calls < first.calls
    for found in (first, again):
        assert (found.status, found.confirmed) == ("proved", True)
        assert {one.order.tree for one in found.orders} == {CHAIN, PAIRS}


def test_orders_are_not_remembered_for_another_number_of_terms() -> None:
    other = Geometry((1, 1, 55, 1), (1, 48, 1, 6), bias=True)
    memory = known(CHAIN)
    assert memory.recall(WIDE)
    assert not memory.recall(other)
    assert not memory.recall(Geometry((1, 1, 55, 1), (1, 48, 1, 6), dtype="float64"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "right",
    [lambda p, c: c not in (2, 3), lambda p, c: p != 5, lambda p, c: (p, c) != (0, 0)],
    ids=["some channels", "some positions", "all but the first element"],
)
@pytest.mark.parametrize("other", ["[0 2* 1* 3..47*]", "[0..46* 47]", "[0..23* ([24..47]*)^1+1]"])
def test_a_known_order_that_holds_in_part_is_proved_there_alone(
    right: Callable[[int, int], bool], other: str
) -> None:
    odd = parse(other)
    found = explained(orders_kernel(lambda p, c: CHAIN if right(p, c) else odd, WIDE), known(CHAIN))
    assert (found.status, found.confirmed) == ("proved", True)
    which = found.which()
    for p, c in np.ndindex(which.shape):
        assert found.orders[which[p, c]].order.tree == (CHAIN if right(p, c) else odd)


def by_magnitude(limit: float, below: Tree, above: Tree) -> ConvolutionFunction:
    """Return a kernel that adds in another order where a weight reaches a limit."""
    kernels = [tree_kernel(tree, WIDE) for tree in (below, above)]

    def convolution(x: Array, w: Array, b: Array | None) -> Array:
        chosen: Array = kernels[bool(np.abs(w).max() >= limit)](x, w, b)
        return chosen

    return convolution


@one_in(2, "limit", [1e-3, 3.0, 1e6, 1e20, 1e35, 1.2e38])
@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("trees", [(CHAIN, PAIRS), (PAIRS, CHAIN)], ids=["chain", "pairs"])
def test_an_order_that_depends_on_the_magnitude_is_not_confirmed(
    limit: float, remembered: bool, trees: tuple[Tree, Tree]
) -> None:
    memory = known(*trees) if remembered else None
    found = explained(by_magnitude(limit, *trees), memory)
    if limit > 1e-3:  # below, all that is ever seen is large
        assert found.status == "unexplained" or not found.confirmed
    else:
        assert [one.order.tree for one in found.orders] == [trees[1]]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_memory_changes_no_answer(dtype: str) -> None:
    geometry = Geometry((1, 1, 20, 1), (1, 12, 1, 8), bias=True, dtype=dtype)
    tree = parse("[<0..7> 8..11 b]")
    accumulator = "float32" if dtype == "float16" else dtype
    fn = tree_kernel(tree, geometry, Machine(accumulator))
    memory = OrderMemory()
    first, again = (explained(fn, memory, geometry) for _ in range(2))
    assert first.status == again.status == "proved"
    assert [one.order for one in first.orders] == [one.order for one in again.orders]
    assert (first.which() == again.which()).all()


def test_a_wider_accumulator_has_no_vectors_and_is_confirmed_by_readings() -> None:
    fn = tree_kernel(CHAIN.unfused(), WIDE, Machine("float64"))
    memory = OrderMemory()
    found = explained(fn, memory)
    assert (found.status, found.confirmed) == ("proved", True)
    assert found.orders[0].order.arithmetic.accumulator == "float64"
    assert not memory.recall(WIDE)


def test_a_flag_that_no_vector_shows_is_undecided_and_not_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convdiff.order.reveal.half_ulp_vectors._TO_LEAF", ())
    found = explained(tree_kernel(CHAIN, WIDE))
    assert (found.status, found.confirmed) == ("proved", False)
    assert found.orders[0].undecided == 48
    assert found.orders[0].words == "fused or not: undecided for 48 products"
