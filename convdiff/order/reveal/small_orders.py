"""The sums of all orders of a few terms, and vectors that tell one of them from all others.

All trees over a set of leaves are made of all trees over its two halves, whichever they are; where
a half is one product it may be fused. For 6 products that is 37,935 orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.fma import fma32
from convdiff.order.reveal.cover import cover
from convdiff.order.reveal.half_ulp_vectors import FACTOR

#: Terms of which all orders are looked at.
FEW_LEAVES = 6

#: How many of the vectors chosen are to tell an order from each other one.
_TIMES = 2


def telling(weights: Array, taps: int, own: Array) -> tuple[list[int], int]:
    """Return the vectors that tell an order from all others, and how many others none of them does.

    weights: (vectors, leaves) float32 to choose from; own: (vectors,) the order's own sums.
    """
    sums = all_sums(weights, taps)
    caught = (sums != own) & ~(np.isnan(sums) & np.isnan(own))
    missed = int((~caught.any(axis=1)).sum()) - 1  # the order itself is among them
    return cover(caught, _TIMES), missed


def all_sums(weights: Array, taps: int) -> Array:
    """Return (orders, vectors) float32 sums of every order of the leaves, the bias last if any."""
    leaves = weights.shape[1]
    with np.errstate(all="ignore"):
        rounded = np.where(np.arange(leaves) < taps, weights * FACTOR, weights).T[:, None]
        sums = {frozenset([leaf]): rounded[leaf] for leaf in range(leaves)}
        for size in range(2, leaves + 1):
            for members in combinations(range(leaves), size):
                rows = list(_sums_of(members, sums, weights.T, taps))
                sums[frozenset(members)] = np.concatenate(rows)
    return np.asarray(sums[frozenset(range(leaves))])


def _sums_of(
    members: Sequence[int], sums: dict[frozenset[int], Array], weights: Array, taps: int
) -> Iterator[Array]:
    """Yield the sums of each two sets that these leaves fall into, fused ones too."""
    for first, second in _halves(members):
        one, other = sums[first], sums[second]
        yield (one[:, None] + other[None]).reshape(-1, one.shape[1])
        for half, rest in ((first, other), (second, one)):
            (leaf, *more) = half
            if not more and leaf < taps:
                yield fma32(FACTOR, weights[leaf], rest)


def _halves(members: Sequence[int]) -> Iterator[tuple[frozenset[int], frozenset[int]]]:
    """Yield each way to split a set in two, the first leaf in the first."""
    first, *others = members
    for count in range(len(others)):
        for joined in combinations(others, count):
            half = frozenset((first, *joined))
            yield half, frozenset(members) - half
