"""Vectors of weights whose sum shows, for each product, whether it enters its addition unrounded.

In units of the last place: every node has a state, -1, 0 or 1, and a sum of state 1 or -1 stays
near 1.5 * 2**23 of either sign, where numbers are whole. The product of a leaf without a state
rounds to a whole number and a half, but is a hair more or less. Added unrounded, the hair decides;
added rounded it is a tie, which goes to the even number: its parity is chosen so that this is the
other one. What is off by one then stays off, as all hairs of a vector have one sign. A leaf with a
state has a product that leaves up to half a unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.fma import fma32
from convdiff.order.reveal.carried import UNITS, carried
from convdiff.order.reveal.cover import cover
from convdiff.order.reveal.states import KINDS, Splits, from_root
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes

#: The input of all products.
FACTOR = np.float32(1.0 + probes.SCALES["float32"][2])

#: Units of a state, how far a leaf that has one may be off, and what a unit is in the end.
_STATE, _OFF, _UNIT = 1.5 * 2.0**23, 2048, np.float32(2.0**-23)

#: Vectors drawn at once, and how many of those chosen are to catch each flip.
_CANDIDATES, _TIMES = 64, 3

#: How many of the products without a state are ties: in turns, by vector. Where all are, most flips
#: are seen; but what a fused product is off by, the next tie that is rounded may take back.
_TIES = (1.0, 0.5, 0.2, 0.05)

#: By draw, of which there are no more than are needed: how often a state goes to a leaf and not to
#: the sum that it is added to. And how often a sum without one is of two that have opposite ones.
_TO_LEAF, _OPPOSITE = (0.03, 0.1, *(0.2,) * 14), 0.75

#: Entries of a table of ties, for each sign of the hair and each parity; and the thinnest hair,
#: which a float64 sum of the size of a state still shows.
_ENTRIES, _HAIR = 8, 2.0**-26


@dataclass(frozen=True, eq=False)
class Sums:
    """Vectors of a tree in units of the last place, with all that is summed.

    weights (leaves, vectors) float32; exact (leaves, vectors) float64, their products; values
    (leaves + nodes, vectors) float32, products and partial sums as they are rounded. Fused ones are
    rounded to float64 first, which shows next to never: vectors are chosen by them, and what is
    expected of a vector is the replay's.
    """

    weights: Array
    exact: Array
    values: Array


def half_ulp_vectors(tree: Tree, random: np.random.Generator) -> tuple[Array, int]:
    """Return (vectors, leaves) float32 weights, and how many flips none of them shows.

    tree: all its nodes binary. Where a product is fused that was not, or the other way round, or
    the other one of two, three vectors give another sum, as far as so many are to be had.
    """
    weights = np.zeros((tree.leaves, 0), np.float32)
    caught = np.zeros((len(flips(tree)), 0), bool)
    for to_leaf in _TO_LEAF:
        if (caught.sum(axis=1) >= _TIMES).all():
            break
        sums = drawn(tree, _CANDIDATES, random, to_leaf)
        weights = np.concatenate([weights, sums.weights], axis=1)
        caught = np.concatenate([caught, flips_caught(tree, sums)], axis=1)
    chosen = cover(caught, _TIMES)
    return weights[:, chosen].T * _UNIT, int((~caught.any(axis=1)).sum())


def drawn_weights(tree: Tree, count: int, random: np.random.Generator) -> Array:
    """Return (count, leaves) float32 weights, as they are drawn."""
    return np.asarray(drawn(tree, count, random).weights.T * _UNIT)


def flips(tree: Tree) -> Array:
    """Return (flips, 2), the node and the leaf for each way to fuse a node otherwise.

    Leaf -1 rounds all products.
    """
    children = np.array(tree.children, np.int64).reshape(-1, 2)
    able = np.column_stack([np.full(len(children), -1), children])
    other = (able < tree.taps) & (able != np.array(tree.fused, np.int64)[:, None])
    return np.column_stack([np.nonzero(other)[0] + tree.leaves, able[other]])


def flips_caught(tree: Tree, sums: Sums) -> Array:
    """Return (flips, vectors), whether the result is another one for certain where this is flipped.

    Alone. What is off by less than a unit is not counted, though it may come to be one.
    """
    nodes, leaves = flips(tree).T
    one, other = np.array(tree.children, np.int64)[nodes - tree.leaves].T
    flipped = sums.values[one] + sums.values[other]
    fused = leaves >= 0
    rest = (one + other - leaves)[fused]
    flipped[fused] = fma32(FACTOR, sums.weights[leaves[fused]], sums.values[rest])
    flipped -= sums.values[nodes]
    caught = np.zeros(flipped.shape, bool)
    for sign, sure in carried(tree, sums.values, sums.exact).items():
        for units, rows in zip(UNITS, sure, strict=True):
            caught |= rows[nodes - tree.leaves] & (flipped * sign >= units)
    return caught


def drawn(
    tree: Tree, count: int, random: np.random.Generator, to_leaf: float = _TO_LEAF[1]
) -> Sums:
    """Return random vectors of a tree: states from the root down, then weights from the leaves."""
    leaves = _states(tree, count, random, to_leaf)[: tree.leaves]
    shape = leaves.shape
    ties = random.random(shape) < np.resize(_TIES, count)
    ties[tree.taps :] = False
    ties &= leaves == 0
    hairs = random.integers(0, 2, count)
    entries = random.integers(0, _ENTRIES, shape) + hairs * (3 * _ENTRIES)
    weights = _untied(tree, leaves, random)
    even, odd = (
        np.where(ties, _tie_weights().take(at), weights) for at in (entries, entries ^ _ENTRIES)
    )
    return _summed(tree, even, odd)


def _summed(tree: Tree, even: Array, odd: Array) -> Sums:
    """Return the sums of weights that are chosen by whether they are added to an even sum.

    Sums of state 1 or -1 alone matter, the last bit of which is that of their whole number.
    """
    exact, other_exact = even.astype(np.float64), odd.astype(np.float64)
    for products in (exact, other_exact):
        products[: tree.taps] *= FACTOR
    values = np.empty((tree.root + 1, even.shape[1]), np.float32)
    values[: tree.leaves] = exact
    bits, is_odd = values.view(np.int32), np.zeros(even.shape, bool)
    for k, (fused, parts) in enumerate(zip(tree.fused, tree.children, strict=True)):
        for leaf, onto in (parts[::-1], parts):
            if leaf < tree.leaves:
                is_odd[leaf] = bits[onto] & 1
                np.copyto(exact[leaf], other_exact[leaf], where=is_odd[leaf])
                values[leaf] = exact[leaf]
        if fused < 0:
            np.add(values[parts[0]], values[parts[1]], out=values[tree.leaves + k])
        else:
            values[tree.leaves + k] = exact[fused] + values[sum(parts) - fused]
    return Sums(np.where(is_odd, odd, even), exact, values)


def _untied(tree: Tree, states: Array, random: np.random.Generator) -> Array:
    """Return the weights of leaves that are no ties: those with a state, and a few others."""
    off = random.integers(-_OFF, _OFF, states.shape)
    small = random.uniform(-16.0, 16.0, states.shape)
    weights = np.where(states == 0, small, states * (_STATE + off)).astype(np.float32)
    weights[tree.taps :] = np.rint(weights[tree.taps :] * FACTOR)  # the bias is no product
    return weights


@cache
def _tie_weights() -> Array:
    """Return weights whose product rounds to m + 1/2: by the sign of the hair, then m's parity."""
    rows: list[list[float]] = [[], [], [], []]
    for m in range(-24, 24):
        weight = np.float32((m + 0.5) / float(FACTOR))
        exact = float(weight) * float(FACTOR)
        if np.float32(exact) == m + 0.5 and abs(exact - (m + 0.5)) > _HAIR:
            rows[2 * (exact < m + 0.5) + m % 2].append(float(weight))
    return np.concatenate([np.resize(row, _ENTRIES) for row in rows]).astype(np.float32)


def _states(tree: Tree, count: int, random: np.random.Generator, to_leaf: float) -> Array:
    """Return (leaves + nodes, count) int8 states, drawn from the root down."""
    bytes_ = random.integers(0, 256, (len(tree.children), count), np.int16)
    root = random.choice(np.array([-1, 1], np.int8), count)
    return from_root(tree, bytes_, root, _splits(to_leaf))


@cache
def _splits(to_leaf: float) -> Splits:
    """Return the first operand's states."""
    splits = {}
    for kind in KINDS:
        first = 0.5
        if kind[0] != kind[1]:
            first = to_leaf if kind[0] else 1 - to_leaf
        with_state = (np.arange(256) < 256 * first).astype(np.int8)
        opposite = np.array([1, -1]).take(np.arange(256) % 2)
        opposite *= np.arange(256) < 256 * _OPPOSITE
        splits[kind] = np.concatenate([-with_state, opposite, with_state]).astype(np.int8)
    return splits
