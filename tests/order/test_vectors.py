"""A tree's vectors are answered by that tree, and by no other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from mutants import all_orders, flipped, mutants, some_mutants
from soak import SHARE, WHOLE, examples
from synthetic import Machine, random_tree, summed

from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.reveal.carried import carried
from convdiff.order.reveal.half_ulp_vectors import (
    FACTOR,
    drawn,
    flips,
    flips_caught,
    half_ulp_vectors,
)
from convdiff.order.reveal.overflow_vectors import (
    LARGEST,
    draw_states,
    overflow_vectors,
    overflowing,
    rotations,
    weights_of,
)
from convdiff.order.reveal.small_orders import all_sums
from convdiff.order.reveal.suite import Suite, Vectors, predicted
from convdiff.order.tree.notation import notation, parse
from convdiff.order.tree.tree import Tree

MACHINE = Machine("float32")
LARGE = (
    "[0..575]*",
    "[([0..63])^9+64 b]",
    "[([0..15]*)^36+16]",
    "[([0..287]*)^8+288 b]",
    "[0..2303]",
)


def answers(tree: Tree, weights: np.ndarray) -> np.ndarray:
    """Return what a kernel that adds in a tree gives for (vectors, leaves) weights."""
    w = np.ascontiguousarray(weights[:, : tree.taps].T)
    bias = weights[:, tree.taps] if tree.has_bias else None
    with np.errstate(all="ignore"):
        return summed(tree, MACHINE, np.full(w.shape, FACTOR), w, bias)


def whole(suite: Suite) -> Vectors:
    """Return all vectors of a suite as one."""
    stages = list(suite.stages())
    weights, expected = (
        np.concatenate([getattr(stage, name) for stage in stages])
        for name in ("weights", "expected")
    )
    return Vectors(weights, expected, suite.undecided)


def accepts(vectors: Vectors, tree: Tree) -> bool:
    return np.array_equal(answers(tree, vectors.weights), vectors.expected)


def trees(count: int, most: int) -> Iterator[Tree]:
    """Yield random trees, every second one with a bias."""
    for seed in range(count):
        taps = 2 + (seed * 2654435761 >> 7) % (most - 1)
        yield random_tree(taps, bool(seed % 2), seed, many=False)


@pytest.mark.soak
def test_true_orders_are_not_refused() -> None:
    for tree in trees(examples(10_000), 40):
        vectors = whole(Suite(tree))
        assert accepts(vectors, tree), notation(tree)
        assert vectors.undecided == 0, notation(tree)


@pytest.mark.soak
def test_no_mutant_is_accepted() -> None:
    looked_at = 0
    for tree in trees(10_000, 64):
        vectors = whole(Suite(tree))
        for mutant in mutants(tree):
            assert not accepts(vectors, mutant), f"{notation(mutant)} for {notation(tree)}"
            looked_at += 1
        if looked_at >= examples(100_000):
            break
    assert looked_at >= examples(100_000)


@pytest.mark.soak
@pytest.mark.parametrize("order", LARGE)
def test_no_mutant_of_bfloat16_operands_is_accepted_by_overflow_alone(order: str) -> None:
    """A fused product is as good as another there, and no mutant."""
    arithmetic, tree = Arithmetic(inputs="bfloat16"), parse(order)
    vectors = whole(Suite(tree, arithmetic))
    assert np.isfinite(vectors.expected).all()
    looked_at = 0
    with np.errstate(all="ignore"):
        for mutant in some_mutants(tree, examples(32 * 40), seed=2):
            if mutant.unfused() != tree.unfused():
                others = predicted(mutant, vectors.weights, arithmetic)
                assert not np.array_equal(others, vectors.expected), notation(mutant)
                looked_at += 1
            else:
                others = predicted(mutant, vectors.weights, arithmetic)
                assert np.array_equal(others, vectors.expected)
    assert looked_at > examples(32 * 10)


@pytest.mark.soak
@pytest.mark.parametrize("order", LARGE)
def test_no_mutant_of_a_large_order_is_accepted(order: str) -> None:
    tree = parse(order)
    vectors = whole(Suite(tree))
    assert accepts(vectors, tree)
    assert vectors.undecided == 0
    for mutant in some_mutants(tree, examples(32 * 20), seed=1):
        assert not accepts(vectors, mutant), notation(mutant)


@pytest.mark.parametrize(
    ("order", "others"),
    [
        (
            "[([0..31]*)^4+32]",
            ["[([0..30]*)^4+31 [124..127]*]", "[([0..32]*)^3+33 [99..127]*]"],
        ),
        ("[([0..15])^4+16 b]", ["[([0..14])^4+15 [60..63] b]", "[([0..16])^3+17 [51..63] b]"]),
    ],
)
def test_no_other_block_size_is_accepted(order: str, others: list[str]) -> None:
    vectors = whole(Suite(parse(order)))
    for other in others:
        assert not accepts(vectors, parse(other))


@pytest.mark.soak
def test_several_flags_flipped_at_once_are_not_accepted() -> None:
    random = np.random.default_rng(3)
    for tree in trees(examples(32 * 20), 64):
        vectors = whole(Suite(tree))
        for count in (2, 3, 8) * 10:
            other = tree
            for _ in range(count):
                choices = list(flipped(other))
                other = choices[random.integers(len(choices))]()
            assert other == tree or not accepts(vectors, other), notation(other)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("taps", [1, 2, 3])
def test_few_terms_are_told_from_all_orders(taps: int, bias: bool) -> None:
    every = all_orders(taps, bias)
    for tree in every:
        vectors = whole(Suite(tree))
        assert vectors.undecided == 0
        assert [other for other in every if accepts(vectors, other)] == [tree]


@pytest.mark.soak
def test_four_products_are_told_from_all_orders() -> None:
    every = all_orders(4, bias=False)
    assert len(every) == 171
    for tree in every[:: 1 if WHOLE else SHARE]:
        vectors = whole(Suite(tree))
        assert [other for other in every if accepts(vectors, other)] == [tree]


@pytest.mark.parametrize(
    ("taps", "bias", "count"), [(3, False, 18), (3, True, 102), (4, False, 171)]
)
def test_the_sums_of_all_orders_are_those_of_each(taps: int, bias: bool, count: int) -> None:
    weights = np.random.default_rng(0).normal(size=(6, taps + bias)).astype(np.float32)
    sums = all_sums(weights, taps)
    assert len(sums) == count
    each = [answers(tree, weights) for tree in all_orders(taps, bias)]
    assert sorted(map(tuple, sums)) == sorted(map(tuple, np.stack(each)))


@pytest.mark.parametrize("seed", range(8))
def test_an_overflow_that_states_promise_comes(seed: int) -> None:
    tree = random_tree(7 + seed, bool(seed % 2), seed, many=False)
    random = np.random.default_rng(seed)
    states = draw_states(tree, 32, random)
    assert np.abs(states).max() <= LARGEST
    weights = weights_of(states[: tree.leaves], random)
    assert np.isfinite(answers(tree, weights)).all()
    promised = overflowing(tree, states)
    for (one, other), row in zip(rotations(tree), promised, strict=True):
        together = _under(tree, one) | _under(tree, other)
        meeting = [mutant for mutant in mutants(tree) if _meet(mutant, together)]
        assert meeting
        for mutant in meeting[:2]:
            assert not np.isfinite(answers(mutant, weights)[row]).any()


def _under(tree: Tree, node: int) -> frozenset[int]:
    if node < tree.leaves:
        return frozenset([node])
    return frozenset().union(*(_under(tree, part) for part in tree.children[node - tree.leaves]))


def _meet(tree: Tree, members: frozenset[int]) -> bool:
    return any(_under(tree, node) == members for node in range(tree.leaves, tree.root + 1))


@pytest.mark.parametrize("seed", range(12))
def test_what_a_flip_changes_is_known_beforehand(seed: int) -> None:
    tree = random_tree(6 + 3 * seed, bool(seed % 2), seed, many=False)
    sums = drawn(tree, 32, np.random.default_rng(seed))
    usual = answers(tree, sums.weights.T)
    np.testing.assert_array_equal(usual, sums.values[tree.root])
    caught = flips_caught(tree, sums)
    changed = np.zeros_like(caught)
    others = {(tree.leaves + k, mark) for k, mark in _marks(tree)}
    every = list(map(tuple, flips(tree).tolist()))
    assert set(every) == others
    for (node, leaf), row in zip(every, changed, strict=True):
        k = node - tree.leaves
        fused = (*tree.fused[:k], leaf, *tree.fused[k + 1 :])
        other = answers(Tree(tree.taps, tree.leaves, tree.children, fused), sums.weights.T)
        row[:] = other != usual
    assert not (caught & ~changed).any()
    assert caught.sum() > 0.85 * changed.sum()  # what is off by less than a unit is not foreseen


def _marks(tree: Tree) -> Iterator[tuple[int, int]]:
    for flip in flipped(tree):
        for k, (mark, own) in enumerate(zip(flip().fused, tree.fused, strict=True)):
            if mark != own:
                yield k, mark


@pytest.mark.parametrize(
    ("order", "share"), [("[0..143]*", 0.2), ("[0..143]", 0.2), ("[([0..35]*)^4+36 b]", 0.15)]
)
def test_few_vectors_show_all_flags_of_a_usual_order(order: str, share: float) -> None:
    tree = parse(order)
    seen = flips_caught(tree, drawn(tree, 256, np.random.default_rng(0), 0.03)).mean(axis=1)
    assert seen.min() > share
    weights, undecided = half_ulp_vectors(tree, np.random.default_rng(0))
    assert len(weights) <= 8
    assert undecided == 0


@pytest.mark.parametrize("order", ["[0..7]", "[0..7]*", "[[0..3]* ([4..7]*)^1+1]"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_units_that_are_carried_change_the_result(order: str, sign: int) -> None:
    tree = parse(order)
    sums = drawn(tree, 64, np.random.default_rng(0))
    sure = carried(tree, sums.values, sums.exact)[sign]
    assert sure[:, -1].all()
    assert sure[0].all() == ("*" in order)  # a tie that is rounded may take one unit back
    assert (sure[1] >= sure[0]).all()
    assert sure[0].mean() > 0.5
    for node in range(tree.leaves, tree.root):
        for units in (1, 2, 3, 1000):
            values = sums.values.copy()
            values[node] += np.float32(sign * units)
            for above in range(node + 1, tree.root + 1):
                values[above] = added(tree, above - tree.leaves, values, sums.exact)
            changed = (values[tree.root] - sums.values[tree.root]) * sign >= 1
            assert changed[sure[min(units, 2) - 1, node - tree.leaves]].all()


def added(tree: Tree, k: int, values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return what the operands of an addition have as their sum."""
    one, other = tree.children[k]
    fused = tree.fused[k]
    if fused < 0:
        return np.asarray(values[one] + values[other])
    return np.asarray((exact[fused] + values[one + other - fused]).astype(np.float32))


def test_every_rotation_overflows_in_three_vectors() -> None:
    for tree in trees(20, 80):
        if tree.leaves > 6:
            weights = overflow_vectors(tree, np.random.default_rng(0))
            states = np.rint(weights.T / np.float32(0.24 * 2.0**128)).astype(int)
            sums = list(states)
            for one, other in tree.children:
                sums.append(sums[one] + sums[other])
            assert (overflowing(tree, np.stack(sums)).sum(axis=1) >= 3).all()
