"""Faults of convolutions in plain NumPy, each with its label: those that convdiff has a name for.

Nothing here is convdiff's. A fault changes what is convolved, or what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Rng = np.random.Generator


class Asked(NamedTuple):
    """What is to be convolved, in fp64."""

    conv: Any
    x: Array
    w: Array
    b: Array | None


def same(asked: Asked) -> Asked:
    return asked


def kept(y: Array, asked: Asked) -> Array:
    return y


@dataclass(frozen=True)
class Fault:
    """A fault: its label, what it changes before, and what after."""

    name: str
    part: str
    before: Callable[[Asked], Asked] = same
    after: Callable[[Array, Asked], Array] = kept
    """From the result and what was asked for; fp64, rounded to fp32 afterwards."""


Faults = Iterator[Fault]


def of_filter(name: str, change: Callable[[Array], Array]) -> Fault:
    return Fault(name, "filter", lambda a: a._replace(w=change(a.w)))


def of_input(name: str, change: Callable[[Array], Array]) -> Fault:
    return Fault(name, "input", lambda a: a._replace(x=change(a.x)))


def of_output(name: str, change: Callable[[Array], Array], part: str = "output") -> Fault:
    return Fault(name, part, after=lambda y, a: change(y))


def of_steps(name: str, **steps: Any) -> Fault:
    return Fault(name, "steps", lambda a: a._replace(conv=a.conv._replace(**steps)))


def named(asked: Asked, rng: Rng) -> list[Fault]:
    """Return the faults that convdiff has a name for and that can be made here."""
    return [
        *_steps(asked),
        *_bias(asked),
        *_filters(asked),
        *_inputs(asked),
        *_layouts(asked),
        *_values(),
        *_factors(asked),
        *_taps(asked, rng),
        *_shifts(asked, rng),
        *_constants(asked, rng),
    ]


def _steps(asked: Asked) -> Faults:
    conv = asked.conv
    if conv.dilations != (1, 1):
        yield of_steps("the dilation is ignored", dilations=(1, 1))
        rows, columns = _shape(conv, asked.x)
        yield Fault(
            "the dilation is ignored, the output cut",
            "steps",
            lambda a: a._replace(conv=a.conv._replace(dilations=(1, 1))),
            lambda y, a: y[:, :rows, :columns],
        )
    if conv.strides != (1, 1):
        yield of_steps("the strides are ignored", strides=(1, 1))
    for what in ("stride", "dilation"):
        down, right = getattr(conv, what + "s")
        if down != right:
            key = what + "s"
            for axis, step in (("height", down), ("width", right)):
                if step > 1:  # else they are ignored
                    name = f"the {axis}'s {what} is used for both axes"
                    yield of_steps(name, **{key: (step, step)})
            yield of_steps(f"the {key} of height and width are swapped", **{key: (right, down)})


def _shape(conv: Any, x: Array) -> tuple[int, int]:
    sizes = []
    for size, kernel, stride, dilation in zip(
        x.shape[1:3], conv.kernel, conv.strides, conv.dilations, strict=True
    ):
        sizes.append((size - (kernel - 1) * dilation - 1) // stride + 1)
    return sizes[0], sizes[1]


def _bias(asked: Asked) -> Faults:
    if asked.b is None:
        return
    for name, times in (
        ("the bias is missing", 0.0),
        ("the bias is added twice", 2.0),
        ("half of the bias is added", 0.5),
        ("the bias is subtracted", -1.0),
    ):
        yield Fault(name, "bias", lambda a, times=times: a._replace(b=a.b * times))


def _filters(asked: Asked) -> Faults:
    kh, kw, inputs, outputs = asked.w.shape
    flip = "the filter is flipped (true convolution, not cross-correlation)"
    yield of_filter(flip, lambda w: np.flip(w, (0, 1)))
    if kh > 1 and kw > 1:
        yield of_filter("the filter is flipped along the height", np.flipud)
        yield of_filter("the filter is flipped along the width", lambda w: np.flip(w, 1))
    name = "the filter's input channels are reversed"
    name += ", which is to reverse the input's" if asked.conv.groups == 1 else ""
    yield of_filter(name, lambda w: np.flip(w, 2))
    yield of_filter("the filter's output channels are reversed", lambda w: np.flip(w, 3))
    yield of_filter(
        "the filter's memory is read as OIHW",
        lambda w: np.moveaxis(w.ravel().reshape(outputs, inputs, kh, kw), (0, 1), (3, 2)),
    )
    if kh == kw:
        yield of_filter(
            "height and width of the filter are swapped", lambda w: np.swapaxes(w, 0, 1)
        )
        yield of_filter(
            "the filter is transposed and flipped",
            lambda w: np.flip(np.swapaxes(w, 0, 1), (0, 1)),
        )
    if inputs == outputs:
        yield of_filter(
            "input and output channels of the filter are swapped", lambda w: np.swapaxes(w, 2, 3)
        )


def rolled(x: Array, down: int, right: int) -> Array:
    """Return x moved, zeros from the edge."""
    moved = np.roll(x, (down, right), (1, 2))
    for axis, by in ((1, down), (2, right)):
        edge = [slice(None)] * 4
        edge[axis] = slice(0, by) if by > 0 else slice(x.shape[axis] + by, None)
        if by:
            moved[tuple(edge)] = 0
    return moved


def _inputs(asked: Asked) -> Faults:
    n, h, w, c = asked.x.shape
    yield of_input(
        "the input's memory is read as NCHW",
        lambda x: np.moveaxis(x.ravel().reshape(n, c, h, w), 1, 3),
    )
    if asked.conv.strides != (1, 1):
        for down, right in ((1, 1), (0, 1), (1, 0), (-1, -1), (0, -1), (-1, 0)):
            yield of_input(
                f"the input is moved by ({down}, {right})",
                lambda x, down=down, right=right: rolled(x, down, right),
            )
    if asked.conv.groups > 1:
        own = c // asked.conv.groups
        index = np.arange(c) % own
        yield of_input("all groups read the first one's channels", lambda x: x[..., index])
        yield of_input("the input's channels are reversed", lambda x: np.flip(x, 3))
    for channel in range(c if 1 < c <= 32 else 0):
        mask = np.where(np.arange(c) == channel, 0.0, 1.0)
        yield of_input(f"input channel {channel} is left out", lambda x, mask=mask: x * mask)
    for last in range(2, min(c, 16)):
        name = f"the last {last} input channels are left out"
        yield of_input(
            name, lambda x, last=last: np.concatenate([x[..., :-last], x[..., -last:] * 0], -1)
        )


def _layouts(asked: Asked) -> Faults:
    yield of_output("height and width of the output are swapped", lambda y: np.swapaxes(y, 1, 2))
    yield of_output(
        "the output's memory is NCHW", lambda y: np.moveaxis(y, 3, 1).ravel().reshape(y.shape)
    )
    yield of_output(
        "the output's memory is read as NCHW",
        lambda y: np.moveaxis(
            y.ravel().reshape(y.shape[0], y.shape[3], y.shape[1], y.shape[2]), 1, 3
        ),
    )
    yield of_output("the output's channels are reversed", lambda y: np.flip(y, 3))


def _values() -> Faults:
    relu, relu6 = "an activation is fused in: relu", "an activation is fused in: relu6"
    yield of_output(relu, lambda y: np.where(y > 0, y, 0.0), "values")
    yield of_output(relu6, lambda y: np.minimum(np.where(y > 0, y, 0.0), 6), "values")
    yield of_output("the absolute value is taken", lambda y: np.where(y < 0, -y, y), "values")


def _factors(asked: Asked) -> Faults:
    taps, inputs = int(np.prod(asked.w.shape[:3])), asked.x.shape[3]
    factors = {"1/255": 1 / 255, "255": 255.0, "-1": -1.0}
    numbers = {inputs: "the number of input channels", taps: "the number of taps"}
    if taps == inputs:
        numbers = {taps: "the number of input channels and of taps"}
    for number, what in numbers.items():
        if number > 1:
            factors[f"1/{number}, {what}"] = 1 / number
            factors[f"{number}, {what}"] = float(number)
    for name, factor in factors.items():
        times = float(np.float32(factor))
        yield of_output(
            f"the output is multiplied by {name}", lambda y, times=times: y * times, "values"
        )
        scaled = f"the output is multiplied by {name}"
        if asked.b is not None:
            scaled = f"the products, but not the bias, are multiplied by {name}"
        yield Fault(
            scaled,
            "scaled",
            lambda a, times=times: a._replace(w=(a.w * times).astype(np.float32).astype(float)),
        )
        if asked.b is not None:
            yield Fault(
                f"the products, but not the bias, are multiplied by {name}",
                "products",
                lambda a: a._replace(b=None),
                lambda y, a, times=times: (y * times).astype(np.float32).astype(float) + a.b,
            )


def _taps(asked: Asked, rng: Rng) -> Faults:
    """Yield two, at a place that is drawn."""
    place = tuple(int(rng.integers(size)) for size in asked.w.shape)
    where = f"tap {place[:3]} (kh, kw, cin)"
    for said, times in (("is dropped", 0.0), ("is counted twice", 2.0)):
        mask = np.ones(asked.w.shape)
        mask[place] = times
        name = f"{where} {said} in output channel {place[3]}"
        yield Fault(name, "tap", lambda a, mask=mask: a._replace(w=a.w * mask))


def _shifts(asked: Asked, rng: Rng) -> Faults:
    rows, columns = _shape(asked.conv, asked.x)
    down, right = (int(rng.integers(-min(2, n - 1), min(2, n - 1) + 1)) for n in (rows, columns))
    if (down, right) != (0, 0):
        name = f"the output is shifted by ({down}, {right})"
        yield of_output(name, lambda y: rolled(y, down, right), "shift")


def _constants(asked: Asked, rng: Rng) -> Faults:
    value, outputs = float(rng.choice([0.5, 1.0, 3.0, -2.0])), asked.w.shape[3]
    channel = int(rng.integers(outputs))
    text = f"{value:g}"
    yield of_output(f"the constant {text} is added to all outputs", lambda y: y + value, "constant")
    if outputs > 1:
        one = np.where(np.arange(outputs) == channel, value, 0.0)
        name = f"a constant is added: {text} to output channel {channel}"
        yield of_output(name, lambda y: y + one, "constant")
