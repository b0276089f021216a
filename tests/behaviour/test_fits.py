"""What a wrong result on the case's own data looks like, where rounding is in the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from findings import tensors
from kernels import rounded_inputs, shuffled, to_bits, with_tap

from convdiff.behaviour.known_faults import fit_data
from convdiff.worker.ops.convolution import Convolution

DEEP = Convolution((3, 3), 64, 4)
SHAPE = (1, 6, 7, 64)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("times", "said"), [(0.0, "is dropped"), (2.0, "is counted twice")])
@pytest.mark.parametrize("tap", [0, 300, 575])
def test_a_lost_tap_gets_its_name_on_the_cases_own_data(
    tap: int, times: float, said: str, dtype: str
):
    conv = DEEP._replace(dtype=dtype)
    data = tensors(conv, SHAPE, 3, bias=True)
    w = data.filter_hwio.reshape(-1, 4).copy()
    w[tap, 2] = 64 if dtype == "float16" else 2  # so much that it stands out of rounding
    data = replace(data, filter_hwio=w.reshape(conv.filter_shape))
    data = replace(data, input_nhwc=(np.sign(data.input_nhwc) + data.input_nhwc / 4))
    place = tuple(int(i) for i in np.unravel_index(tap, conv.filter_shape[:3]))
    found = fit_data(conv, data, with_tap(tap, 2, times)(conv, data))
    assert found == f"tap {place} (kh, kw, cin) {said} in output channel 2"


@pytest.mark.parametrize("seed", range(5))
def test_rounding_is_never_a_lost_tap(seed: int):
    data = tensors(DEEP, SHAPE, seed, bias=True)
    for kernel in (shuffled(seed), rounded_inputs(to_bits(10)), rounded_inputs(to_bits(7))):
        assert fit_data(DEEP, data, kernel(DEEP, data)) is None


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("bits", [7, 10, 14, 16])
def test_an_error_at_one_output_is_no_lost_tap_because_one_of_many_fits(seed: int, bits: int):
    """With 576 taps, some product is as large as any error; one output is no evidence."""
    data = tensors(DEEP, (1, 3, 3, 64), seed, bias=False)
    assert fit_data(DEEP, data, rounded_inputs(to_bits(bits))(DEEP, data)) is None


def test_a_tap_that_rounding_could_lose_is_not_named():
    """Off by less than 8 times what rounding allows: a tap of that size may fit by rounding."""
    conv = Convolution((1, 5), 1, 1)
    data = tensors(conv, (1, 1, 40, 1), 3, bias=False)
    x = np.ones_like(data.input_nhwc)
    for size, said in ((2.0**-16, None), (2.0**-12, "tap (0, 1, 0) (kh, kw, cin) is dropped")):
        w = np.array([1, size, 1, 1, 1], np.float32).reshape(conv.filter_shape)
        made = replace(data, filter_hwio=w, input_nhwc=x)
        found = fit_data(conv, made, with_tap(1, 0, 0.0)(conv, made))
        assert (found or "").startswith(said or "") if said else found is None
