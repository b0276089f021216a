"""The known mistakes of a convolution: a table of changes to what is computed, the simplest first.

A mistake that is another one at some size (a filter of one row that is flipped along its width) has
no row there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from convdiff.behaviour.computation import Computation, Step
from convdiff.behaviour.mistaken_outputs import channels_first, outputs
from convdiff.behaviour.mistaken_padding import fillings
from convdiff.behaviour.mistaken_steps import mistaken_steps
from convdiff.case.layout import layout_of
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

Part = Literal["steps", "input", "filter", "bias", "step", "output"]
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
        return self.part in ("bias", "step", "output")

    def may_precede(self, other: Mistake) -> bool:
        """Return whether it can be made before another one: a bias is added before the output."""
        own = self.part == "output" and other.part in ("bias", "step")
        return self is not other and not own


Mistakes = Iterator[Mistake]


def mistakes(conv: Convolution, shape: tuple[int, ...], *, bias: bool) -> Mistakes:
    """Yield the mistakes that can be made with this convolution; `shape` is its input's, NHWC."""
    yield from _of_steps(conv, shape)
    if bias:
        yield from _of_bias()
    for name, instead in mistaken_steps(conv, bias=bias):
        yield Mistake(name, "step", partial(_stepping, instead=instead))
    yield from _of_filter(conv)
    yield from _of_input(conv, shape)
    for name, filled in fillings(conv, shape):
        yield Mistake(name, "input", filled)
    for name, change in outputs(conv, bias=bias):
        yield Mistake(name, "output", lambda one, change=change: one.with_output(change))  # type: ignore[misc]


def _of_steps(conv: Convolution, shape: tuple[int, ...]) -> Mistakes:
    """Yield what comes of strides and dilations that are ignored or mixed up."""
    ones = (1,) * len(conv.kernel)
    if conv.dilations != ones:
        yield _steps("the dilation is ignored", dilations=ones)
        if conv._replace(dilations=ones).output_shape(*shape[:3]) != conv.output_shape(*shape[:3]):
            yield _cut(conv, shape)
    if conv.strides != ones:
        yield _steps("the strides are ignored", strides=ones)
    for what, steps in (("stride", conv.strides), ("dilation", conv.dilations)):
        if conv.rank > 1 and len(set(steps)) > 1:
            yield from _mixed_up(conv, what, steps)


def _cut(conv: Convolution, shape: tuple[int, ...]) -> Mistake:
    """Return the row of a dilation that is ignored, where the output has the shape it must have."""
    _, rows, columns, _ = conv.output_shape(*shape[:3])
    ignored = _steps("the dilation is ignored, the output cut", dilations=(1,) * len(conv.kernel))
    return replace(
        ignored,
        change=lambda one: ignored.change(one).with_output(lambda y, b: y[:, :rows, :columns]),
    )


def _mixed_up(conv: Convolution, what: str, steps: tuple[int, ...]) -> Mistakes:
    """Yield what comes of one axis's step that is taken for another's."""
    both = "both" if len(steps) == 2 else "all"
    for name, step in zip(axis_names(conv), steps, strict=True):
        if step > 1:
            same = {f"{what}s": (step,) * len(steps)}
            yield _steps(f"the {name}'s {what} is used for {both} axes", **same)
    if len(steps) == 2:
        reverse = {f"{what}s": steps[::-1]}
        yield _steps(f"the {what}s of height and width are swapped", **reverse)


def axis_names(conv: Convolution) -> tuple[str, ...]:
    """Return the names of the op's own spatial axes."""
    return ("depth", "height", "width")[-conv.rank :]


def _steps(name: str, **steps: Any) -> Mistake:
    return Mistake(name, "steps", lambda one: one.with_steps(one.core.conv._replace(**steps)))


def _stepping(one: Computation, instead: Callable[[Step], Step]) -> Computation:
    return replace(one, step=instead(one.step))


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
    yield _filter(f"the filter is flipped ({_FLIPPED[conv.transposed]})", lambda w: w[::-1, ::-1])
    if sum(extent > 1 for extent in conv.kernel) > 1:
        yield from _flips(conv)
    if conv.groups == 1:
        name = "the filter's input channels are reversed, which is to reverse the input's"
        yield _filter(name, lambda w: w[:, :, ::-1])
    else:
        yield _filter("the filter's input channels are reversed", lambda w: w[:, :, ::-1])
    yield _filter("the filter's output channels are reversed", lambda w: w[..., ::-1])
    yield from _memories(conv)
    kh, kw, inputs, outs = conv.filter_shape
    if conv.rank == 2 and kh == kw:
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


_FLIPPED = {
    False: "true convolution, not cross-correlation",
    True: "as by lax.conv_transpose without transpose_kernel",
}


def _flips(conv: Convolution) -> Mistakes:
    """Yield the filters that are flipped along one axis of several."""
    names = axis_names(conv)
    for axis, extent in enumerate(conv.kernel):
        if extent > 1:
            name = f"the filter is flipped along the {names[axis]}"
            yield _filter(name, lambda w, axis=axis: _flip(conv, w, axis))  # type: ignore[misc]


def _flip(conv: Convolution, w: Array, axis: int) -> Array:
    spread = w.reshape(*conv.kernel, *w.shape[2:])
    return np.asarray(np.flip(spread, axis).reshape(w.shape))


def _memories(conv: Convolution) -> Mistakes:
    """Yield the filters whose memory is read as that of another layout."""
    extents = layout_of("nchw", conv.op).filter.name.strip("OI")
    begin = "the filter's memory is read as"
    yield _filter(f"{begin} OI{extents}", as_oihw)
    if conv.transposed:
        yield _filter(f"{begin} IO{extents}", as_iohw)
        if conv.filter_shape[2] != conv.filter_shape[3]:  # else its channels are swapped
            yield _filter(f"{begin} {extents}OI", as_hwoi)


def _filter(name: str, change: Callable[[Array], Array]) -> Mistake:
    return Mistake(name, "filter", lambda one: one.with_filter(change(one.core.w)))


def as_oihw(w: Array) -> Array:
    """Read HWIO memory as OIHW; return it as HWIO."""
    read = w.reshape(w.shape[3], w.shape[2], w.shape[0], w.shape[1])
    return np.asarray(read.transpose(2, 3, 1, 0))


def as_iohw(w: Array) -> Array:
    """Read HWIO memory as IOHW, PyTorch's of transposed convolutions; return it as HWIO."""
    read = w.reshape(w.shape[2], w.shape[3], w.shape[0], w.shape[1])
    return np.asarray(read.transpose(2, 3, 0, 1))


def as_hwoi(w: Array) -> Array:
    """Read HWIO memory as HWOI, TensorFlow's of transposed convolutions; return it as HWIO."""
    read = w.reshape(w.shape[0], w.shape[1], w.shape[3], w.shape[2])
    return np.asarray(read.transpose(0, 1, 3, 2))


def _of_input(conv: Convolution, shape: tuple[int, ...]) -> Mistakes:
    """Yield the inputs, NHWC, that are taken for the right one."""
    batch, height, length, channels = shape
    yield _input(
        f"the input's memory is read as {channels_first(conv)}",
        lambda x: x.reshape(batch, channels, height, length).transpose(0, 2, 3, 1),
    )
    if max(conv.strides) > 1:
        both = ((1, 1), (0, 1), (1, 0), (-1, -1), (0, -1), (-1, 0))
        for down, right in both if conv.rank == 2 else ((0, 1), (0, -1)):
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
