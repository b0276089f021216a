"""NaN and infinity in the data: what IEEE arithmetic makes of them, and what reports hold of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from findings import tensors
from nonfinite import by_ieee, with_values

from convdiff.case.arrays import Tensors
from convdiff.case.nonfinite import cleaned, is_finite
from convdiff.compare import reference as reference_module
from convdiff.compare.ieee import FINITE, NAN, PLUS, kinds, kinds_of
from convdiff.compare.reference import Reference
from convdiff.worker.ops.convolution import Convolution

CONVOLUTIONS = (
    Convolution((1, 3), 2, 3),
    Convolution((2, 3), 4, 6, strides=(2, 1), dilations=(1, 2), groups=2),
    Convolution((3, 2), 3, 3, groups=3, dtype="float64"),
    Convolution((2, 2), 2, 2, dtype="bfloat16"),
)
SHAPE = (2, 6, 8)


def drawn(conv: Convolution, seed: int) -> Tensors:
    """Return data of −2..2 with some NaN, infinities and zeros at random places of all arrays."""
    rng = np.random.default_rng(seed)
    data = tensors(conv, (*SHAPE, conv.channels_in), seed, bias=True)
    special = np.array([np.nan, np.inf, -np.inf, 0.0])

    def some(array: np.ndarray[Any, Any], share: float) -> np.ndarray[Any, Any]:
        chosen = rng.random(array.shape) < share
        values = np.where(
            chosen, rng.choice(special, array.shape), rng.integers(-2, 3, array.shape)
        )
        return values.astype(array.dtype)

    assert data.bias is not None
    return Tensors(some(data.filter_hwio, 0.03), some(data.bias, 0.1), some(data.input_nhwc, 0.02))


@pytest.mark.parametrize("conv", CONVOLUTIONS, ids=str)
def test_the_kinds_of_outputs_are_those_of_the_sums_of_products(conv: Convolution):
    seen = set()
    for seed in range(25):
        data = drawn(conv, seed)
        expected = kinds_of(by_ieee(conv, data))
        assert np.array_equal(kinds(conv, data), expected)
        seen |= set(expected.reshape(-1).tolist())
    assert seen == {0, 1, 2, 3}, "all kinds were drawn"


@pytest.mark.parametrize("conv", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("full", [True, False])
def test_exact_values_are_ieees_and_elsewhere_those_of_the_clean_data(
    conv: Convolution, full: bool, monkeypatch: pytest.MonkeyPatch
):
    if not full:
        monkeypatch.setattr(reference_module, "FULL_LIMIT", 0)
        monkeypatch.setattr(reference_module, "WHOLE", 0)
    data = drawn(conv, 3)
    reference, clean = Reference(conv, data), Reference(conv, cleaned(data))
    index = np.argwhere(np.ones(reference.shape, bool))
    found = reference.exact_at(index).astype(np.float64)
    expected = by_ieee(conv, data).reshape(-1)  # of small integers: exact
    assert np.array_equal(found, expected, equal_nan=True)
    everything = tuple(slice(0, extent) for extent in reference.shape)
    sizes = [one.scales_in(everything, np.ones(one.shape, bool)) for one in (reference, clean)]
    assert np.array_equal(sizes[0].absolute, sizes[1].absolute)
    assert np.isfinite(reference.underflow)


def test_a_nan_times_zero_counts_and_so_does_infinity_times_zero():
    conv = Convolution((1, 2), 1, 1)
    weights = np.array([0.0, 1.0], np.float32).reshape(1, 2, 1, 1)
    for value, expected in ((np.nan, [FINITE, NAN, NAN]), (np.inf, [FINITE, PLUS, NAN])):
        x = np.array([1.0, 1.0, value, 1.0], np.float32).reshape(1, 1, 4, 1)
        assert kinds(conv, Tensors(weights, None, x)).reshape(-1).tolist() == expected


def test_a_nan_in_a_weight_reaches_its_output_channel_and_no_other():
    conv = Convolution((1, 2), 4, 6, groups=2)
    data = with_values(tensors(conv, (1, 1, 5, 4), 1, bias=True), "filter_hwio", nan=(0, 1, 0, 4))
    found = kinds(conv, data)
    assert (found[..., 4] == NAN).all() and not np.delete(found, 4, axis=3).any()
    data = with_values(tensors(conv, (1, 1, 5, 4), 1, bias=True), "bias", plus=(2,))
    found = kinds(conv, data)
    assert (found[..., 2] == PLUS).all() and not np.delete(found, 2, axis=3).any()


def test_clean_data_are_not_copied():
    data = tensors(Convolution((1, 2), 1, 1), (1, 1, 5, 1), 1, bias=False)
    assert is_finite(data) and cleaned(data) is data
    assert Reference(Convolution((1, 2), 1, 1), data).kinds is None
    spoiled = with_values(data, "input_nhwc", minus=(0, 0, 2, 0))
    assert not is_finite(spoiled)
    back = cleaned(spoiled)
    zeroed = data.input_nhwc.copy()
    zeroed[0, 0, 2, 0] = 0
    assert np.array_equal(back.input_nhwc, zeroed) and back.bias is None
    assert not is_finite(replace(data, bias=np.array([np.nan], np.float32)))
