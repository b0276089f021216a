"""The known mistakes of a convolution: a table of changes to what is computed, the simplest first.

A mistake that is another one at some size (a filter of one row that is flipped along its width) has
no row there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from convdiff.behaviour.computation import Computation
from convdiff.behaviour.mistaken_outputs import outputs
from convdiff.numerics.array import Array
from convdiff.worker.ops.conv2d import Convolution

Part = Literal["steps", "input", "filter", "bias", "output"]
MOST_CHANNELS = 32
"""Up to so many input channels, each is tried as the one that is left out."""
MOST_LEFT = 15
"""Channels at the end that a loop of wide steps may leave out."""


@dataclass(frozen=True)
class Mistake:
    """A row of the table."""

    name: str
    part: Part
    """What of the computation it changes."""
    change: Callable[[Computation], Computation]

    @property
    def is_late(self) -> bool:
        """Return whether it is made after the products are summed, and so costs little to try."""
        return self.part in ("bias", "output")

    def may_precede(self, other: Mistake) -> bool:
        """Return whether it can be made before another one: a bias is added before the output."""
        return self is not other and (self.part, other.part) != ("output", "bias")


Mistakes = Iterator[Mistake]


def mistakes(conv: Convolution, shape: tuple[int, ...], *, bias: bool) -> Mistakes:
    """Yield the mistakes that can be made with this convolution; `shape` is its input's, NHWC."""
    yield from _of_steps(conv, shape)
    if bias:
        yield from _of_bias()
    yield from _of_filter(conv)
    yield from _of_input(conv, shape)
    for name, change in outputs(conv, bias=bias):
        yield Mistake(name, "output", lambda one, change=change: one.with_output(change))  # type: ignore[misc]


def _of_steps(conv: Convolution, shape: tuple[int, ...]) -> Mistakes:
    """Yield what comes of strides and dilations that are ignored or mixed up."""
    if conv.dilations != (1, 1):
        _, rows, columns, _ = conv.output_shape(*shape[:3])
        yield _steps("the dilation is ignored", dilations=(1, 1))
        ignored = _steps("the dilation is ignored, the output cut", dilations=(1, 1))
        yield replace(
            ignored,
            change=lambda one: ignored.change(one).with_output(lambda y, b: y[:, :rows, :columns]),
        )
    if conv.strides != (1, 1):
        yield _steps("the strides are ignored", strides=(1, 1))
    for what, steps in (("stride", conv.strides), ("dilation", conv.dilations)):
        down, right = steps
        if down != right:
            of = f"{what}s"
            if down > 1:
                yield _steps(f"the height's {what} is used for both axes", **{of: (down, down)})
            if right > 1:
                yield _steps(f"the width's {what} is used for both axes", **{of: (right, right)})
            yield _steps(f"the {of} of height and width are swapped", **{of: (right, down)})


def _steps(name: str, **steps: Any) -> Mistake:
    return Mistake(name, "steps", lambda one: one.with_steps(one.core.conv._replace(**steps)))


def _of_bias() -> Mistakes:
    factors = {
        "the bias is missing": 0.0,
        "the bias is added twice": 2.0,
        "half of the bias is added": 0.5,
        "the bias is subtracted": -1.0,
    }
    for name, factor in factors.items():
        yield Mistake(name, "bias", lambda one, f=factor: replace(one, bias=one.bias * f))  # type: ignore[misc]


def _of_filter(conv: Convolution) -> Mistakes:
    """Yield the filters, HWIO, that are taken for the right one."""
    (kh, kw), (inputs, outs) = conv.kernel, conv.filter_shape[2:]
    yield _filter(
        "the filter is flipped (true convolution, not cross-correlation)", lambda w: w[::-1, ::-1]
    )
    if min(kh, kw) > 1:
        yield _filter("the filter is flipped along the height", lambda w: w[::-1])
        yield _filter("the filter is flipped along the width", lambda w: w[:, ::-1])
    if conv.groups == 1:
        name = "the filter's input channels are reversed, which is to reverse the input's"
        yield _filter(name, lambda w: w[:, :, ::-1])
    else:
        yield _filter("the filter's input channels are reversed", lambda w: w[:, :, ::-1])
    yield _filter("the filter's output channels are reversed", lambda w: w[..., ::-1])
    yield _filter("the filter's memory is read as OIHW", as_oihw)
    if kh == kw:
        yield _filter(
            "height and width of the filter are swapped", lambda w: w.transpose(1, 0, 2, 3)
        )
        yield _filter(
            "the filter is transposed and flipped",
            lambda w: w.transpose(1, 0, 2, 3)[::-1, ::-1],
        )
    if inputs == outs:
        name = "input and output channels of the filter are swapped"
        yield _filter(name, lambda w: w.transpose(0, 1, 3, 2))


def _filter(name: str, change: Callable[[Array], Array]) -> Mistake:
    return Mistake(name, "filter", lambda one: one.with_filter(change(one.core.w)))


def as_oihw(w: Array) -> Array:
    """Read HWIO memory as OIHW; return it as HWIO."""
    read = w.reshape(w.shape[3], w.shape[2], w.shape[0], w.shape[1])
    return np.asarray(read.transpose(2, 3, 1, 0))


def _of_input(conv: Convolution, shape: tuple[int, ...]) -> Mistakes:
    """Yield the inputs, NHWC, that are taken for the right one."""
    batch, height, length, channels = shape
    yield _input(
        "the input's memory is read as NCHW",
        lambda x: x.reshape(batch, channels, height, length).transpose(0, 2, 3, 1),
    )
    if conv.strides != (1, 1):
        for down, right in ((1, 1), (0, 1), (1, 0), (-1, -1), (0, -1), (-1, 0)):
            name = f"the input is moved by ({down}, {right})"
            yield _input(name, lambda x, d=down, r=right: moved(x, d, r))  # type: ignore[misc]
    if conv.groups > 1:
        own = channels // conv.groups
        name = "all groups read the first one's channels"
        yield _input(name, lambda x: np.tile(x[..., :own], conv.groups))
        yield _input("the input's channels are reversed", lambda x: x[..., ::-1])
    if 1 < channels <= MOST_CHANNELS:
        for channel in range(channels):
            kept = np.arange(channels) != channel
            yield _input(f"input channel {channel} is left out", lambda x, kept=kept: x * kept)  # type: ignore[misc]
    for last in range(2, min(MOST_LEFT, channels - 1) + 1):
        kept = np.arange(channels) < channels - last
        name = f"the last {last} input channels are left out"
        yield _input(name, lambda x, kept=kept: x * kept)  # type: ignore[misc]


def _input(name: str, change: Callable[[Array], Array]) -> Mistake:
    return Mistake(name, "input", lambda one: one.with_input(change(one.core.x)))


def moved(x: Array, down: int, right: int) -> Array:
    """Return x, NHWC, padded with zeros at one end and cut at the other."""
    height, length = x.shape[1:3]
    rows, columns = abs(down), abs(right)
    padded = np.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
    top, left = rows - down, columns - right
    return np.asarray(padded[:, top : top + height, left : left + length])
