"""The proven order of one output element, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.inquiry import Inquiry
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.replay import Order
from convdiff.order.replay.rounding_candidates import arithmetics, flushes
from convdiff.order.replay.verification import gives
from convdiff.order.reveal.classify_refusal import classify
from convdiff.order.reveal.confirm import confirm
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.guess import guess
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.mask_probes import Site, check_units, masked
from convdiff.order.reveal.refusal import Refusal, RefusedError
from convdiff.order.reveal.reveal import reveal_tree
from convdiff.order.reveal.suite import can_be_verified, has_overflows
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes

#: Equal probes sent to all channels to find those that share an element's order.
_PILOT_PROBES = 8


def explain_element(
    inquiry: Inquiry, position: int, channel: int, *, first: bool = True
) -> Refusal | None:
    """Prove the order of an element, and with it those of others, or return a refusal.

    All channels carry probes at first. Where that does not end in a proof, the channels may differ
    in their order: those that answer equal probes equally are trusted next, then its own.
    first: no element before has none; else only the dtype's own scale is tried, as another one did
    not help. Raises RefusedError (budget).
    """
    kernel = inquiry.kernel
    failure: Refusal | None = None
    last = ""
    tried: set[Tree] = set()
    for narrow, lanes in _trusted(kernel, position, channel):
        if narrow and (not first or last == "not-replayed"):
            break  # what a narrow scale is for was read, or will not be
        try:
            site = Site.at(kernel, position, channel, lanes, narrow=narrow)
            _prove(inquiry, site, tried)
            return None
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


def _prove(inquiry: Inquiry, site: Site, tried: set[Tree]) -> None:
    """Reveal one element's tree, verify it by vectors where there are such, else by more readings.

    tried: trees that do not reproduce its bits; one is added where it doesn't, either. Raises
    RefusedError where the element's bits are not reproduced.
    """
    kernel = inquiry.kernel
    check_units(kernel, site)
    if _guessed(inquiry, site):
        return
    tree = reveal_tree(kernel, site)
    verifiable = can_be_verified(kernel.geometry, tree) and not site.narrow
    if not verifiable:
        _cross_check(kernel, site, tree)
    marked = mark_fused(kernel, site, tree)
    if verifiable:
        inquiry.try_tree(marked)
        if not inquiry.left[site.position, site.channel]:
            return
        _cross_check(kernel, site, tree)
    order = None if marked in tried else _replaying(inquiry, site, marked, verifiable)
    tried.add(marked)
    if order is None:
        raise RefusedError(
            "not-replayed",
            "the order read from the probes does not give the element's bits in any known "
            "arithmetic",
        )
    if verifiable and has_overflows(order.tree, order.arithmetic):
        inquiry.try_tree(order.tree, order.arithmetic)
        if not inquiry.left[site.position, site.channel]:
            return
    # With one lane, all channels have carried the probes of one and the same.
    confirmed = len(site.lanes) == 1 or confirm(kernel, site, marked)
    inquiry.take(order, site.agreeing, confirmed=confirmed)


def _guessed(inquiry: Inquiry, site: Site) -> bool:
    """Return whether vectors verified a guessed tree of the element."""
    geometry = inquiry.kernel.geometry
    if site.narrow or not can_be_verified(geometry):
        return False
    for tree in guess(inquiry.kernel, site):
        if can_be_verified(geometry, tree):
            inquiry.try_tree(tree)
        if not inquiry.left[site.position, site.channel]:
            return True
    return False


def _replaying(inquiry: Inquiry, site: Site, tree: Tree, refuted: bool) -> Order | None:
    """Return the first order of a tree, likeliest first, that gives the bits of all calls.

    Random numbers are nowhere subnormal: what is flushed is tried on the case's own alone.
    refuted: vectors have shown that the tree's sums are not those of the dtype itself.
    """
    geometry = inquiry.kernel.geometry
    case, *random = inquiry.trials.all()
    element = site.position, site.channel
    plus_zero = bool(inquiry.plus_zero[element])
    plain = Arithmetic(geometry.dtype, zero_start=plus_zero)
    for arithmetic, fused in arithmetics(tree, geometry.dtype, plus_zero, narrow=site.narrow):
        if refuted and arithmetic == plain and fused == tree:
            continue
        # Products are exact in a wider accumulator: fused or not is one and the same there.
        order = Order(fused.unfused() if arithmetic.wide else fused, arithmetic)
        if not all(gives(order, geometry, call, *element) for call in random):
            continue
        for flush in flushes(geometry.dtype):
            flushing = replace(order, arithmetic=replace(arithmetic, flush=flush))
            if gives(flushing, geometry, case, *element):
                return flushing
    return None


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
