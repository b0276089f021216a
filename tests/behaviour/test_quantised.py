"""Weights and inputs on 255 steps are precision, whatever shares a scale; a bug on top is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from findings import judged, tensors
from kernels import (
    CELL,
    HEIGHT,
    Kernel,
    direct,
    ignoring_dilation,
    measure_with,
    rounded_inputs,
    shifted,
    shuffled,
    to_bits,
    with_bias,
    with_filter,
    with_tap,
)
from narrowing import (
    PLACES,
    Rounding,
    affine,
    like_tflite,
    on_range_of,
    quantising,
    storing,
    symmetric,
)
from soak import crossed, one_in

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.slow
CHANNEL, IMAGE, POSITION = (0, 1, 2), (1, 2, 3), (3,)
WEIGHTS: dict[str, Rounding | None] = {
    "whole": None,
    "weights lie on 255 steps": symmetric(None),
    "weights lie on 256 steps": affine(None),
    "weights of a channel lie on 255 steps": symmetric(CHANNEL),
    "weights of a channel lie on 256 steps": affine(CHANNEL),
}
INPUTS: dict[str, Rounding | None] = {
    "whole": None,
    "inputs lie on 255 steps": symmetric(None),
    "inputs lie on 256 steps": affine(None),
    "inputs of an image lie on 255 steps": symmetric(IMAGE),
    "inputs of an image lie on 256 steps": affine(IMAGE),
}
SQUARE = Convolution((3, 3), 4, 4)
GEOMETRIES = [
    SQUARE,
    Convolution((1, 5), 1, 6),
    Convolution((3, 3), 16, 16, strides=(2, 2)),
    Convolution((1, 1), 8, 12),
    Convolution((3, 3), 8, 8, groups=8, dilations=(1, 2)),
    Convolution((2, 3), 6, 9, strides=(2, 3), groups=3),
]


def examined(kernel: Kernel, conv: Convolution = SQUARE, bias: bool = True) -> Traits:
    traits = examine_cell(CELL, conv, HEIGHT, bias, measure_with(kernel, conv)).traits
    assert traits is not None
    return traits


@crossed(weights=WEIGHTS, inputs=INPUTS, conv=GEOMETRIES)
def test_what_lies_on_steps_is_said_and_is_no_error(weights: str, inputs: str, conv: Convolution):
    traits = examined(quantising(WEIGHTS[weights], INPUTS[inputs]), conv)
    if weights == inputs == "whole":
        assert traits.quantised is None
        return
    said = [f"{words} (8 bits)" for words in (weights, inputs) if words != "whole"]
    assert traits == Traits(quantised=", ".join(said))


@pytest.mark.parametrize("conv", GEOMETRIES, ids=str)
def test_scales_that_are_rounded_hide_no_steps(conv: Convolution):
    said = "weights of a channel lie on 255 steps (8 bits), inputs lie on 256 steps (8 bits)"
    assert examined(like_tflite, conv) == Traits(quantised=said)
    data = tensors(conv, (2, 9, 11, conv.channels_in), 7, bias=True)
    assert judged(conv, data, direct, like_tflite).verdict == "precision"


def test_rounded_scales_hide_no_bug():
    broken = with_tap(7, 2, 0.0)

    def kernel(conv: Convolution, tensors: Tensors):
        lost = direct(conv, tensors) - broken(conv, tensors)
        return (like_tflite(conv, tensors) - lost).astype(np.float32)

    data = tensors(SQUARE, (1, 9, 9, 4), 6, bias=True)
    assert judged(SQUARE, data, direct, kernel).verdict == "wrong"


@pytest.mark.parametrize("count", [127.5, 128.0])
@pytest.mark.parametrize("axes", [None, CHANNEL])
def test_other_scales_are_steps_too(axes: tuple[int, ...] | None, count: float):
    for inputs in (None, symmetric(None)):
        said = examined(quantising(symmetric(axes, count), inputs)).quantised or ""
        assert "lie on 256 steps" in said


@pytest.mark.parametrize("dtype", ["float64", "float16"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_steps_are_found_in_other_formats(weights: str, dtype: str):
    if WEIGHTS[weights] is None:
        return
    traits = examined(quantising(WEIGHTS[weights], None), SQUARE._replace(dtype=dtype))
    assert traits == Traits(quantised=f"{weights} (8 bits)")


@pytest.mark.parametrize("weights", WEIGHTS)
@one_in(2, "inputs", INPUTS)
def test_a_quantised_kernel_is_precision_beside_a_plain_one(weights: str, inputs: str):
    data = tensors(SQUARE, (2, 9, 9, 4), 4, bias=True)
    finding = judged(SQUARE, data, shuffled(1), quantising(WEIGHTS[weights], INPUTS[inputs]))
    plain = weights == inputs == "whole"
    assert finding.verdict == ("rounding" if plain else "precision"), finding.evidence
    for words in (weights, inputs):
        assert words == "whole" or words in " ".join(map(str, finding.evidence))


def averaged(conv: Convolution, tensors: Tensors):
    """Let a hundredth of the output at the left into each."""
    y = direct(conv, tensors)
    y[:, :, 1:] += y[:, :, :-1] / 100
    return y


DILATED = SQUARE._replace(dilations=(2, 2))
BUGS: dict[str, tuple[Kernel, Convolution]] = {
    "a tap dropped": (with_tap(7, 2, 0.0), SQUARE),
    "a tap doubled": (with_tap(30, 1, 2.0), SQUARE),
    "shifted": (shifted(0, 1), SQUARE),
    "flipped": (with_filter(lambda w: w[::-1, ::-1]), SQUARE),
    "bias twice": (with_bias(2.0), SQUARE),
    "bias missing": (with_bias(0.0), SQUARE),
    "dilation ignored": (ignoring_dilation, DILATED),
    "a neighbour's share": (averaged, SQUARE),
    "an activation": (lambda conv, tensors: np.maximum(direct(conv, tensors), 0), SQUARE),
    "one percent more": (lambda conv, tensors: direct(conv, tensors) * 1.01, SQUARE),
}


@crossed(
    weights=["whole", "weights of a channel lie on 255 steps"],
    inputs=["whole", "inputs lie on 256 steps"],
    bug=BUGS,
)
def test_a_bug_on_top_of_quantisation_is_wrong(weights: str, inputs: str, bug: str):
    kernel, conv = BUGS[bug]
    broken = quantising(WEIGHTS[weights], INPUTS[inputs], kernel)
    data = tensors(conv, (1, 9, 9, 4), 6, bias=True)
    finding = judged(conv, data, direct, broken)
    assert (finding.verdict, finding.allowed) == ("wrong", False), finding.evidence


@pytest.mark.parametrize("conv", [SQUARE, Convolution((1, 1), 6, 4, op="dense")], ids=str)
@pytest.mark.parametrize("to", [symmetric(POSITION), affine(POSITION)])
def test_inputs_that_share_a_scale_by_position_are_said_so(to: Rounding, conv: Convolution):
    said = examined(quantising(symmetric(CHANNEL), to), conv).quantised or ""
    assert ", inputs of a position lie on 25" in said


INT8 = ", ".join(
    f"{words} (8 bits)"
    for words in (
        "weights of a channel lie on 255 steps",
        "inputs lie on 256 steps",
        "outputs lie on 256 steps",
    )
)


def int8(kernel: Kernel = direct) -> Kernel:
    """Return a kernel of int8 inputs, weights and outputs, calibrated to what it is asked."""
    return storing(on_range_of, quantising(symmetric(CHANNEL), affine(None), kernel))


PADDED = [
    Convolution((3, 2), 3, 4, (2, 1), padding="same"),
    Convolution((3, 3), 4, 4, groups=4, padding=((2, 0), (0, 3))),
    Convolution((4, 3), 3, 4, (2, 3), op="conv2d_transpose", padding=((1, 0), (1, 2))),
    Convolution((1, 1), 6, 4, op="dense"),
]


@one_in(2, "conv", [*GEOMETRIES, *PADDED], ids=str)
def test_outputs_on_steps_of_their_own_range_are_said_too(conv: Convolution):
    if conv.channels_out == 1:
        return
    assert examined(int8(), conv) == Traits(quantised=INT8)
    data = tensors(conv, (2, HEIGHT, 11, conv.channels_in), 7, bias=True)
    finding = judged(conv, data, direct, int8())
    assert (finding.verdict, finding.evidence[0].fact) == ("precision", INT8)


def test_outputs_lie_on_steps_in_float64_too():
    assert examined(int8(), SQUARE._replace(dtype="float64")) == Traits(quantised=INT8)


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_below_stored_outputs_is_wrong(bug: str):
    kernel, conv = BUGS[bug]
    data = tensors(conv, (1, 9, 9, 4), 6, bias=True)
    finding = judged(conv, data, direct, int8(kernel))
    assert (finding.verdict, finding.allowed) == ("wrong", False), finding.evidence


@pytest.mark.parametrize("conv", PADDED[:2], ids=str)
def test_padding_at_the_other_end_is_wrong_below_stored_outputs(conv: Convolution):
    def other_end(conv: Convolution, tensors: Tensors):
        pads = conv.pads(*tensors.input_nhwc.shape[1:3])
        turned = conv._replace(padding=tuple((after, before) for before, after in pads))
        return direct(turned, tensors)

    data = tensors(conv, (1, HEIGHT, 8, conv.channels_in), 6, bias=True)
    assert other_end(conv, data).tolist() != direct(conv, data).tolist()
    assert judged(conv, data, direct, int8(other_end)).verdict == "wrong"


def test_outputs_that_are_off_on_the_cases_own_data_only_are_beyond_their_steps():
    def kernel(conv: Convolution, tensors: Tensors):
        y, x = int8()(conv, tensors), tensors.input_nhwc
        met = np.abs(x).max() > 2.5 and (x != np.rint(x)).any() and x.std() < 1.2
        return y + np.float32(y.max() / 2 * met)

    data = tensors(SQUARE, (1, 9, 9, 4), 6, bias=True)
    finding = judged(SQUARE, data, direct, kernel)
    assert finding.verdict == "wrong"
    assert "outputs are farther off than that can take them" in str(finding.evidence[0])


@pytest.mark.parametrize("conv", [SQUARE, *GEOMETRIES[2:5]], ids=str)
def test_inputs_may_be_quantised_otherwise_where_all_channels_have_one_range(conv: Convolution):
    """As TensorFlow Lite's own kernels do it: then without a zero point."""

    def kernel(conv: Convolution, tensors: Tensors):
        ranges = np.abs(tensors.filter_hwio).max(axis=CHANNEL)
        inputs = symmetric(IMAGE) if (ranges == ranges[0]).all() else affine(IMAGE)
        return quantising(symmetric(CHANNEL), inputs)(conv, tensors)

    said = "weights of a channel lie on 255 steps (8 bits), inputs of an image lie on 256 steps"
    assert examined(kernel, conv).quantised == f"{said} (8 bits)"
    data = tensors(conv, (2, 9, 11, conv.channels_in), 7, bias=True)
    one_range = data.filter_hwio / np.abs(data.filter_hwio).max(axis=CHANNEL)
    for case in (data, replace(data, filter_hwio=one_range)):
        assert judged(conv, case, direct, kernel).verdict == "precision"


@pytest.mark.parametrize("inputs", [None, affine(None)])
@pytest.mark.parametrize("weights", [None, symmetric(CHANNEL)])
def test_a_bug_that_only_the_data_meet_is_wrong_beyond_the_steps(weights, inputs):
    def kernel(conv: Convolution, tensors: Tensors):
        y, x = direct(conv, tensors), tensors.input_nhwc
        met = np.abs(x).max() > 2.5 and (x != np.rint(x)).any()
        return y + (10 if met else 0)

    if weights is inputs is None:
        return
    data = tensors(SQUARE, (1, 9, 9, 4), 6, bias=True)
    finding = judged(SQUARE, data, direct, quantising(weights, inputs, kernel))
    assert finding.verdict == "wrong"
    assert "outputs are farther off than that can take them" in str(finding.evidence[0])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bits", [7, 10])
def test_what_narrows_lies_on_no_steps(place: str, bits: int):
    assert examined(PLACES[place](to_bits(bits))).quantised is None


@pytest.mark.parametrize("bits", [3, 4, 5, 6])
def test_few_bits_are_no_steps(bits: int):
    traits = examined(rounded_inputs(to_bits(bits)))
    assert traits.quantised is None
    assert traits.narrowed


@pytest.mark.parametrize("count", [7.0, 7.5, 63.0, 100.0, 111.3])
@pytest.mark.parametrize("axes", [None, CHANNEL])
def test_steps_of_any_other_number_are_steps(axes: tuple[int, ...] | None, count: float):
    """Four bits, seven, and ranges that somebody calibrated."""

    def to(values):
        scale = np.abs(values.astype(np.float64)).max(axis=axes, keepdims=True) / count
        return np.rint(values / scale) * scale

    said = examined(quantising(to, None), Convolution((3, 3), 4, 16)).quantised or ""
    assert said.startswith("weights lie on" if axes is None else "weights of a channel lie on")
    data = tensors(SQUARE, (1, 9, 9, 4), 6, bias=True)
    assert judged(SQUARE, data, direct, quantising(to, None)).verdict == "precision"


@pytest.mark.parametrize("seed", range(5))
def test_numbers_that_are_off_at_random_lie_on_no_steps(seed: int):
    rng = np.random.default_rng(seed)

    def to(w):
        return (w + np.abs(w).max() / 254 * rng.uniform(-1, 1, w.shape)).astype(w.dtype)

    assert examined(with_filter(to)).quantised is None


def test_a_constant_filter_is_asked_nothing_that_divides_by_zero():
    def kernel(conv: Convolution, tensors: Tensors):
        return direct(conv, replace(tensors, filter_hwio=np.zeros_like(tensors.filter_hwio)))

    assert examined(kernel).integer_error


FEW_READINGS = [
    (Convolution((1, 2), 1, 1), (1, 1, 2, 1)),
    (Convolution((1, 1), 3, 1, (4, 2)), (1, 16, 17, 3)),
    (Convolution((2, 1), 1, 2, (4, 1)), (1, 29, 1, 1)),
    (Convolution((1, 5), 1, 1, (4, 1), (2, 3)), (1, 14, 13, 1)),
]


@pytest.mark.parametrize("to", [symmetric(None), symmetric(CHANNEL), affine(CHANNEL)])
@pytest.mark.parametrize(("conv", "shape"), FEW_READINGS)
def test_steps_are_seen_where_each_probe_reads_one_weight(
    conv: Convolution, shape: tuple[int, ...], to: Rounding
):
    kernel = with_filter(lambda w: to(w).astype(np.float32))
    finding = judged(conv, tensors(conv, shape, 3, bias=True), direct, kernel)
    assert finding.verdict == "precision"
    assert any("steps (8 bits)" in str(fact) for fact in finding.evidence)


@pytest.mark.parametrize("fault", [with_tap(0, 0, 2.0), with_bias(2)])
def test_a_bug_is_no_quantisation_where_each_probe_reads_one_weight(fault: Kernel):
    conv, shape = FEW_READINGS[1]
    quantised = with_filter(lambda w: symmetric(CHANNEL)(w).astype(np.float32), fault)
    for kernel in (fault, quantised):
        finding = judged(conv, tensors(conv, shape, 3, bias=True), direct, kernel)
        assert finding.verdict == "wrong"
