"""Orders are guessed from a few readings, and a wrong guess is not accepted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import schemes_drawn
from hypothesis import assume, given
from hypothesis import strategies as st
from soak import one_in, soak
from synthetic import orders_kernel, random_tree, tree_kernel

from convdiff.order.geometry import Geometry
from convdiff.order.orders import orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.confirm import confirm
from convdiff.order.reveal.guess import guess
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.reveal.mask_probes import Site
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.tree.cuts import Every
from convdiff.order.tree.notation import parse
from convdiff.order.tree.schemes import Blocks, Lanes, Rounds
from convdiff.order.tree.tree import Tree

MOST_CALLS = 40
"""Calls that a guess may take on one channel: readings, the bias's, and fused probes."""


def kernel_of(
    tree: Tree, kernel: tuple[int, int, int] | None = None, cout: int = 1
) -> BudgetedKernel:
    kh, kw, cin = kernel or (1, tree.taps, 1)
    geometry = Geometry((1, kh, kw, cin), (kh, kw, cin, cout), tree.has_bias)
    return BudgetedKernel(CallableKernel(tree_kernel(tree, geometry), geometry), 20_000)


def first(kernel: BudgetedKernel) -> Tree | None:
    return next(guess(kernel, Site.at(kernel, 0, 0)), None)


@pytest.mark.slow
@one_in(2, "name", schemes_drawn.ORDERS)
def test_orders_seen_of_real_kernels_are_guessed_at_once(name: str) -> None:
    text, filter_shape = schemes_drawn.ORDERS[name]
    tree = parse(text)
    kernel = kernel_of(tree, filter_shape)
    assert first(kernel) == tree
    assert kernel.calls <= MOST_CALLS


@soak(2000, database=None)
@given(st.integers(0, 2**32), st.integers(64, 300), st.booleans())
def test_members_of_each_family_are_guessed(seed: int, taps: int, fused: bool) -> None:
    tree = schemes_drawn.grown(schemes_drawn.scheme(seed, taps), taps, fused)
    kernel = kernel_of(tree)
    site = Site.at(kernel, 0, 0)
    guessed = list(until(tree, islice(guess(kernel, site), 3)))
    assume(guessed)  # a few have no guess
    assert kernel.calls <= 2 * MOST_CALLS
    if tree not in guessed:  # one in a thousand has wrong ones only, which are not accepted
        for wrong in guessed:
            with pytest.raises(RefusedError, match="answers otherwise"):
                confirm(kernel, site, wrong)


def until(tree: Tree, trees: Iterator[Tree]) -> Iterator[Tree]:
    """Yield trees up to a certain one."""
    for one in trees:
        yield one
        if one == tree:
            return


@pytest.mark.parametrize("cout", [1, 4])
@pytest.mark.parametrize(
    "order",
    [
        "[b 0..199]*",
        "[0..199 b]*",
        "[[0..49]* b ([50..99]*)^3+50]",
        "[[b 0..49]* ([50..99]*)^3+50]",
        "[([0..49]*)^4+50 b]",
        "[<([0..192:8])^8+1> b]",
        "[([0..49]*)^3+50 [150..199 b]*]",
    ],
)
def test_where_the_bias_joins_is_guessed_too(order: str, cout: int) -> None:
    tree = parse(order)
    kernel = kernel_of(tree, cout=cout)
    assert first(kernel) == tree
    assert kernel.calls <= MOST_CALLS // cout + 3


def test_steps_of_a_kind_that_do_not_all_fuse_are_not_guessed() -> None:
    assert first(kernel_of(parse("[0 1..199*]"))) is not None
    assert first(kernel_of(parse("[0 1..198* 199]"))) is None


def test_no_guess_is_made_twice() -> None:
    kernel = kernel_of(parse("[0..99]"))
    trees = list(guess(kernel, Site.at(kernel, 0, 0)))
    assert trees
    assert len(set(trees)) == len(trees)


def test_channels_carry_readings_together() -> None:
    tree = parse("[([0..15])^40+16]")
    one, eight = kernel_of(tree), kernel_of(tree, cout=8)
    assert first(one) == first(eight) == tree
    assert eight.calls <= one.calls // 4


def test_nothing_is_asked_where_revealing_is_cheap() -> None:
    for order, cout in (("[0..575]", 64), ("[0..30]", 1)):
        kernel = kernel_of(parse(order), cout=cout)
        assert first(kernel) is None
        assert kernel.calls == 0


@pytest.mark.slow
@one_in(4, "seed", range(20))
def test_an_order_of_no_family_is_not_guessed_and_still_revealed(seed: int) -> None:
    tree = random_tree(70, False, seed, many=False)
    geometry = Geometry((1, 1, 72, 1), (1, 70, 1, 1))
    kernel = CallableKernel(tree_kernel(tree, geometry), geometry)
    found = orders_of(kernel, random_data(geometry, 3))
    assert (found.status, found.confirmed) == ("proved", True)
    assert found.orders[0].order.tree == tree


NEAR = {
    f"blocks of {size}": Blocks(Every(size), inside)
    for size in (15, 17, 32)
    for inside in (Lanes(4), Rounds())
} | {f"{width} lanes": Lanes(width) for width in (7, 9)}


@pytest.mark.slow
@one_in(2, "name", NEAR)
def test_a_wrong_guess_is_not_accepted(name: str) -> None:
    wrong = schemes_drawn.grown(NEAR[name], 320)
    for scheme in (Blocks(Every(16), Lanes(4)), Blocks(Every(16), Rounds()), Lanes(8)):
        kernel = kernel_of(schemes_drawn.grown(scheme, 320))
        with pytest.raises(RefusedError, match="answers otherwise"):
            confirm(kernel, Site.at(kernel, 0, 0), wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "other"),
    [
        ("[([0..15])^20+16]", "[([0..14])^3+15 [45..60] ([61..76])^16+16 317 318 319]"),
        ("[([0..15]*)^20+16]", "[([0..15]*)^19+16 [304..318 319]]"),
        ("[0..319]*", "[0..200* 202* 201* 203..319*]"),
    ],
)
def test_elements_that_differ_from_a_guess_in_a_little_have_their_own_order(
    order: str, other: str
) -> None:
    geometry = Geometry((1, 1, 326, 1), (1, 320, 1, 1))
    usual, odd = parse(order), parse(other)
    fn = orders_kernel(lambda p, c: odd if p in (3, 4) else usual, geometry)
    found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
    assert (found.status, found.confirmed) == ("proved", True)
    trees = [found.orders[k].order.tree for k in found.which()[:, 0]]
    assert trees == [odd if p in (3, 4) else usual for p in range(geometry.positions)]


def test_a_guess_spends_no_more_than_the_budget() -> None:
    tree = parse("[0..199]*")
    geometry = Geometry((1, 1, 200, 1), (1, 200, 1, 1))
    kernel = BudgetedKernel(CallableKernel(tree_kernel(tree, geometry), geometry), 25)
    with pytest.raises(RefusedError) as caught:
        first(kernel)
    assert caught.value.refusal.kind == "budget"


@np.errstate(all="ignore")
def test_a_kernel_that_is_no_sum_is_refused_as_revealing_does() -> None:
    geometry = Geometry((1, 1, 200, 1), (1, 200, 1, 1))

    def squared(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        return ((x.reshape(-1) * w.reshape(-1)) ** 2).sum().reshape(1, 1, 1, 1)

    kernel = BudgetedKernel(CallableKernel(squared, geometry), 1000)
    with pytest.raises(RefusedError):
        first(kernel)
