"""The vectors that verify one tree, and the sums that it gives to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.replay import Data, Order, replay
from convdiff.order.reveal.half_ulp_vectors import FACTOR, drawn_weights, half_ulp_vectors
from convdiff.order.reveal.overflow_vectors import (
    BFLOAT16_STEP,
    MOST_LEAVES,
    STEP,
    drawn_overflows,
    overflow_vectors,
)
from convdiff.order.reveal.small_orders import FEW_LEAVES, telling
from convdiff.order.tree.tree import Tree

#: Vectors asked first: most other trees fall with them.
_FIRST = 2

#: Vectors of each kind that those of a small tree are chosen from.
_CANDIDATES = 24


def has_overflows(tree: Tree, arithmetic: Arithmetic) -> bool:
    """Return whether overflow alone tells an order from others: of few terms it does not."""
    return arithmetic.overflow_tells_all and tree.leaves > FEW_LEAVES


def can_be_verified(geometry: Geometry, tree: Tree | None = None) -> bool:
    """Return whether there are vectors for a tree, or without one for any tree of this shape.

    They are for sums of float32 kept in float32, of two operands each.
    """
    if geometry.dtype != "float32" or geometry.leaves > MOST_LEAVES:
        return False
    return tree is None or tree.adds_two


@dataclass(frozen=True, eq=False)
class Vectors:
    """Weights (vectors, leaves), the same in all channels, and the (vectors,) sums they give.

    undecided: fused flags of the tree that none of them shows.
    """

    weights: Array
    expected: Array
    undecided: int = 0


class Suite:
    """All vectors of a tree, each kind chosen once it is asked for; see `can_be_verified`.

    arithmetic: None where its sums are plain float32, else what they are. There
    overflow tells all, and a fused product is as good as another: no vector looks for it.
    """

    def __init__(self, tree: Tree, arithmetic: Arithmetic | None = None) -> None:
        self.tree, self.arithmetic = tree, arithmetic

    def stages(self) -> Iterator[Vectors]:
        """Yield the vectors in the order in which they are best asked."""
        first = self._few if self.tree.leaves <= FEW_LEAVES else self._overflow
        for part in (slice(0, _FIRST), slice(_FIRST, None)):
            yield Vectors(first.weights[part], first.expected[part], first.undecided)
        if self.tree.leaves > FEW_LEAVES and self.arithmetic is None:
            yield self._half_ulp

    @cached_property
    def undecided(self) -> int:
        """Fused flags that no vector shows."""
        return max(vectors.undecided for vectors in self.stages())

    @cached_property
    def _few(self) -> Vectors:
        """Vectors that tell a tree from every other one of as many terms."""
        random = self._random()
        candidates = np.concatenate(
            [draw(self.tree, _CANDIDATES, random) for draw in (drawn_overflows, drawn_weights)]
        )
        expected = predicted(self.tree, candidates)
        chosen, missed = telling(candidates, self.tree.taps, expected)
        return Vectors(candidates[chosen], expected[chosen], missed)

    @cached_property
    def _overflow(self) -> Vectors:
        step = STEP if self.arithmetic is None else BFLOAT16_STEP
        weights = overflow_vectors(self.tree, self._random(), step)
        return Vectors(weights, predicted(self.tree, weights, self.arithmetic))

    @cached_property
    def _half_ulp(self) -> Vectors:
        weights, undecided = half_ulp_vectors(self.tree, self._random())
        return Vectors(weights, predicted(self.tree, weights), undecided)

    def _random(self) -> np.random.Generator:
        return np.random.default_rng(self.tree.leaves)


def predicted(tree: Tree, weights: Array, arithmetic: Arithmetic | None = None) -> Array:
    """Return the (vectors,) float32 sums of (vectors, leaves) weights, by the tree's replay.

    Each vector is a channel of a convolution of one position. arithmetic: see `Suite`.
    """
    vectors, taps = len(weights), tree.taps
    if not vectors:
        return np.zeros(0, np.float32)
    geometry = Geometry((1, 1, taps, 1), (1, taps, 1, vectors), tree.has_bias)
    data = Data(
        np.full(geometry.input_nhwc, FACTOR),
        weights[:, :taps].T.reshape(geometry.filter_hwio),
        weights[:, taps] if tree.has_bias else None,
    )
    (sums,) = replay(Order(tree, arithmetic or Arithmetic()), geometry, data)
    return np.asarray(sums)
