"""Faults of convolutions in plain NumPy, each with its label: those that convdiff has a name for.

Nothing here is convdiff's. A fault changes what is convolved, or what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from labelled_geometry import extents_of, gathered, is_plain, longer_of, pads_of, rank_of

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
        *paddings(asked),
    ]


def _steps(asked: Asked) -> Faults:
    conv = asked.conv
    ones = (1,) * len(conv.kernel)
    if conv.dilations != ones:
        yield of_steps("the dilation is ignored", dilations=ones)
        rows, columns = _shape(conv, asked.x)
        yield Fault(
            "the dilation is ignored, the output cut",
            "steps",
            lambda a: a._replace(conv=a.conv._replace(dilations=ones)),
            lambda y, a: y[:, :rows, :columns],
        )
    if conv.strides != ones:
        yield of_steps("the strides are ignored", strides=ones)
    for what in ("stride", "dilation"):
        steps, key = getattr(conv, what + "s"), what + "s"
        if rank_of(conv) > 1 and len(set(steps)) > 1:
            for axis, step in zip(AXES[-len(steps) :], steps, strict=True):
                if step > 1:  # else they are ignored
                    both = "both" if len(steps) == 2 else "all"
                    name = f"the {axis}'s {what} is used for {both} axes"
                    yield of_steps(name, **{key: (step,) * len(steps)})
            if len(steps) == 2:
                swapped = {key: (steps[1], steps[0])}
                yield of_steps(f"the {key} of height and width are swapped", **swapped)


AXES = ("depth", "height", "width")


def _shape(conv: Any, x: Array) -> tuple[int, int]:
    if not is_plain(conv):
        rows, columns = gathered(conv, x).shape[1:3]
        return rows, columns
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
    conv = asked.conv
    flip = "the filter is flipped (true convolution, not cross-correlation)"
    if "transpose" in conv.op:
        flip = "the filter is flipped (as by lax.conv_transpose without transpose_kernel)"
    yield of_filter(flip, lambda w: np.flip(w, (0, 1)))
    if sum(extent > 1 for extent in conv.kernel) > 1:
        for axis, extent in enumerate(conv.kernel):
            if extent > 1:
                name = f"the filter is flipped along the {AXES[-len(conv.kernel) :][axis]}"
                yield of_filter(name, lambda w, axis=axis: spread_flip(conv, w, axis))
    name = "the filter's input channels are reversed"
    name += ", which is to reverse the input's" if asked.conv.groups == 1 else ""
    yield of_filter(name, lambda w: np.flip(w, 2))
    yield of_filter("the filter's output channels are reversed", lambda w: np.flip(w, 3))
    letters = "DHW"[-rank_of(conv) :] if conv.op != "dense" else ""
    yield of_filter(
        f"the filter's memory is read as OI{letters}",
        lambda w: np.moveaxis(w.ravel().reshape(outputs, inputs, kh, kw), (0, 1), (3, 2)),
    )
    if "transpose" in conv.op:
        yield of_filter(
            f"the filter's memory is read as IO{letters}",
            lambda w: np.moveaxis(w.ravel().reshape(inputs, outputs, kh, kw), (0, 1), (2, 3)),
        )
        if inputs != outputs:
            yield of_filter(
                f"the filter's memory is read as {letters}OI",
                lambda w: np.swapaxes(w.ravel().reshape(kh, kw, outputs, inputs), 2, 3),
            )
    if kh == kw and rank_of(conv) == 2:
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


def spread_flip(conv: Any, w: Array, axis: int) -> Array:
    return np.flip(w.reshape(*conv.kernel, *w.shape[2:]), axis).reshape(w.shape)


def first(conv: Any) -> str:
    return f"NC{'DHW'[-rank_of(conv) :]}"


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
        f"the input's memory is read as {first(asked.conv)}",
        lambda x: np.moveaxis(x.ravel().reshape(n, c, h, w), 1, 3),
    )
    if max(asked.conv.strides) > 1:
        for down, right in ((1, 1), (0, 1), (1, 0), (-1, -1), (0, -1), (-1, 0)):
            if down and rank_of(asked.conv) != 2:
                continue
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
    if rank_of(asked.conv) == 2:
        swapped = "height and width of the output are swapped"
        yield of_output(swapped, lambda y: np.swapaxes(y, 1, 2))
    yield of_output(
        f"the output's memory is {first(asked.conv)}",
        lambda y: np.moveaxis(y, 3, 1).ravel().reshape(y.shape),
    )
    yield of_output(
        f"the output's memory is read as {first(asked.conv)}",
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


def nothing_added() -> Faults:
    """Yield the faults that leave nothing of the products; they are drawn nowhere."""
    yield of_output("the output is 0", lambda y: y * 0)
    name = "no product arrives: the output is the bias alone"
    yield of_filter(name, np.zeros_like)


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
    where = tap_name(asked.conv, place)
    for said, times in (("is dropped", 0.0), ("is counted twice", 2.0)):
        mask = np.ones(asked.w.shape)
        mask[place] = times
        name = f"{where} {said} in output channel {place[3]}"
        yield Fault(name, "tap", lambda a, mask=mask: a._replace(w=a.w * mask))


def tap_name(conv: Any, place: tuple[int, ...]) -> str:
    """Return a tap's name, from its place in HWIO."""
    row, *others = place[:3]
    rank = rank_of(conv)
    high = [int(k) for k in np.unravel_index(row, conv.kernel[:-1])][-max(0, rank - 1) :]
    numbers = tuple([*(high if rank > 1 else []), *others])
    return f"tap {numbers} ({', '.join((*('kd', 'kh', 'kw')[-rank:], 'cin'))})"


def _shifts(asked: Asked, rng: Rng) -> Faults:
    rows, columns = _shape(asked.conv, asked.x)
    down, right = (int(rng.integers(-min(2, n - 1), min(2, n - 1) + 1)) for n in (rows, columns))
    down = 0 if rank_of(asked.conv) == 3 else down
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


def paddings(asked: Asked) -> Faults:
    """Yield what is padded otherwise, of a convolution that is padded or transposed."""
    conv, extents = asked.conv, extents_of(asked.conv, asked.x)
    own, longer = pads_of(conv, extents), longer_of(conv)
    if is_plain(conv) or conv.op == "dense":
        return

    def padded(name: str, pads: Any, longer: Any = longer) -> Fault:
        return of_steps(name, padding=tuple(map(tuple, pads)), output_padding=tuple(longer))

    none = [0] * len(own)
    others = [[after, before] for before, after in own]
    if others != [list(pair) for pair in own]:
        yield padded(f"the padding is at the other end{written(conv, others)}", others)
    if own != [(0, 0)] * len(own):
        yield padded("the padding is ignored (VALID)", [(0, 0)] * len(own))
        yield padded("the padding is counted twice", [(2 * a, 2 * b) for a, b in own])
    if any(longer):
        yield padded("output_padding is ignored", own, none)
        front = [(a - n, b) for (a, b), n in zip(own, longer, strict=True)]
        yield padded("output_padding is at the front, not at the end", front, none)
    if "transpose" not in conv.op:
        for mode, name in MODES.items():
            if max(map(max, own)) > 0:
                yield Fault(name, "input", lambda a, mode=mode: filled(a, mode))  # type: ignore[misc]


def written(conv: Any, pads: Any) -> str:
    """Write a padding; whose it is comes before it, and is not told here."""
    sides = (("in front", "behind"), ("above", "below"), ("left", "right"))[-rank_of(conv) :]
    said = []
    for pair, names in zip(pads[-len(sides) :], sides, strict=True):
        said += [f"{number} {name}" for number, name in zip(pair, names, strict=True)]
    return f" ({'cut' if 'transpose' in conv.op else 'zeros'}: {', '.join(said)})"


MODES = {
    "edge": "the padding repeats the edge (replicate), not zero",
    "reflect": "the padding mirrors the input (reflect), not zero",
    "wrap": "the padding is the input's other end (circular), not zero",
}


def filled(asked: Asked, mode: str) -> Asked:
    """Return the same of an input with more around it."""
    conv, extents = asked.conv, extents_of(asked.conv, asked.x)
    pads = pads_of(conv, extents)
    wide = asked.x.reshape(len(asked.x), *extents, -1)
    for axis, (before, after) in enumerate(pads):
        n = extents[axis]
        numbers = np.arange(-max(0, before), n + max(0, after))
        if mode == "edge":
            numbers = numbers.clip(0, n - 1)
        elif mode == "wrap" or n == 1:
            numbers = numbers % n
        else:
            numbers = (n - 1) - np.abs(numbers % (2 * n - 2) - (n - 1))
        wide = np.take(wide, numbers, axis=1 + axis)
    rest = tuple((min(0, a), min(0, b)) for a, b in pads)
    depth = wide.shape[1] if len(pads) == 3 else 1
    x = wide.reshape(len(wide), -1, *wide.shape[-2:])
    return asked._replace(x=x, conv=conv._replace(padding=rest, depth=depth))
