"""The probes' readings of kernels whose way of computing is known."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import (
    CELL,
    HEIGHT,
    Array,
    Kernel,
    bfloat16_accumulator,
    direct,
    fourier,
    half_accumulator,
    ignoring_dilation,
    measure_with,
    rounded_inputs,
    rounded_output,
    shifted,
    shuffled,
    to_bits,
    to_float16,
    winograd,
    with_bias,
    with_filter,
    with_input,
    with_tap,
)

from convdiff.behaviour.behaviour import Behaviour, Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.slow

SQUARE = Convolution((3, 3), 4, 4)
WIDE = Convolution((3, 5), 8, 6)
DILATED = Convolution((3, 3), 4, 4, dilations=(2, 2))
DEEP = Convolution((3, 3), 64, 4)


def examined(kernel: Kernel, conv: Convolution = SQUARE) -> tuple[Traits, str | None]:
    behaviour = examine_cell(CELL, conv, HEIGHT, True, measure_with(kernel, conv))
    assert behaviour.traits is not None
    return behaviour.traits, behaviour.fits


GEOMETRIES = [
    SQUARE,
    WIDE,
    DILATED,
    DEEP,
    Convolution((1, 1), 1, 1),
    Convolution((1, 5), 1, 1),
    Convolution((2, 3), 6, 9, strides=(2, 3), groups=3),
    Convolution((3, 3), 5, 5, groups=5, dilations=(1, 2)),
    *(Convolution((3, 3), 16, 4, dtype=d) for d in ("float64", "float16", "bfloat16")),
]


@pytest.mark.parametrize("conv", GEOMETRIES, ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_direct_sum_in_any_order_is_clean(conv: Convolution, seed: int):
    assert examined(shuffled(seed), conv) == (Traits(), None)


@pytest.mark.parametrize("conv", [SQUARE, WIDE, DEEP], ids=str)
@pytest.mark.parametrize(
    ("kernel", "bits"),
    [(to_bits(7), 7), (to_bits(10), 10), (to_float16, 10), (to_bits(16), 16)],
    ids=["bf16", "TF32", "fp16", "16 bits"],
)
def test_rounded_inputs_are_narrowed_to_their_bits(kernel, bits: int, conv: Convolution):
    traits, _ = examined(rounded_inputs(kernel), conv)
    assert traits.narrowed is not None
    assert f"inputs keep {bits} of 23" in traits.narrowed
    assert f"weights keep {bits} of 23" in traits.narrowed
    assert (traits.transform, traits.integer_error) == (None, None)


def test_rounded_weights_alone_are_told_from_rounded_inputs():
    traits, _ = examined(with_filter(to_bits(7)))
    assert traits.narrowed is not None
    assert "weights keep 7 of 23" in traits.narrowed
    assert "inputs" not in traits.narrowed
    assert traits.integer_error is None


@pytest.mark.parametrize("conv", [SQUARE, WIDE, DEEP], ids=str)
def test_a_half_precision_accumulator_is_narrow(conv: Convolution):
    traits, _ = examined(half_accumulator, conv)
    assert traits.narrowed is not None
    assert "accumulator" in traits.narrowed
    assert (traits.transform, traits.integer_error) == (None, None)


def test_a_narrow_accumulator_is_off_by_integers_and_yet_not_wrong():
    """A bfloat16 sum beyond 256 loses units: that is its width, no lost tap."""
    traits, _ = examined(bfloat16_accumulator, DEEP)
    assert traits.narrowed is not None
    assert "accumulator" in traits.narrowed
    assert (traits.transform, traits.integer_error) == (None, None)


def test_a_kernel_wrong_only_where_inputs_vary_is_wrong():
    """Integers exact and every bit kept alone: no format rounds like that."""

    def kernel(conv: Convolution, tensors):
        y, x = direct(conv, tensors), tensors.input_nhwc
        return y if np.ptp(x) == 0 or (x == np.rint(x)).all() else y * np.float32(1.01)

    traits, _ = examined(kernel)
    assert traits.integer_error
    assert traits.narrowed is None


def test_a_result_stored_in_fewer_bits_is_narrowed_and_not_wrong():
    """Sums beyond 256 are no bfloat16: off by integers, and yet no bug."""
    traits, _ = examined(rounded_output(to_bits(7)), DEEP)
    assert traits.narrowed
    assert (traits.transform, traits.integer_error) == (None, None)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("channels", [1, 4, 64])
@pytest.mark.parametrize("tile", [2, 4])
def test_winograd_is_a_transform(tile: int, channels: int, dtype: str):
    conv = Convolution((3, 3), channels, 4, dtype=dtype)
    traits, _ = examined(winograd(tile), conv)
    assert traits.transform
    assert not traits.clean
    assert traits.integer_error is None


@pytest.mark.parametrize("conv", [SQUARE, WIDE, DEEP, Convolution((1, 5), 1, 1)], ids=str)
def test_fourier_is_a_transform(conv: Convolution):
    traits, _ = examined(fourier, conv)
    assert traits.transform
    assert traits.integer_error is None


def test_the_transforms_compute_the_convolution():
    """A transform that computed something else would be no test of the probe."""
    from convdiff.behaviour.probes import integers

    probe = integers(SQUARE, (2, HEIGHT, 11, 4), True)
    for kernel in (winograd(2), winograd(4), fourier, direct):
        np.testing.assert_allclose(kernel(SQUARE, probe.tensors), probe.answer, atol=1e-2)


def memory_as_oihw(w):
    return w.reshape(w.shape[3], w.shape[2], w.shape[0], w.shape[1]).transpose(2, 3, 1, 0)


def memory_as_nchw(x):
    n, h, w, c = x.shape
    return x.reshape(n, c, h, w).transpose(0, 2, 3, 1)


MISTAKES = {
    "a tap dropped": (with_tap(7, 2, 0.0), SQUARE, "is dropped in output channel 2"),
    "a probed tap dropped": (with_tap(0, 0, 0.0), WIDE, "is dropped in output channel 0"),
    "the middle tap dropped": (with_tap(18, 0, 0.0), SQUARE, "(1, 1, 2) (kh, kw, cin) is dropped"),
    "a tap doubled": (with_tap(35, 3, 2.0), SQUARE, "counted twice in output channel 3"),
    "shifted right": (shifted(0, 1), WIDE, "shifted by (0, 1)"),
    "shifted up": (shifted(-2, 0), SQUARE, "shifted by (-2, 0)"),
    "flipped": (with_filter(lambda w: w[::-1, ::-1]), SQUARE, "flipped (true convolution"),
    "flipped along the width": (with_filter(lambda w: w[:, ::-1]), WIDE, "along the width"),
    "dilation ignored": (ignoring_dilation, DILATED, "dilation is ignored"),
    "bias missing": (with_bias(0.0), SQUARE, "bias is missing"),
    "bias doubled": (with_bias(2.0), SQUARE, "bias is added twice"),
    "channels swapped": (
        with_filter(lambda w: w.transpose(0, 1, 3, 2)),
        SQUARE,
        "input and output channels of the filter are swapped",
    ),
    "channels reversed": (
        with_filter(lambda w: w[:, :, ::-1]),
        WIDE,
        "input channels are reversed",
    ),
    "height and width swapped": (
        with_filter(lambda w: w.transpose(1, 0, 2, 3)),
        SQUARE,
        "height and width of the filter",
    ),
    "OIHW": (with_filter(memory_as_oihw), WIDE, "OIHW"),
    "NCHW": (with_input(memory_as_nchw), SQUARE, "NCHW"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_wrong_and_gets_its_name(name: str):
    kernel, conv, said = MISTAKES[name]
    traits, fits = examined(kernel, conv)
    assert traits.integer_error
    assert fits is not None
    assert said in fits


@pytest.mark.parametrize("tile", [2, 4])
def test_a_transform_hides_no_bug(tile: int):
    kernel = with_filter(lambda w: w[:, ::-1], winograd(tile))
    assert examined(kernel)[0].integer_error


def test_narrow_inputs_hide_no_bug():
    kernel = with_filter(lambda w: w[:, ::-1], rounded_inputs(to_bits(7)))
    assert examined(kernel)[0].integer_error


def test_a_kernel_right_on_integers_alone_is_not_clean():
    def kernel(conv: Convolution, tensors):
        return np.rint(direct(conv, tensors))

    assert not examined(kernel)[0].clean


def test_nan_on_integers_is_wrong():
    def kernel(conv: Convolution, tensors):
        y = direct(conv, tensors)
        y[0, 0, 0, 0] = np.nan
        return y

    assert "NaN" in (examined(kernel)[0].integer_error or "")


def test_a_shape_that_is_not_asked_for_is_said():
    traits, fits = examined(lambda c, t: direct(Convolution((3, 3), 4, 4), t), DILATED)
    assert traits.shape_error is not None
    assert "(2, 5, 7, 4)" in traits.shape_error
    assert fits == "the dilation is ignored"


def test_a_runtime_that_gives_no_answer_has_no_traits():
    found = examine_cell(CELL, SQUARE, HEIGHT, True, lambda cell, data: [None] * len(data))
    assert found == Behaviour(None)


def clipping(conv: Convolution, tensors: Tensors) -> Array:
    """Take what is large for less than it is."""
    y = direct(conv, tensors)
    return np.where(np.abs(y) > 1000, y * np.float32(1.001), y).astype(y.dtype)


def test_large_products_that_are_wrong_are_not_laid_to_their_neighbours():
    found = examine_cell(CELL, SQUARE, HEIGHT, False, measure_with(clipping, SQUARE))
    assert found.traits is not None and found.traits.error is not None
    assert "large inputs give other products than small ones" in found.traits.error
