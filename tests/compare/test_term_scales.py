"""Scales made place by place are those made of everything at once."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import convolutions
from hypothesis import given, settings
from hypothesis import strategies as st

from convdiff.case.arrays import Tensors
from convdiff.compare import term_scales as module
from convdiff.compare.fp64 import scales
from convdiff.compare.term_scales import TermScales
from convdiff.numerics.blocks import blocks
from convdiff.worker.ops.convolution import Convolution


def assert_alike(conv: Convolution, tensors: Tensors, size: int, seed: int, share: float) -> None:
    whole, places = scales(conv, tensors), TermScales(conv, tensors)
    mask = np.random.default_rng(seed).random(whole.absolute.shape) < share
    for block in blocks(mask.shape, size):
        found, here = places.scales(block, mask[block]), mask[block]
        for name in ("absolute", "euclidean"):
            wanted = getattr(whole, name)[block][here]
            np.testing.assert_allclose(getattr(found, name), wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["bfloat16", "float32", "float64"])
def test_scales_by_place_are_the_scales(name):
    @settings(max_examples=80)
    @given(convolutions(name), st.integers(1, 60), st.integers(0, 99), st.sampled_from([0, 0.3, 1]))
    def check(drawn, size, seed, share) -> None:
        assert_alike(*drawn, size, seed, share)

    check()


def test_terms_whose_squares_are_too_large_are_no_warning(recwarn):
    x, w = np.full((1, 1, 3, 1), 1e200), np.full((1, 2, 1, 1), 1e50)
    size = scales(Convolution((1, 2), 1, 1, dtype="float64"), Tensors(w, None, x))
    assert np.isinf(size.euclidean).all() and np.isfinite(size.absolute).all() and not recwarn


def test_many_places_are_made_some_at_a_time(monkeypatch):
    rng = np.random.default_rng(0)
    conv = Convolution((2, 3), 2, 4, groups=2)
    tensors = Tensors(
        rng.standard_normal(conv.filter_shape).astype(np.float32),
        rng.standard_normal(4).astype(np.float32),
        rng.standard_normal((2, 12, 11, 2)).astype(np.float32),
    )
    monkeypatch.setattr(module, "TABLE_INPUTS", 1)
    monkeypatch.setattr(module, "FEWEST_OUTPUTS", 7)
    assert_alike(conv, tensors, 10**6, 1, 0.5)
