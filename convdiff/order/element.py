"""The proven order of one output element, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Order, replay
from convdiff.order.replay.rounding_candidates import arithmetics
from convdiff.order.replay.verification import ObservedCall
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.classify_refusal import classify
from convdiff.order.reveal.confirm import confirm
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.mask_probes import Site, check_units, masked
from convdiff.order.reveal.refusal import Refusal, RefusedError
from convdiff.order.reveal.reveal import reveal_tree
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes

#: Equal probes sent to all channels to find those that share an element's order.
_PILOT_PROBES = 8


@dataclass(frozen=True, eq=False)
class RevealedOrder:
    """The order of an element, and a (positions, cout) mask of those that answered as it did.

    confirmed: whether each of these answered every reading that the order needs.
    """

    order: Order
    agreeing: Array
    confirmed: bool


def order_of(
    kernel: BudgetedKernel,
    position: int,
    channel: int,
    calls: Sequence[ObservedCall],
    plus_zero: bool,
) -> RevealedOrder | Refusal:
    """Return the order of an element, proven by its replay on all calls, or a refusal.

    All channels carry probes at first. Where that does not end in a proof, the channels may differ
    in their order: those that answer equal probes equally are trusted next, then its own.
    plus_zero: whether the element's sum of -0 terms is +0. Raises RefusedError (budget).
    """
    failure: Refusal | None = None
    for lanes in _trusted(kernel, position, channel):
        try:
            return _proven(kernel, Site.at(kernel, position, channel, lanes), calls, plus_zero)
        except RefusedError as refused:
            if refused.refusal.kind == "budget":
                raise
            if failure is None:
                failure = classify(kernel, refused.refusal)
            if failure.kind in ("transform", "unstable"):
                return failure
            failure = refused.refusal
    assert failure is not None
    return failure


def _trusted(kernel: Kernel, position: int, channel: int) -> Iterator[Array | None]:
    """Yield ever fewer channels to carry the probes of an element."""
    yield None
    cout = kernel.geometry.cout
    if cout == 1:
        return
    agreeing = _agreeing(kernel, position, channel)
    if 1 < len(agreeing) < cout:
        yield agreeing
    yield np.array([channel])


def _agreeing(kernel: Kernel, position: int, channel: int) -> Array:
    """Return the channels that answer a few equal masks as the given one does."""
    geometry = kernel.geometry
    ends = np.linspace(1, geometry.leaves - 1, _PILOT_PROBES).astype(np.int64)
    low = np.maximum(0, ends + 1 - probes.COUNTABLE[geometry.dtype])
    rows = np.column_stack([ends // 2, ends, low, low + probes.COUNTABLE[geometry.dtype]])
    rows[:, 0] -= rows[:, 0] == rows[:, 1]
    rows[:, 3] = np.minimum(rows[:, 3], geometry.leaves + 1)
    taps = np.repeat(rows[:, None], geometry.cout, axis=1)
    (answer,) = kernel.probe([Batch("mask", taps)], np.array([position]))
    agrees: Array = np.flatnonzero((answer[:, 0] == answer[:, 0, channel, None]).all(axis=0))
    return agrees


def _proven(
    kernel: BudgetedKernel, site: Site, calls: Sequence[ObservedCall], plus_zero: bool
) -> RevealedOrder:
    """Reveal and replay one element; Raises RefusedError where its bits are not reproduced."""
    check_units(kernel, site)
    tree = reveal_tree(kernel, site)
    _cross_check(kernel, site, tree)
    tree = mark_fused(kernel, site, tree)
    geometry = kernel.geometry
    for arithmetic in arithmetics(tree, geometry.dtype, plus_zero):
        # Products are exact in a wider accumulator: fused or not is one and the same there.
        order = Order(tree.unfused() if arithmetic.wide else tree, arithmetic)
        if all(_gives(order, geometry, call, site) for call in calls):
            return RevealedOrder(order, site.agreeing, confirm(kernel, site, tree))
    raise RefusedError(
        "not-replayed",
        "the order read from the probes does not give the element's bits in any known arithmetic",
    )


def _gives(order: Order, geometry: Geometry, call: ObservedCall, site: Site) -> bool:
    """Return whether the replay gives the bits of the site's element."""
    lane = np.array([site.channel])
    sums = replay(order, geometry, call.data, np.array([site.position]), lane)
    return bool(same_bits(sums, call.output[site.position : site.position + 1, lane]).all())


def _cross_check(kernel: Kernel, site: Site, tree: Tree) -> None:
    """Read pairs that were not needed for the tree, twice, and compare with what it predicts."""
    if tree.leaves < 3:
        return
    count = min(max(len(site.lanes) // 2, 4), 32)
    random = np.random.default_rng(tree.leaves)
    first = random.integers(0, tree.leaves, count)
    second = (first + random.integers(1, tree.leaves, count)) % tree.leaves
    pairs = np.column_stack([first, second])
    # Two messages, so that each pair is carried by the same channel both times.
    sizes, again = masked(kernel, site, pairs), masked(kernel, site, pairs)
    if (sizes != again).any():
        raise RefusedError("unstable", "the same probe read two different numbers of terms")
    for (i, j), size in zip(pairs.tolist(), sizes.tolist(), strict=True):
        expected = tree.size_under_lca(i, j)
        if size != expected:
            raise RefusedError(
                "non-ultrametric",
                f"terms {i} and {j} meet in a sum of {size} terms by their own reading, of "
                f"{expected} in the tree that the others make",
            )
