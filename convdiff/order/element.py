"""The proven order of one output element, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Order, replay
from convdiff.order.replay.rounding_candidates import arithmetics, flushes
from convdiff.order.replay.verification import ObservedCall
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.classify_refusal import classify
from convdiff.order.reveal.confirm import confirm
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.guess import guess
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
    *,
    first: bool = True,
) -> RevealedOrder | Refusal:
    """Return the order of an element, proven by its replay on all calls, or a refusal.

    All channels carry probes at first. Where that does not end in a proof, the channels may differ
    in their order: those that answer equal probes equally are trusted next, then its own.
    plus_zero: whether the element's sum of -0 terms is +0. first: no element before has none; else
    only the dtype's own scale is tried, as another one did not help. Raises RefusedError (budget).
    """
    failure: Refusal | None = None
    last = ""
    tried: set[Tree] = set()
    for narrow, lanes in _trusted(kernel, position, channel):
        if narrow and (not first or last == "not-replayed"):
            break  # what a narrow scale is for was read, or will not be
        try:
            site = Site.at(kernel, position, channel, lanes, narrow=narrow)
            return _proven(kernel, site, calls, plus_zero, tried)
        except RefusedError as refused:
            last = refused.refusal.kind
            if last == "budget":
                raise
            if failure is None:
                failure = classify(kernel, refused.refusal)
            if failure.kind in ("transform", "unstable"):
                return failure
            failure = failure if narrow else refused.refusal
    assert failure is not None
    return failure


def _trusted(kernel: Kernel, position: int, channel: int) -> Iterator[tuple[bool, Array | None]]:
    """Yield ever fewer channels to carry the probes of an element; at last at a narrow scale.

    Only float32 has such a scale: narrower types have it of their own.
    """
    yield False, None
    cout = kernel.geometry.cout
    if cout > 1:
        agreeing = _agreeing(kernel, position, channel)
        if 1 < len(agreeing) < cout:
            yield False, agreeing
        yield False, np.array([channel])
    if kernel.geometry.dtype == "float32":
        yield True, None
        if cout > 1:
            yield True, np.array([channel])


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
    kernel: BudgetedKernel,
    site: Site,
    calls: Sequence[ObservedCall],
    plus_zero: bool,
    tried: set[Tree],
) -> RevealedOrder:
    """Reveal and replay one element; Raises RefusedError where its bits are not reproduced.

    tried: trees that do not reproduce them; one is added where it doesn't, either.
    """
    check_units(kernel, site)
    guessed = _guessed(kernel, site)
    tree, confirmed = guessed or (_revealed(kernel, site), False)
    geometry = kernel.geometry
    found = None if tree in tried else _replaying(geometry, tree, calls, site, plus_zero)
    tried.add(tree)
    if found is not None:
        if guessed is None:
            # With one lane, all channels have carried the probes of one and the same.
            confirmed = len(site.lanes) == 1 or confirm(kernel, site, tree)
        return RevealedOrder(found, site.agreeing, confirmed)
    raise RefusedError(
        "not-replayed",
        "the order read from the probes does not give the element's bits in any known arithmetic",
    )


def _guessed(kernel: BudgetedKernel, site: Site) -> tuple[Tree, bool] | None:
    """Return a guessed tree that the readings confirm, and whether all of them were made."""
    agreeing = site.agreeing
    for tree in guess(kernel, site):
        site.agreeing = agreeing.copy()
        try:
            _cross_check(kernel, site, tree)
            return tree, confirm(kernel, site, tree)
        except RefusedError as refused:
            if refused.refusal.kind == "budget":
                raise
    site.agreeing = agreeing
    return None


def _revealed(kernel: BudgetedKernel, site: Site) -> Tree:
    """Return the tree that the readings make, with its fused products."""
    tree = reveal_tree(kernel, site)
    _cross_check(kernel, site, tree)
    return mark_fused(kernel, site, tree)


def _replaying(
    geometry: Geometry, tree: Tree, calls: Sequence[ObservedCall], site: Site, plus_zero: bool
) -> Order | None:
    """Return the first order of a tree, likeliest first, that gives the bits of all calls.

    Random numbers are nowhere subnormal: what is flushed is tried on the case's own alone.
    """
    case, *random = calls
    for arithmetic, fused in arithmetics(tree, geometry.dtype, plus_zero, narrow=site.narrow):
        # Products are exact in a wider accumulator: fused or not is one and the same there.
        order = Order(fused.unfused() if arithmetic.wide else fused, arithmetic)
        if not all(_gives(order, geometry, call, site) for call in random):
            continue
        for flush in flushes(geometry.dtype):
            flushing = replace(order, arithmetic=replace(arithmetic, flush=flush))
            if _gives(flushing, geometry, case, site):
                return flushing
    return None


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
