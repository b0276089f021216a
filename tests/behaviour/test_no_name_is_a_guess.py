"""A name takes clear evidence: neither chance nor one wrong output gives one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from findings import judged, tensors
from kernels import CELL, Kernel, direct, measure_with, rounded_inputs, to_bits

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.behaviour import Behaviour
from convdiff.behaviour.examine import examine_cell
from convdiff.behaviour.known_faults import fit_data
from convdiff.behaviour.naming import name_of
from convdiff.behaviour.probes import integer_sets, integers
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
Change = Callable[[Array], Array]


def after(change: Change) -> Kernel:
    return lambda conv, data: np.ascontiguousarray(change(direct(conv, data)))


def examined(
    kernel: Kernel, conv: Convolution, shape: tuple[int, ...], *, bias: bool = True
) -> Behaviour:
    cell = replace(CELL, batch=shape[0], length=shape[2])
    return examine_cell(cell, conv, shape[1], bias, measure_with(kernel, conv))


def at(index: tuple[int, ...], change: Change) -> Change:
    def changed(y: Array) -> Array:
        y = y.copy()
        place = tuple(i % size for i, size in zip(index, y.shape, strict=True))
        y[place] = change(y[place])
        return y

    return changed


SMALL = (
    (Convolution((1, 1), 1, 1), (1, 1, 2, 1)),
    (Convolution((1, 3), 2, 1), (1, 1, 5, 2)),
    (Convolution((2, 2), 3, 2), (1, 3, 3, 3)),
    (Convolution((3, 3), 2, 2), (1, 4, 3, 2)),
)


@pytest.mark.slow
@pytest.mark.parametrize(("conv", "shape"), SMALL)
@pytest.mark.parametrize("index", [(0, 0, 0, 0), (0, 1, 1, 1)])
@pytest.mark.parametrize(
    "change", [np.zeros_like, np.negative, lambda v: v + 1, lambda v: v / 2], ids="0-+/"
)
def test_one_wrong_output_of_few_has_no_name(
    conv: Convolution, shape: tuple[int, ...], index: tuple[int, ...], change: Change
) -> None:
    found = examined(after(at(index, change)), conv, shape)
    assert found.traits is not None
    assert found.traits.integer_error
    assert found.fits is None


@pytest.mark.parametrize("seed", range(8))
def test_constants_that_a_bias_may_hide_are_no_half_of_it(seed: int) -> None:
    conv = Convolution((3, 3), 2, 3)
    rng = np.random.default_rng(seed)
    odd = rng.integers(0, 2, 3) - 2.0 * rng.integers(0, 2, 3) + np.array([1, -2, 4])
    found = examined(after(lambda y: y + odd.astype(np.float32)), conv, (1, 6, 7, 2))
    assert "the bias" not in (found.fits or "")
    assert (found.fits or "a constant").startswith("a constant")


def test_two_activations_are_told_apart() -> None:
    conv = Convolution((1, 1), 1, 2)
    small = after(lambda y: np.clip(y, 0, 6))
    assert examined(small, conv, (1, 2, 2, 1)).fits == "an activation is fused in: relu6"
    relu = after(lambda y: np.maximum(y, 0))
    assert examined(relu, conv, (1, 2, 2, 1)).fits == "an activation is fused in: relu"


def test_what_is_one_thing_at_a_size_has_both_names() -> None:
    conv = Convolution((2, 2), 2, 3, strides=(2, 1))

    def kernel(c: Convolution, data: Tensors) -> Array:
        x = np.pad(data.input_nhwc, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1]
        return direct(c, replace(data, input_nhwc=np.ascontiguousarray(x)))

    both = "the input is moved by (0, 1) or the output is shifted by (0, 1)"
    assert examined(kernel, conv, (1, 6, 7, 2)).fits == both


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda y: y / y.dtype.type(255), "the output is multiplied by 1/255"),
        (lambda y: y * y.dtype.type(-1), "the output is multiplied by -1"),
        (lambda y: np.maximum(y, y.dtype.type(0)), "an activation is fused in: relu"),
        (lambda y: y + y.dtype.type(2), "the constant 2 is added to all outputs"),
    ],
)
def test_other_formats_have_the_same_names(change: Change, name: str, dtype: str) -> None:
    conv = Convolution((3, 3), 2, 3, dtype=dtype)
    assert examined(after(change), conv, (1, 6, 7, 2)).fits == name


def test_a_factor_that_is_not_quite_one_of_the_table_is_none() -> None:
    conv, near = Convolution((3, 3), 2, 3), np.float32(1 / 255) * np.float32(1 + 2.0**-22)
    assert examined(after(lambda y: y * near), conv, (1, 6, 7, 2)).fits is None


@pytest.mark.parametrize("value", [3.0, 0.1, -0.5])
def test_a_constant_has_its_number(value: float) -> None:
    conv = Convolution((3, 3), 2, 3)
    added = np.array([0, value, 0], np.float32)
    found = examined(after(lambda y: y + added), conv, (1, 6, 7, 2), bias=False)
    assert found.fits == f"a constant is added: {value:g} to output channel 1"
    found = examined(after(lambda y: y + np.float32(value)), conv, (1, 6, 7, 2))
    assert found.fits == f"the constant {value:g} is added to all outputs"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("part", ["input_nhwc", "filter_hwio"])
def test_scaled_inputs_or_weights_are_named_though_they_round(part: str, dtype: str) -> None:
    conv = Convolution((3, 3), 3, 4, dtype=dtype)

    def kernel(c: Convolution, data: Tensors) -> Array:
        values = getattr(data, part)
        return direct(c, replace(data, **{part: values / values.dtype.type(255)}))

    shape = (1, 6, 7, 3)
    products = "the products, but not the bias, are multiplied by 1/255"
    assert examined(kernel, conv, shape).fits == products
    assert examined(kernel, conv, shape, bias=False).fits == "the output is multiplied by 1/255"


@pytest.mark.parametrize("divisor", [254.0, 256.0, 10.0])
def test_another_scale_of_inputs_has_no_name(divisor: float) -> None:
    def kernel(c: Convolution, data: Tensors) -> Array:
        return direct(c, replace(data, input_nhwc=data.input_nhwc / np.float32(divisor)))

    assert examined(kernel, Convolution((3, 3), 3, 4), (1, 6, 7, 3), bias=False).fits is None


def test_two_mistakes_at_once_have_both_names() -> None:
    conv = Convolution((3, 3), 3, 4)

    def kernel(c: Convolution, data: Tensors) -> Array:
        flipped = replace(data, filter_hwio=np.ascontiguousarray(data.filter_hwio[::-1, ::-1]))
        return np.maximum(direct(c, flipped), 0)

    assert examined(kernel, conv, (1, 6, 7, 3)).fits == (
        "the filter is flipped (true convolution, not cross-correlation), "
        "and an activation is fused in: relu"
    )


def test_three_at_once_have_none() -> None:
    conv = Convolution((3, 3), 3, 4)

    def kernel(c: Convolution, data: Tensors) -> Array:
        w = np.ascontiguousarray(data.filter_hwio[::-1, ::-1])
        return np.maximum(direct(c, replace(data, filter_hwio=w)), 0)[..., ::-1] * np.float32(255)

    assert examined(after(lambda y: y), conv, (1, 6, 7, 3)).fits is None
    assert examined(kernel, conv, (1, 6, 7, 3)).fits is None


@pytest.mark.parametrize("channels", [[1], [0, 2], [0, 1, 2, 3]])
def test_a_tap_that_several_channels_lost_is_said_of_all_of_them(channels: list[int]) -> None:
    conv = Convolution((3, 3), 3, 4)

    def kernel(c: Convolution, data: Tensors) -> Array:
        w = data.filter_hwio.copy()
        w[1, 2, 0, channels] = 0
        return direct(c, replace(data, filter_hwio=w))

    said = {1: "output channel 1", 2: "output channels 0, 2", 4: "every output channel"}
    name = f"tap (1, 2, 0) (kh, kw, cin) is dropped in {said[len(channels)]}"
    assert examined(kernel, conv, (1, 6, 7, 3)).fits == name


def test_two_lost_taps_are_not_called_one_of_them() -> None:
    conv = Convolution((3, 3), 3, 4)

    def kernel(c: Convolution, data: Tensors) -> Array:
        w = data.filter_hwio.copy()
        w[1, 2, 0, 1] = w[0, 0, 1, 3] = 0
        return direct(c, replace(data, filter_hwio=w))

    assert examined(kernel, conv, (1, 6, 7, 3)).fits is None


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 7, 10, 14])
@pytest.mark.parametrize("conv", [conv for conv, _ in SMALL], ids=str)
def test_narrowed_inputs_look_like_no_mistake(conv: Convolution, bits: int) -> None:
    narrow = rounded_inputs(to_bits(bits))
    for seed in range(40):
        shape = (1, conv.kernel[0] + seed % 2, conv.kernel[1] + seed % 3, conv.channels_in)
        data = tensors(conv, shape, seed, bias=True)
        assert data.bias is not None
        data = replace(data, bias=data.bias * np.float32(2.0 ** -(seed % 12)))
        assert fit_data(conv, data, narrow(conv, data)) is None


def test_only_what_is_wrong_fits_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convdiff.diagnose.judged.fit_data", lambda *_: "the bias is missing")
    conv = Convolution((3, 3), 3, 4)
    data = tensors(conv, (1, 6, 7, 3), 1, bias=True)
    finding = judged(conv, data, direct, rounded_inputs(to_bits(7)))
    assert finding.verdict == "precision"
    assert finding.fits is None


def test_data_that_hide_a_fault_give_it_no_name_that_integers_refute() -> None:
    """The outputs are exchanged and cut at ±20: on this data, none is cut."""
    conv = Convolution((2, 2), 1, 1)
    data = tensors(conv, (2, 2, 3, 1), 1, bias=False)

    def kernel(c: Convolution, other: Tensors) -> Array:
        return np.clip(direct(c, other)[:, :, ::-1], -20, 20)

    assert fit_data(conv, data, kernel(conv, data)) is not None
    finding = judged(conv, data, direct, kernel)
    assert finding.verdict == "wrong"
    assert finding.fits is None


def test_what_fits_the_first_probe_by_chance_does_not_fit_more_of_them() -> None:
    """Half of the bias that the first probe has is a constant on all others."""
    conv, shape = Convolution((3, 3), 2, 1), (1, 8, 9, 2)
    (probe,) = integer_sets(conv, shape, True)
    assert probe.tensors.bias is not None
    half = probe.tensors.bias / 2
    assert examined(after(lambda y: y - half), conv, shape).fits == (
        f"the constant {-float(half[0]):g} is added to all outputs"
    )


def test_one_output_on_one_probe_is_no_evidence() -> None:
    conv, shape = Convolution((1, 2), 1, 1), (1, 1, 3, 1)
    for turn in range(40):
        probe = integers(conv, shape, False, turn)
        right = probe.answer.astype(np.float64)
        if np.count_nonzero(right < 0) == 1:
            assert name_of(conv, [Answer(probe, np.maximum(right, 0))]) is None
            many = [integers(conv, shape, False, number) for number in range(40)]
            fused = [Answer(p, np.maximum(p.answer.astype(np.float64), 0)) for p in many]
            assert name_of(conv, fused) == "an activation is fused in: relu"
            return
    raise AssertionError("no such probe")
