"""Faults that convdiff's table does not have, in plain NumPy, at drawn places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from labelled_faults import Array, Asked, Fault, Rng, of_filter, of_input, of_output


def others(asked: Asked, shape: tuple[int, ...], rng: Rng) -> list[Fault]:
    """Return those that can be made here; `shape` is the output's, NHWC."""
    at = tuple(int(rng.integers(size)) for size in shape)
    n, row, column, channel = at
    weight = tuple(int(rng.integers(size)) for size in asked.w.shape)
    other = tuple(int(rng.integers(size)) for size in asked.w.shape)
    pixel = tuple(int(rng.integers(size)) for size in asked.x.shape[1:])
    faults = [
        of_output("one output is zero", at_place(at, lambda v: v * 0)),
        of_output("one output is negated", at_place(at, lambda v: -v)),
        of_output("one row is that before it", copied(1, row)),
        of_output("one column is that before it", copied(2, column)),
        of_output("the outputs are cut at ±20", lambda y: np.clip(y, -20, 20)),
        of_output("negative outputs are divided by 8", lambda y: np.where(y < 0, y / 8, y)),
        of_output("one channel is rounded to multiples of 4", rounded(channel)),
        of_output("one channel is that before it", copied(3, channel)),
        of_output("one image is that before it", copied(0, n)),
        of_output("one channel is turned by a half", turned(channel)),
        of_filter("two weights are exchanged", exchanged(weight, other)),
        of_filter("one weight is negated", at_place(weight, lambda v: -v)),
        of_filter("one weight counts three times", at_place(weight, lambda v: 3 * v)),
        of_input("one pixel is lost", at_place((slice(None), *pixel), lambda v: v * 0)),
        of_input("the first column is the last one", first_is_last),
    ]
    if asked.b is not None:
        faults.append(Fault("biases are rolled", "bias", lambda a: a._replace(b=np.roll(a.b, 1))))
    return faults


def at_place(place: tuple[int | slice, ...], change: Callable[[Array], Array]):  # type: ignore[no-untyped-def]
    def changed(values: Array) -> Array:
        values = values.copy()
        values[place] = change(values[place])
        return values

    return changed


def copied(axis: int, number: int):  # type: ignore[no-untyped-def]
    """Return what gives the one before instead, the last one for the first."""

    def changed(y: Array) -> Array:
        numbers = np.arange(y.shape[axis])
        numbers[number] = (number - 1) % y.shape[axis]
        return np.take(y, numbers, axis)

    return changed


def rounded(channel: int):  # type: ignore[no-untyped-def]
    def changed(y: Array) -> Array:
        y = y.copy()
        y[..., channel] = np.rint(y[..., channel] / 4) * 4
        return y

    return changed


def turned(channel: int):  # type: ignore[no-untyped-def]
    def changed(y: Array) -> Array:
        y = y.copy()
        y[..., channel] = y[:, ::-1, ::-1, channel]
        return y

    return changed


def exchanged(one: tuple[int, ...], other: tuple[int, ...]):  # type: ignore[no-untyped-def]
    def changed(w: Array) -> Array:
        w = w.copy()
        w[one], w[other] = w[other], w[one]
        return w

    return changed


def first_is_last(x: Array) -> Array:
    x = x.copy()
    x[:, :, 0] = x[:, :, -1]
    return x
