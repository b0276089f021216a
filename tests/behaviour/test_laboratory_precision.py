"""What narrows is told from what is wrong, to the bit; and what few bits hide is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import (
    CELL,
    HEIGHT,
    Kernel,
    add_up,
    bfloat16_accumulator,
    direct,
    half_accumulator,
    measure_with,
    rounded_inputs,
    rounded_output,
    shuffled,
    to_bits,
    winograd,
    with_tap,
)
from soak import crossed, one_in

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.behaviour.first_probes import first_probes
from convdiff.behaviour.probes import integer_sets
from convdiff.behaviour.rounding_widths import _away, _halves, _truncated
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.slow

SQUARE = Convolution((3, 3), 4, 4)
DEEP = Convolution((3, 3), 64, 4)
SHAPE = (2, HEIGHT, 11, 64)


def examined(kernel: Kernel, conv: Convolution = SQUARE) -> tuple[Traits, str | None]:
    behaviour = examine_cell(CELL, conv, HEIGHT, True, measure_with(kernel, conv))
    assert behaviour.traits is not None
    return behaviour.traits, behaviour.fits


def scaled(factor: float) -> Kernel:
    def kernel(conv: Convolution, tensors: Tensors):
        dtype = numpy_dtype(conv.dtype)
        return (direct(conv, tensors) * dtype.type(factor)).astype(dtype)

    return kernel


def halo(factor: float) -> Kernel:
    def kernel(conv: Convolution, tensors: Tensors):
        y = direct(conv, tensors)
        z = y.copy()
        z[:, :, 1:] += y.dtype.type(factor) * y[:, :, :-1]
        return z

    return kernel


def wide_sum(conv: Convolution, tensors: Tensors):
    """Sum in fp32 whatever the format, as real kernels of narrow formats do."""
    return add_up(conv, tensors, range(conv.taps), np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_every_tap_is_in_one_set_of_integers(dtype: str):
    conv = Convolution((3, 3), 512, 4, dtype=dtype)
    sets = integer_sets(conv, (1, 3, 3, 512), True)
    kept = np.stack([probe.tensors.filter_hwio != 0 for probe in sets])
    assert (kept.sum(axis=0) == 1).all()
    assert len(sets) == {"float16": 3, "bfloat16": 19}.get(dtype, 1)
    for probe in sets:
        assert (probe.tensors.input_nhwc != 0).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("tap", [0, 100, 287, 288, 575])
def test_a_tap_dropped_from_a_narrow_format_is_found_wherever_it_is(dtype: str, tap: int):
    conv = Convolution((3, 3), 64, 4, dtype=dtype)
    traits, fits = examined(
        with_tap(
            tap,
            2,
            0.0,
        ),
        conv,
    )
    assert traits.integer_error
    place = tuple(int(i) for i in np.unravel_index(tap, conv.filter_shape[:3]))
    assert fits == f"tap {place} (kh, kw, cin) is dropped in output channel 2"


@crossed(
    conv=[SQUARE, DEEP, Convolution((1, 5), 1, 1)],
    factor=[2.0, 1.2, 1.1, 1.01, 1.0001, 0.5, 0.0],
    dtype=["float32", "float64", "float16", "bfloat16"],
)
def test_an_output_that_is_scaled_is_wrong_and_nothing_else(
    factor: float, conv: Convolution, dtype: str
):
    conv = Convolution(conv.kernel, conv.channels_in, conv.channels_out, dtype=dtype)
    if numpy_dtype(dtype).type(factor) == 1:
        return  # no scale at all in so few bits
    traits, _ = examined(scaled(factor), conv)
    assert traits.integer_error
    assert (traits.narrowed, traits.transform) == (None, None)


@pytest.mark.parametrize("conv", [SQUARE, DEEP], ids=str)
@pytest.mark.parametrize(
    ("kernel", "bits"), [(half_accumulator, 11), (bfloat16_accumulator, 8)], ids=["fp16", "bf16"]
)
def test_an_accumulators_width_is_told(kernel: Kernel, bits: int, conv: Convolution):
    traits, _ = examined(kernel, conv)
    assert traits.narrowed == f"the accumulator keeps {bits} of 24 bits"
    assert traits.integer_error is None


def test_a_width_that_no_accumulator_has_is_no_narrow_accumulator():
    """A 1 that comes back as 0.75 is no rounding."""

    def kernel(conv: Convolution, tensors: Tensors):
        y = direct(conv, tensors)
        constant = np.ptp(tensors.input_nhwc) == 0 and tensors.input_nhwc.flat[0] > 30
        return np.where(y == 1, np.float32(0.75), y) if constant else y

    assert examined(kernel)[0].narrowed is None


@pytest.mark.parametrize("way", [_truncated, _away, _halves])
@pytest.mark.parametrize("bits", [8, 11])
def test_other_ways_of_rounding_are_precision_too(way, bits: int):
    def to(values):
        return way(values.astype(np.float64), bits).astype(values.dtype)

    traits, _ = examined(rounded_inputs(to))
    assert traits.narrowed
    assert (traits.transform, traits.integer_error) == (None, None)


@pytest.mark.parametrize("share", [2.0**-6, 2.0**-9, 2.0**-12])
def test_an_error_of_a_roundings_size_that_is_none_is_wrong(share: float):
    """Inputs that are off, each by its own share, where they are no integers."""

    def kernel(conv: Convolution, tensors: Tensors):
        x = tensors.input_nhwc
        rng = np.random.default_rng(5)
        noise = np.where(x == np.rint(x), 0, share * (rng.random(x.shape) - 0.5))
        changed = Tensors(tensors.filter_hwio, tensors.bias, (x * (1 + noise)).astype(x.dtype))
        return direct(conv, changed)

    traits, _ = examined(kernel)
    assert traits.integer_error
    assert (traits.narrowed, traits.transform) == (None, None)


def dropping(kernel: Kernel, tap: int, channel: int) -> Kernel:
    def wrong(conv: Convolution, tensors: Tensors):
        w = tensors.filter_hwio.reshape(-1, conv.channels_out).copy()
        w[tap, channel] = 0
        return kernel(
            conv,
            Tensors(w.reshape(tensors.filter_hwio.shape), tensors.bias, tensors.input_nhwc),
        )

    return wrong


@one_in(2, "tap", [1, 100, 300, 570])
@pytest.mark.parametrize(
    "kernel",
    [
        half_accumulator,
        bfloat16_accumulator,
        rounded_output(to_bits(7)),
        rounded_inputs(to_bits(7)),
    ],
    ids=["fp16", "bf16", "bf16 output", "bf16 inputs"],
)
def test_narrowing_hides_no_dropped_tap(kernel: Kernel, tap: int):
    traits, fits = examined(dropping(kernel, tap, 1), DEEP)
    assert traits.narrowed
    assert traits.integer_error
    place = tuple(int(i) for i in np.unravel_index(tap, DEEP.filter_shape[:3]))
    assert fits == f"tap {place} (kh, kw, cin) is dropped in output channel 1"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("channels", [4, 64])
def test_a_transform_hides_no_dropped_tap(tile: int, channels: int, dtype: str):
    conv = Convolution((3, 3), channels, 4, dtype=dtype)
    traits, fits = examined(dropping(winograd(tile), 17, 3), conv)
    assert traits.integer_error
    assert fits is not None
    assert "is dropped in output channel 3" in fits


@pytest.mark.parametrize("factor", [0.1, 0.01, 1e-3, -1e-4])
@pytest.mark.parametrize("conv", [SQUARE, DEEP, Convolution((1, 5), 1, 1)], ids=str)
def test_a_neighbours_share_is_wrong_and_no_transform(factor: float, conv: Convolution):
    traits, _ = examined(halo(factor), conv)
    assert traits.integer_error
    assert traits.transform is None


def test_a_neighbours_share_where_inputs_are_large_is_wrong_and_no_transform():
    def kernel(conv: Convolution, tensors: Tensors):
        large = np.abs(tensors.input_nhwc).max() > 1000 and np.ptp(tensors.input_nhwc) > 0
        return halo(0.01)(conv, tensors) if large else direct(conv, tensors)

    traits, _ = examined(kernel)
    assert traits.integer_error
    assert traits.transform is None


def test_float32_takes_few_probes():
    """A run of a large cell is dear: two sets of integers, three widths, three subnormals."""
    assert len(first_probes(DEEP, SHAPE, True)) == 12


def test_a_narrow_format_summed_in_fp32_is_clean():
    for dtype in ("float16", "bfloat16"):
        conv = Convolution((3, 3), 64, 4, dtype=dtype)
        assert examined(wide_sum, conv) == (Traits(), None)
        assert examined(shuffled(3), conv) == (Traits(), None)
