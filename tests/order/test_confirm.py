"""Every channel and every position answers for itself before it is counted as proved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from soak import one_in
from synthetic import Machine, orders_kernel, random_tree, tree_kernel

from convdiff.order.geometry import Geometry
from convdiff.order.orders import orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal import confirm as confirming
from convdiff.order.reveal import mask_probes as readings
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.confirm import confirm
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.reveal.mask_probes import Site
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.tree.notation import parse
from convdiff.order.tree.tree import Tree

pytestmark = pytest.mark.slow

WHERE: dict[str, Callable[[int, int], bool]] = {
    "channel": lambda p, c: c == 5,
    "element": lambda p, c: (p, c) == (3, 5),
    "first": lambda p, c: (p, c) == (0, 0),
}


@pytest.mark.parametrize("where", WHERE)
@one_in(
    2,
    ("taps", "one", "other"),
    [
        (72, "[0..71]*", "[0..69* 70 71*]"),
        (72, "[0..71]*", "[0..2* 3 4..71*]"),
        (72, "[0..71]", "[0 2 1 3..71]"),
        (144, "[0..143]", "[0 2 1 3..143]"),
        (5, "[0..4]", "[0 2 1 3 4]"),
    ],
)
def test_an_element_that_differs_in_one_node_has_its_own_order(
    taps: int, one: str, other: str, where: str
) -> None:
    geometry = Geometry((1, 1, taps + 5, 1), (1, taps, 1, 8))
    usual, odd = parse(one), parse(other)
    fn = orders_kernel(lambda p, c: odd if WHERE[where](p, c) else usual, geometry)
    found = orders_of(CallableKernel(fn, geometry), random_data(geometry, 3))
    assert found.status == "proved"
    assert found.confirmed
    which = found.which()
    for p, c in np.ndindex(which.shape):
        assert found.orders[which[p, c]].order.tree == (odd if WHERE[where](p, c) else usual)


def test_large_outputs_are_watched_at_all_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_ANSWERS", 100)
    geometry = Geometry((1, 1, 90, 1), (1, 40, 1, 8))
    one, other = parse("[0..39]*"), parse("[0 2* 1* 3..39*]")
    fn = orders_kernel(lambda p, c: other if p % 2 else one, geometry)
    kernel = CallableKernel(fn, geometry)
    largest = []
    probe = kernel.probe

    def watched(batches, positions=None):  # type: ignore[no-untyped-def]
        largest.extend(len(b.taps) for b in batches if b.kind in ("mask", "fused"))
        return probe(batches, positions)

    monkeypatch.setattr(kernel, "probe", watched)
    found = orders_of(kernel, random_data(geometry, 3))
    assert max(largest) == 1
    for p, row in enumerate(found.which()):
        assert {found.orders[k].order.tree for k in row} == {other if p % 2 else one}


@pytest.mark.parametrize(
    ("dtype", "seed"),
    [(dtype, seed) for dtype in ("float32", "float16") for seed in range(8)]
    + [("bfloat16", seed) for seed in range(3)],
)
def test_the_answers_that_a_tree_predicts_are_given(dtype: str, seed: int) -> None:
    taps = 150 if dtype == "bfloat16" else 30
    geometry = Geometry((1, 1, taps + 1, 1), (1, taps, 1, 4), bool(seed % 2), dtype=dtype)
    tree = random_tree(taps, geometry.bias, seed, many=dtype != "bfloat16" and seed > 3)
    fn = tree_kernel(tree, geometry, None if dtype != "float16" else Machine("float32"))
    kernel = BudgetedKernel(CallableKernel(fn, geometry), 20_000)
    site = Site.at(kernel, 0, 0)
    if dtype == "float16":  # summed in float32, where products are exact
        tree = mark_fused(kernel, site, tree.unfused())
    assert confirm(kernel, site, tree)
    assert site.agreeing.all()


def test_an_element_that_answers_otherwise_than_its_own_tree_is_refused() -> None:
    geometry = Geometry((1, 1, 12, 1), (1, 9, 1, 4))
    fn = tree_kernel(parse("[0..8]"), geometry)
    kernel = BudgetedKernel(CallableKernel(fn, geometry), 100)
    with pytest.raises(RefusedError, match="answers otherwise"):
        confirm(kernel, Site.at(kernel, 0, 0), parse("[0 2 1 3..8]"))


def sampled(taps: int, odd: Tree) -> tuple[bool, int, np.ndarray]:
    geometry = Geometry((1, 1, taps, 1), (1, taps, 1, 8))
    usual = parse(f"[0..{taps - 1}]")
    fn = orders_kernel(lambda p, c: odd if c == 5 else usual, geometry)
    kernel = BudgetedKernel(CallableKernel(fn, geometry), 20_000)
    site = Site.at(kernel, 0, 0)
    return confirm(kernel, site, usual), kernel.calls, site.agreeing[0]


def test_too_many_readings_are_sampled_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirming, "_FEW_CALLS", 10)
    monkeypatch.setattr(confirming, "_PRODUCTS_IN_ANY", 0)
    whole, calls, alike = sampled(64, parse("[<0..31> <32..63>]"))
    assert (whole, calls) == (False, 8)
    assert alike.tolist() == [True] * 5 + [False] + [True] * 2
    geometry = Geometry((1, 1, 70, 1), (1, 64, 1, 8), dtype="float64")
    kernel = CallableKernel(tree_kernel(parse("[0..63]"), geometry), geometry)
    found = orders_of(kernel, random_data(geometry, 3))
    assert (found.status, found.confirmed) == ("proved", False)


def test_a_sample_gives_each_channel_other_readings_in_each_call() -> None:
    index = confirming._sampled_rows(1000, 16, 4)
    assert index.shape == (4, 16)
    assert len(np.unique(index)) == 64
    assert np.diff(np.sort(index[0])).min() >= 60


def test_a_budget_too_small_for_all_readings_gets_a_sample() -> None:
    geometry = Geometry((1, 1, 70, 1), (1, 64, 1, 8), dtype="float64")
    kernel = CallableKernel(tree_kernel(parse("[0..63]"), geometry), geometry)
    found = orders_of(kernel, random_data(geometry, 3), budget=100)
    assert (found.status, found.confirmed) == ("proved", False)


def test_one_channel_needs_no_confirmation() -> None:
    geometry = Geometry((1, 1, 70, 1), (1, 64, 1, 1))
    kernel = CallableKernel(tree_kernel(parse("[0..63]"), geometry), geometry)
    found = orders_of(kernel, random_data(geometry, 3), budget=170)
    assert (found.status, found.confirmed) == ("proved", True)
