"""What a wrong result looks like has a name: found on integer probes, at several shapes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from findings import judged, tensors
from kernels import CELL, Kernel, direct, measure_with
from labelled import given
from labelled_faults import Asked, named, nothing_added
from labelled_sums import PLAIN, Order, convolved
from labels_judged import kernel_of
from soak import one_in

from convdiff.behaviour.examine import examine_cell
from convdiff.behaviour.mistakes import mistakes
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]

SHAPES = (
    (Convolution((3, 3), 3, 4), (1, 9, 9, 3)),
    (Convolution((3, 3), 2, 4), (2, 8, 7, 2)),
    (Convolution((2, 3), 4, 3), (1, 6, 9, 4)),
)
STRIDED = (
    (Convolution((3, 3), 3, 4, strides=(2, 2)), (1, 9, 9, 3)),
    (Convolution((2, 3), 2, 3, strides=(2, 2)), (1, 8, 10, 2)),
)


def after(change: Any) -> Kernel:
    """Return a kernel that changes what it gives."""
    return lambda conv, data: np.ascontiguousarray(change(direct(conv, data)))


def before(change: Any) -> Kernel:
    """Return a kernel that changes its input."""

    def kernel(conv: Convolution, data: Tensors) -> Array:
        x = np.ascontiguousarray(change(data.input_nhwc))
        return direct(conv, replace(data, input_nhwc=x))

    return kernel


def filtered(change: Any) -> Kernel:
    """Return a kernel that changes its filter."""

    def kernel(conv: Convolution, data: Tensors) -> Array:
        w = np.ascontiguousarray(change(data.filter_hwio))
        return direct(conv, replace(data, filter_hwio=w))

    return kernel


def halved_bias(conv: Convolution, data: Tensors) -> Array:
    assert data.bias is not None
    return direct(conv, replace(data, bias=(data.bias / 2).astype(data.bias.dtype)))


def moved(x: Array) -> Array:
    return np.pad(x, ((0, 0), (1, 0), (1, 0), (0, 0)))[:, :-1, :-1]


def name_of(kernel: Kernel, conv: Convolution, shape: tuple[int, ...]) -> str | None:
    finding = judged(conv, tensors(conv, shape, 5, bias=True), direct, kernel)
    assert finding.verdict == "wrong"
    return finding.fits


@pytest.mark.parametrize(("conv", "shape"), SHAPES)
@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (after(lambda y: np.maximum(y, 0)), "an activation is fused in: relu"),
        (after(lambda y: y * np.float32(1 / 255)), "the output is multiplied by 1/255"),
        (after(lambda y: y * np.float32(-1)), "the output is multiplied by -1"),
        (after(lambda y: y[..., ::-1]), "the output's channels are reversed"),
        (
            after(lambda y: y.transpose(0, 3, 1, 2).reshape(y.shape)),
            "the output's memory is NCHW",
        ),
        (
            before(lambda x: x[..., ::-1]),
            "the filter's input channels are reversed, which is to reverse the input's",
        ),
        (halved_bias, "half of the bias is added"),
    ],
)
def test_each_has_its_name(kernel: Kernel, name: str, conv: Convolution, shape: tuple[int, ...]):
    assert name_of(kernel, conv, shape) == name


@pytest.mark.parametrize(("conv", "shape"), SHAPES[:2])
def test_a_transposed_output_and_filter(conv: Convolution, shape: tuple[int, ...]):
    swapped = after(lambda y: y.transpose(0, 2, 1, 3))
    assert name_of(swapped, conv, shape) == "height and width of the output are swapped"
    both = filtered(lambda w: w.transpose(1, 0, 2, 3)[::-1, ::-1])
    assert name_of(both, conv, shape) == "the filter is transposed and flipped"
    alone = filtered(lambda w: w.transpose(1, 0, 2, 3))
    assert name_of(alone, conv, shape) == "height and width of the filter are swapped"


@pytest.mark.parametrize(("conv", "shape"), STRIDED)
def test_an_input_that_is_padded_at_the_other_end(conv: Convolution, shape: tuple[int, ...]):
    assert name_of(before(moved), conv, shape) == "the input is moved by (1, 1)"


def test_groups_that_read_the_first_one():
    conv = Convolution((3, 3), 4, 4, groups=2)
    kernel = before(lambda x: np.tile(x[..., :2], 2))
    assert name_of(kernel, conv, (1, 6, 7, 4)) == "all groups read the first one's channels"


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(
    ("bias", "name"),
    [(True, "no product arrives: the output is the bias alone"), (False, "the output is 0")],
)
def test_no_product_at_all(channels: int, bias: bool, name: str):
    def without(conv: Convolution, data: Tensors) -> Array:
        return direct(conv, replace(data, filter_hwio=data.filter_hwio * 0))

    conv, cell = Convolution((2, 3), channels, 4), replace(CELL, batch=1, length=8)
    behaviour = examine_cell(cell, conv, 5, bias, measure_with(without, conv))
    assert behaviour.fits == name


@pytest.mark.parametrize("length", [3, 4, 5, 8, 40])
def test_how_many_outputs_are_off_is_said_of_how_many_probes(length: int):
    conv, cell = Convolution((1, 3), 2, 4), replace(CELL, batch=1, length=length)
    kernel = measure_with(filtered(lambda w: w * 0), conv)
    traits = examine_cell(cell, conv, 1, True, kernel).traits
    assert traits is not None
    found = re.search(r" of (\d+) outputs of (\d+) probes$", str(traits.integer_error))
    assert found is not None
    assert int(found[1]) == (length - 2) * 4 * int(found[2])
    assert (int(found[2]) == 2) == (length >= 8)


@pytest.mark.parametrize("channel", range(3))
def test_a_channel_that_is_left_out(channel: int):
    def without(x: Array) -> Array:
        x = x.copy()
        x[..., channel] = 0
        return x

    conv = Convolution((3, 3), 3, 4)
    name = name_of(before(without), conv, (1, 6, 7, 3))
    assert name == f"input channel {channel} is left out"


def test_steps_of_one_axis_used_for_both():
    def mixed(**steps: Any) -> Kernel:
        return lambda conv, data: direct(conv._replace(**steps), data)

    conv = Convolution((2, 2), 2, 3, dilations=(1, 2))
    name = name_of(mixed(dilations=(2, 2)), conv, (1, 7, 7, 2))
    assert name == "the width's dilation is used for both axes"
    conv = Convolution((2, 2), 2, 3, strides=(2, 1))
    name = name_of(mixed(strides=(1, 2)), conv, (1, 7, 7, 2))
    assert name == "the strides of height and width are swapped"


@pytest.mark.slow
@pytest.mark.parametrize(("conv", "shape"), [*SHAPES, *STRIDED])
def test_what_is_no_known_mistake_has_no_name(conv: Convolution, shape: tuple[int, ...]):
    def odd(y: Array) -> Array:
        y = y.copy()
        y[:, 1, 1] += 3
        return y

    for change in (
        odd,
        lambda y: y * np.float32(1.7),
        lambda y: y * y,
        lambda y: np.full_like(y, 7),
    ):
        assert name_of(after(change), conv, shape) is None


GEOMETRIES = (
    (Convolution((3, 3), 4, 4), (1, 7, 7, 4)),
    (Convolution((2, 3), 3, 5, strides=(2, 3), dilations=(3, 2)), (1, 9, 13, 3)),
    (Convolution((2, 2), 2, 3, strides=(3, 2), dilations=(2, 3)), (2, 10, 10, 2)),
    (Convolution((3, 2), 4, 6, groups=2), (2, 7, 7, 4)),
)


def asked_of(conv: Convolution, shape: tuple[int, ...]) -> Asked:
    """Return integers for the faults that are made without convdiff."""
    rng = np.random.default_rng(11)
    sizes = (shape, conv.filter_shape, (conv.channels_out,))
    x, w, b = (rng.integers(1, 9, size) * rng.choice([-1.0, 1.0], size) for size in sizes)
    return Asked(conv, x, w, b)


@pytest.mark.slow
@one_in(2, ("conv", "shape"), GEOMETRIES)
def test_every_fault_of_the_table_has_its_name(conv: Convolution, shape: tuple[int, ...]):
    """The faults are made by other code than the table's, and each must be told exactly."""
    asked, order = asked_of(conv, shape), Order("chain", 1, fused=False)
    right = convolved(*asked, order)
    wrongly = []
    for fault in (*named(asked, np.random.default_rng(5)), *nothing_added()):
        made = given(asked, [fault], order, PLAIN)
        if made.shape == right.shape and np.array_equal(made, right):
            continue
        kernel = kernel_of(lambda a, fault=fault: given(a, [fault], order, PLAIN))
        behaviour = examine_cell(
            replace(CELL, batch=shape[0], length=shape[2]),
            conv,
            shape[1],
            True,
            measure_with(kernel, conv),
        )
        if behaviour.fits != fault.name:
            wrongly.append((fault.name, behaviour.fits))
    assert not wrongly


def test_the_faults_made_elsewhere_are_all_of_the_table() -> None:
    """A row that is new needs a fault of its own in support/labelled_faults.py."""
    for conv, shape in GEOMETRIES:
        table = {row.name for row in mistakes(conv, shape, bias=True)}
        made = {fault.name for fault in named(asked_of(conv, shape), np.random.default_rng(5))}
        assert table <= made | {fault.name for fault in nothing_added()}
