"""Checks take no convolution to read, and let nothing pass that the whole interview would not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from checking import asking
from kernels import (
    Kernel,
    bfloat16_accumulator,
    direct,
    fourier,
    half_accumulator,
    ignoring_dilation,
    rounded_inputs,
    rounded_output,
    shifted,
    shuffled,
    to_bits,
    winograd,
    with_bias,
    with_filter,
    with_input,
    with_tap,
)
from labelled import drawn
from labels_judged import kernel_of
from soak import examples

from convdiff.behaviour import checks
from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.checks import checked
from convdiff.behaviour.first_probes import ENOUGH_OUTPUTS
from convdiff.case.arrays import Tensors
from convdiff.numerics.floats import FORMATS
from convdiff.worker.ops.convolution import Convolution

CONVS = (
    Convolution((1, 5), 1, 1),
    Convolution((3, 3), 4, 6),
    Convolution((3, 3), 4, 6, groups=2, strides=(1, 2)),
    Convolution((2, 3), 5, 3, dilations=(2, 2)),
    Convolution((1, 1), 6, 4, groups=2, strides=(2, 2)),
)
SHAPE = (2, 13, 17)
DTYPES = ("float32", "float16", "bfloat16")


@pytest.fixture(autouse=True)
def _whatever_the_size(monkeypatch):
    monkeypatch.setattr(checks, "LARGE", 0)


def found(kernel: Kernel, conv: Convolution, *, bias: bool = True) -> Traits | None:
    shape = (*SHAPE, conv.channels_in)
    return checked(conv, shape, bias, asking(kernel, conv, shape, bias=bias))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("conv", CONVS)
@pytest.mark.parametrize("bias", [False, True])
def test_what_adds_in_any_order_fails_none(conv: Convolution, dtype: str, bias: bool):
    for kernel in (direct, shuffled(1), shuffled(2)):
        assert found(kernel, conv._replace(dtype=dtype), bias=bias) == Traits()


def leaking(conv: Convolution, data: Tensors) -> np.ndarray:
    """Lose bits where inputs are large, as what mixes them does."""
    y = direct(conv, data)
    return y * np.float32(1 + 2**-22) if np.abs(data.input_nhwc).max() > 2**12 else y


FAULTS: dict[str, Kernel] = {
    "bits lost beside large inputs": leaking,
    "shifted down": shifted(1, 0),
    "shifted left": shifted(0, -1),
    "flipped": with_filter(lambda w: w[::-1, ::-1]),
    "channels of the filter turned": with_filter(lambda w: np.roll(w, 1, 2)),
    "two channels of the input exchanged": with_input(lambda x: x[..., [1, 0, 2, 3]]),
    "a channel of the input lost": with_input(lambda x: x * (np.arange(x.shape[3]) != 2)),
    "input transposed": with_input(
        lambda x: np.resize(x.transpose(0, 2, 1, 3), x.shape),
    ),
    "input in the memory of NCHW": with_input(
        lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape),
    ),
    "dilation ignored": ignoring_dilation,
    "no bias": with_bias(0),
    "a tap lost": with_tap(17, 3, 0),
    "a tap counted twice": with_tap(0, 5, 2),
    "clipped": lambda conv, data: np.maximum(direct(conv, data), 0),
    "winograd": winograd(2),
    "larger winograd": winograd(4),
    "fourier": fourier,
    "TF32": rounded_inputs(to_bits(10)),
    "outputs of bfloat16": rounded_output(to_bits(7)),
    "fp16 sums": half_accumulator,
    "bfloat16 sums": bfloat16_accumulator,
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_does_anything_else_fails_one(name: str):
    dilations = (2, 2) if name == "dilation ignored" else (1, 1)
    assert found(FAULTS[name], Convolution((3, 3), 4, 6, dilations=dilations)) is None


def one_place(index: tuple, change) -> Kernel:
    def kernel(conv: Convolution, data: Tensors) -> np.ndarray:
        y = direct(conv, data)
        y[index] = change(y[index])
        return y

    return kernel


@pytest.mark.parametrize("index", [(0, 0, 0, 0), (1, 10, 14, 5), (0, -1), (slice(None), 3, 7, 2)])
@pytest.mark.parametrize(
    "change", [lambda y: y + 1, lambda y: -y, lambda y: y * np.float32(1 + 2**-23), np.zeros_like]
)
def test_one_wrong_output_of_many_is_seen(index: tuple, change):
    assert found(one_place(index, change), Convolution((3, 3), 4, 6)) is None


def flushing(*, inputs: bool, outputs: bool) -> Kernel:
    def flushed(values: np.ndarray) -> np.ndarray:
        return np.where(np.abs(values) < FORMATS["float32"].flushed, np.float32(0), values)

    def kernel(conv: Convolution, data: Tensors) -> np.ndarray:
        x = flushed(data.input_nhwc) if inputs else data.input_nhwc
        y = direct(conv, Tensors(data.filter_hwio, data.bias, x))
        return flushed(y) if outputs else y

    return kernel


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [(True, False, "subnormal inputs"), (False, True, "outputs"), (True, True, "inputs and out")],
)
def test_flushing_to_zero_is_told_and_no_fault(inputs: bool, outputs: bool, words: str):
    traits = found(flushing(inputs=inputs, outputs=outputs), CONVS[1])
    assert traits is not None and traits.clean
    assert words in traits.flushes


def test_what_gives_other_than_zero_for_subnormals_is_looked_into():
    def kernel(conv: Convolution, data: Tensors) -> np.ndarray:
        y = direct(conv, data)
        return np.where(np.abs(y) < FORMATS["float32"].flushed, -y, y)

    assert found(kernel, CONVS[1]) is None


def test_no_answer_and_what_can_not_be_asked_get_the_whole_interview(monkeypatch):
    conv, shape = CONVS[1], (*SHAPE, 4)
    assert checked(conv, shape, True, lambda check: None) is None
    ask = asking(direct, conv, shape, bias=False)
    assert checked(conv, (1, 3, 5, 4), False, ask) is None, "few outputs rest on chance"
    wide = conv._replace(dtype="float64")
    assert checked(wide, shape, False, ask) is None, "sums that fp64 rounds"
    deep = Convolution((1, 1), 300, 1, dtype="bfloat16")
    assert checked(deep, (1, 9, 9, 300), False, ask) is None, "more taps than the format counts"
    monkeypatch.setattr(checks, "LARGE", 1e7)
    assert checked(conv, shape, False, ask) is None, "small ones are asked at once"


@pytest.mark.parametrize("conv", CONVS)
def test_some_places_are_read_alone(conv: Convolution):
    shape = (*SHAPE, conv.channels_in)
    ask = asking(direct, conv, shape, bias=True, op="manual")
    places = np.array([0, 7, 3, math.prod(conv.output_shape(*shape[:3])[:3]) - 1])
    asked = list(checks._checks(conv, shape, True))
    assert [ask(check, places) for check in asked] == [(0, 0)] * len(asked)


def test_an_output_of_another_shape_is_wrong_all_over():
    conv, shape = CONVS[1], (*SHAPE, 4)
    ask = asking(lambda conv, data: direct(conv, data)[:, 1:], conv, shape, bias=True)
    wrong = {ask(check) for check in checks._checks(conv, shape, True)}
    assert wrong == {(math.prod(conv.output_shape(*shape[:3])), 0)}


def test_channels_of_a_deep_layer_are_unlike():
    conv = Convolution((3, 3), 512, 512)
    _, channels = checks._integers(conv, (1, 9, 9, 512), 0).factors
    assert len(set(channels.tolist())) > 30
    assert (channels != 0).all()


KERNELS = 300 + examples(9_700)


@pytest.mark.soak
def test_no_labelled_fault_passes_and_every_legal_sum_does():
    """Kernels that know nothing of convdiff: see docs/labels.md."""
    passed, asked = [], 0
    for number in range(KERNELS):
        made = drawn(number, Convolution)
        conv, shape = made.asked.conv, made.asked.x.shape
        if math.prod(conv.output_shape(*shape[:3])) < ENOUGH_OUTPUTS:
            continue
        asked += 1
        bias = made.asked.b is not None
        ask = asking(kernel_of(made.given), conv, shape, bias=bias)
        legal = made.kind == "arithmetic" and made.arithmetic.legal
        if (checked(conv, shape, bias, ask) is not None) != legal:
            passed.append((number, made.label))
    assert not passed
    assert asked > KERNELS // 4
