"""What is counted by blocks on all cores is, bit for bit, what every element alone adds up to."""

from __future__ import annotations

import sys
from unittest import mock

import numpy as np
import one_by_one
import pytest
from drawn import convolutions
from hypothesis import given
from hypothesis import strategies as st
from soak import soak

from convdiff.case.arrays import numpy_dtype
from convdiff.compare import reference as references
from convdiff.compare.difference import measure
from convdiff.compare.ratios import ratios
from convdiff.compare.reference import Reference
from convdiff.numerics import blocks
from convdiff.numerics.floats import FORMATS, ulps

DTYPES = ("float16", "bfloat16", "float32", "float64")
MOST = st.sampled_from([1, 2, 3, 10, sys.maxsize])


def facts(value: object) -> object:
    """Return what a measure says such that equal facts are equal bits."""
    if isinstance(value, np.ndarray):
        return value.dtype.name, value.shape, value.tobytes()
    if hasattr(value, "__dict__"):
        return [facts(field) for field in vars(value).values()]
    return type(value), value.hex() if isinstance(value, float) else value


@st.composite
def pairs(draw: st.DrawFn, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw two outputs: of any bits, close to each other, or of what is odd; maybe views."""
    dtype, bits = numpy_dtype(name), FORMATS[name].bits
    shape = (*draw(st.tuples(*[st.integers(0, 3)] * 2)), draw(st.integers(1, 5)), 3)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    top = np.iinfo(bits).max
    kind = draw(st.sampled_from(["any", "close", "odd", "subnormal"]))
    a = rng.integers(0, top, shape, bits, endpoint=True).view(dtype)
    if kind in ("close", "odd"):
        a = rng.standard_normal(shape).astype(dtype)
    if kind == "subnormal":
        a = rng.integers(0, 9, shape, bits).view(dtype)
    odd = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0]).astype(dtype)
    a = rng.choice(odd, shape) if kind == "odd" else a
    b = a.copy()
    changed = rng.random(shape) < draw(st.sampled_from([0, 0.05, 0.5, 1]))
    if kind == "odd":
        b[changed] = rng.choice(odd, int(changed.sum()))
    else:
        b.view(bits)[changed] += bits.type(draw(st.integers(0, 3)))
        b.view(bits)[changed] ^= bits.type(draw(st.sampled_from([0, 1 << (8 * bits.itemsize - 1)])))
    first = draw(st.integers(0, 2))
    return a[..., first:], b[..., first:]


@soak(10_000)
@given(st.data(), st.sampled_from(DTYPES))
def test_a_difference_is_measured_as_element_by_element(data, name):
    (a, b), most = data.draw(pairs(name)), data.draw(MOST)
    strict = data.draw(st.booleans())
    with mock.patch.object(blocks, "BLOCK_ELEMENTS", data.draw(st.integers(1, 40))):
        wanted = one_by_one.difference(a, b, strict, most)
        assert facts(measure(a, b, strict, most)) == facts(wanted)


@soak(10_000)
@given(st.data(), st.sampled_from(DTYPES))
def test_ulps_are_those_of_pythons_integers(data, name):
    a, b = (side.reshape(-1) for side in data.draw(pairs(name)))
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = a[finite], b[finite]
    assert ulps(a, b).tolist() == ulps(b, a).tolist() == one_by_one.steps(a, b).tolist()


@soak(3200)
@given(st.data(), st.sampled_from(DTYPES).flatmap(convolutions))
def test_ratios_are_those_of_each_block_by_itself(data, drawn):
    conv, tensors = drawn
    with mock.patch.object(references, "WHOLE", data.draw(st.sampled_from([0, 10**6]))):
        reference = Reference(conv, tensors)
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        a = rng.standard_normal(reference.shape).astype(numpy_dtype(conv.dtype))
        b = a.copy()
        changed = rng.random(a.shape) < data.draw(st.sampled_from([0, 0.1, 0.6, 1]))
        b.view(FORMATS[conv.dtype].bits)[changed] += data.draw(st.sampled_from([1, 9]))
        odd = rng.random(a.shape) < data.draw(st.sampled_from([0, 0, 0.2]))
        b[odd] = rng.choice([np.nan, np.inf, -np.inf], int(odd.sum())).astype(b.dtype)
        mask = rng.random(a.shape) < data.draw(st.sampled_from([0.5, 1]))
        for measured in (mask, np.ones((1, 1, 1, 1), bool)):
            with mock.patch.object(blocks, "BLOCK_ELEMENTS", data.draw(st.integers(1, 40))):
                wanted = one_by_one.ratios(a, b, measured, reference)
                assert facts(ratios(a, b, measured, reference)) == [facts(one) for one in wanted]


@pytest.mark.parametrize("share", [0, 1e-5, 0.5])
def test_blocks_of_their_own_size_on_all_cores_agree_too(share):
    rng = np.random.default_rng(3)
    a = rng.standard_normal((1, 40, 90, 64)).astype(np.float32)
    b = a.copy()
    changed = rng.random(a.shape) < share
    b.view(np.uint32)[changed] += rng.integers(0, 3, int(changed.sum()), np.uint32)
    assert facts(measure(a, b, False, 10)) == facts(one_by_one.difference(a, b, False, 10))
