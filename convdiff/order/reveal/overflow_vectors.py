"""Vectors of weights that overflow in any other tree than the one they are drawn for.

Every node has a state, a whole number in -L ... L, whose children's states add up to it. A leaf
with state s weighs s * h, where L * h is finite and (L + 1) * h is not; one without weighs a random
number of the size of the top binade's ulp. Summed in the tree all sums are finite. In another tree
some sum of states leaves the range: it is infinite, and then infinite or NaN to the end.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.reveal.cover import cover
from convdiff.order.reveal.states import KINDS, Splits, from_root
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes

#: The largest state; what a state of 1 adds to a sum; what a state of 0 may add.
LARGEST = 4
STEP = 0.24 * 2.0**128 / (1.0 + probes.SCALES["float32"][2])
_NOISE = 2.0**105

#: What a state of 1 weighs where bfloat16 must hold all states: it is of four bits.
BFLOAT16_STEP = 15 * 2.0**122

#: Leaves up to which the noise of all of them together is far below the step.
MOST_LEAVES = 2**16

#: Vectors to choose from, and how many of those chosen are to catch each rotation.
_CANDIDATES, _TIMES = 256, 3


def overflow_vectors(tree: Tree, random: np.random.Generator, step: float = STEP) -> Array:
    """Return (vectors, leaves) float32 weights in which each rotation of the tree overflows.

    tree: all its nodes binary. step: what a state of 1 weighs. Each rotation of each node is caught
    for certain, by three vectors.
    """
    states = draw_states(tree, _CANDIDATES, random)
    chosen = cover(overflowing(tree, states), _TIMES)
    return weights_of(states[: tree.leaves, chosen], random, step)


def drawn_overflows(tree: Tree, count: int, random: np.random.Generator) -> Array:
    """Return (count, leaves) float32 weights, as they are drawn."""
    return weights_of(draw_states(tree, count, random)[: tree.leaves], random)


def draw_states(tree: Tree, count: int, random: np.random.Generator) -> Array:
    """Return (leaves + nodes, count) int8 states, drawn from the root down."""
    drawn = random.integers(0, 256, (len(tree.children), count), np.int16)
    root = random.integers(-LARGEST, LARGEST, count, np.int8, endpoint=True)
    return from_root(tree, drawn, root, _splits())


@cache
def _splits() -> Splits:
    """Return a child's states: a of s with a weight of exp((|a| + |s - a|) / L).

    Large states of both signs are the likelier, since these overflow where they meet.
    """
    rows = []
    for state in range(-LARGEST, LARGEST + 1):
        parts = np.arange(max(-LARGEST, state - LARGEST), min(LARGEST, state + LARGEST) + 1)
        weight = np.exp((np.abs(parts) + np.abs(state - parts)) / LARGEST)
        share = np.cumsum(weight) / weight.sum()
        rows.append(parts[np.searchsorted(share, (np.arange(256) + 0.5) / 256)])
    return dict.fromkeys(KINDS, np.concatenate(rows).astype(np.int8))


def overflowing(tree: Tree, states: Array) -> Array:
    """Return (rotations, vectors), whether the sum that a rotation makes overflows.

    Where ((a, b), c) becomes ((a, c), b), the new sum has the states of a and c, whatever the rest
    of the tree is.
    """
    pairs = rotations(tree)
    return np.asarray(np.abs(states[pairs[:, 0]] + states[pairs[:, 1]]) > LARGEST)


def rotations(tree: Tree) -> Array:
    """Return (rotations, 2): the nodes that meet first once a node is rotated."""
    children = np.array(tree.children, np.int64).reshape(-1, 2)
    nodes = np.arange(tree.leaves, tree.root)
    parents = np.array(tree.parents[tree.leaves : -1], np.int64) - tree.leaves
    siblings = children[parents].sum(axis=1) - nodes
    return np.column_stack([children[:-1].ravel(), np.repeat(siblings, 2)])


def weights_of(states: Array, random: np.random.Generator, step: float = STEP) -> Array:
    """Return (vectors, leaves) float32 weights for (leaves, vectors) states."""
    noise = random.uniform(-_NOISE, _NOISE, states.shape)
    weights: Array = np.where(states == 0, noise, states * step).T.astype(np.float32)
    return weights
