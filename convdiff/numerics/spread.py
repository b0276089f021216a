"""Some indices of an array, spread over all of it: which outputs of many are looked at."""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array

TAIL = 16
"""The last indices along an axis, which a kernel's blocks and vectors often treat apart."""


def spread(shape: tuple[int, ...], count: int) -> Array:
    """Return so many indices of an array, (count, axes) in C order, each once.

    They are the same every time. All corners; half of the rest lie on a border or among the last
    along some axis, half anywhere. count: at most the array's size.
    """
    corners = [[0, extent - 1] for extent in shape]
    first = set(np.ravel_multi_index(np.meshgrid(*corners), shape).ravel().tolist())
    flat = set(first)
    rng, extents = np.random.default_rng(20170215), np.array(shape)
    while len(flat) < count:
        index = rng.integers(0, extents, (count, len(shape)))
        axes = rng.integers(0, len(shape), count // 2)
        index[np.arange(count // 2), axes] = _edges(rng, extents[axes])
        flat |= set(np.ravel_multi_index(tuple(index.T), shape).tolist())
    others = rng.permutation(sorted(flat - first))
    kept = np.concatenate([rng.permutation(sorted(first)), others])[:count].astype(np.int64)
    return np.stack(np.unravel_index(np.sort(kept), shape), axis=1)


def _edges(rng: np.random.Generator, extents: Array) -> Array:
    """Return the first, the last, or one of the last indices of axes of these extents."""
    back = rng.integers(1, np.minimum(TAIL, extents), endpoint=True)
    places = np.stack([np.zeros_like(extents), extents - 1, extents - back])
    return np.asarray(places[rng.integers(0, len(places), len(extents)), np.arange(len(extents))])
