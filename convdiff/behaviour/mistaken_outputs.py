"""What is done to a right result by mistake: rows of the table of mistakes.

Each takes the result, NHWC in fp64, and the bias of each channel, zero where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convdiff.behaviour.computation import Output
from convdiff.case.arrays import numpy_dtype
from convdiff.numerics.array import Array
from convdiff.numerics.floats import round_to
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import LIMITS, clamped

Outputs = Iterator[tuple[str, Output]]


def outputs(conv: Convolution, *, bias: bool) -> Outputs:
    """Yield named changes of a right result."""
    yield "the output is 0", lambda y, b: np.zeros_like(y)
    if bias:
        name = "no product arrives: the output is the bias alone"
        yield name, lambda y, b: np.zeros_like(y) + b
    if conv.rank == 2:
        yield "height and width of the output are swapped", lambda y, b: y.transpose(0, 2, 1, 3)
    yield f"the output's memory is {channels_first(conv)}", _is_nchw
    yield f"the output's memory is read as {channels_first(conv)}", _read_as_nchw
    yield "the output's channels are reversed", lambda y, b: y[..., ::-1]
    for step in () if conv.then in LIMITS else LIMITS:  # else it is another step than its own
        yield f"an activation is fused in: {step}", lambda y, b, step=step: clamped(step, y)  # type: ignore[misc]
    yield "the absolute value is taken", lambda y, b: np.abs(y)
    for name, factor, divisor in factors(conv):
        for change in _scalings(conv, factor, divisor):
            yield f"the output is multiplied by {name}", change
        if bias:
            for change in _scalings_of_products(conv, factor, divisor):
                yield f"the products, but not the bias, are multiplied by {name}", change


def channels_first(conv: Convolution) -> str:
    """Return the letters of a layout whose channels come first."""
    return f"NC{'DHW'[-conv.rank :]}"


def _is_nchw(y: Array, b: Array) -> Array:
    return np.asarray(y.transpose(0, 3, 1, 2).reshape(y.shape))


def _read_as_nchw(y: Array, b: Array) -> Array:
    batch, height, length, channels = y.shape
    return np.asarray(y.reshape(batch, channels, height, length).transpose(0, 2, 3, 1))


def factors(conv: Convolution) -> Iterator[tuple[str, float, float]]:
    """Yield the constants of a forgotten or doubled normalisation: names, factor and divisor."""
    yield "1/255", 1.0, 255.0
    yield "255", 255.0, 1.0
    yield "-1", -1.0, 1.0
    counts: dict[int, list[str]] = {}
    for what, number in (("input channels", conv.channels_in), ("taps", conv.taps)):
        counts.setdefault(number, []).append(what)
    for number, names in counts.items():
        if number > 1:
            what = f"the number of {' and of '.join(names)}"
            yield f"1/{number}, {what}", 1.0, float(number)
            yield f"{number}, {what}", float(number), 1.0


def _scalings(conv: Convolution, factor: float, divisor: float) -> Iterator[Output]:
    """Yield what a format gives of y·factor/divisor: divided, or times the rounded constant."""
    yield lambda y, b: y * factor / divisor
    if divisor != 1:
        times = _rounded(conv, np.array(factor / divisor))
        yield lambda y, b: y * times


def _scalings_of_products(conv: Convolution, factor: float, divisor: float) -> Iterator[Output]:
    """Yield the same of y without its bias, which is added after: rounded before, or fused."""
    for scaling in _scalings(conv, factor, divisor):
        yield lambda y, b, scaling=scaling: _rounded(conv, scaling(y - b, b)) + b  # type: ignore[misc]
        if divisor != 1:
            yield lambda y, b, scaling=scaling: scaling(y - b, b) + b  # type: ignore[misc]


def _rounded(conv: Convolution, values: Array) -> Array:
    return round_to(values, numpy_dtype(conv.dtype)).astype(np.float64)
