"""Blocks: nothing is left out, nothing comes twice, and everything comes in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convdiff.numerics.blocks import BLOCK_ELEMENTS, blocks, corner


@given(st.lists(st.integers(1, 6), max_size=4), st.integers(1, 50))
def test_every_element_comes_once_and_in_c_order_in_blocks_no_larger_than_asked(shape, size):
    places = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    cut = [places[block] for block in blocks(tuple(shape), size)]
    assert np.array_equal(np.concatenate([part.ravel() for part in cut]), places.ravel())
    assert all(part.size <= size for part in cut)
    for block, part in zip(blocks(tuple(shape), size), cut, strict=True):
        assert part.size and places[corner(block)] == part.flat[0]


def test_a_small_array_is_one_block_and_a_large_one_few():
    assert list(blocks((1, 2, 3, 4))) == [(slice(0, 1), slice(0, 2), slice(0, 3), slice(0, 4))]
    for shape in ((1, 3163, 3163, 1), (1, 1, 10**7, 1), (10**7, 1, 1, 1), (1, 1, 3, 10**6)):
        assert sum(1 for _ in blocks(shape)) < 2 * np.prod(shape) / BLOCK_ELEMENTS


def test_an_empty_array_has_only_empty_blocks():
    assert sum(np.empty((0, 3, 2))[block].size for block in blocks((0, 3, 2))) == 0
