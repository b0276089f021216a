"""Says where an output is wrong, in plain words: only what holds exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from convdiff.numerics.array import Array

FEW = 4
"""Outputs, rows, columns, channels or images that are said one by one."""
AXES = ("image", "row", "column", "output channel")
AXES_3D = ("image", "plane", "row", "column", "output channel")


def _names(axes: int) -> tuple[str, ...]:
    return AXES if axes == len(AXES) else AXES_3D


def _order(axes: int) -> tuple[int, ...]:
    """Return the axes as they are said: channel, places, image."""
    return (axes - 1, *range(1, axes - 1), 0)


def where_wrong(wrong: Array) -> str:
    """Return where a mask, N[D]HWC, is set; empty where it is set nowhere.

    What is said of one axis holds of every wrong output: there is none in another row, column,
    channel or image.
    """
    places = np.argwhere(wrong)
    if not len(places) or wrong.size == 1:
        return ""
    if len(places) == wrong.size:
        return "at every output"
    return _only_at(places, wrong.shape) or _only_in(places, wrong) or _spread(wrong.shape)


def _only_at(places: Array, shape: Sequence[int]) -> str:
    """List a few single outputs, that lie in no row, column, channel and image of their own."""
    alone = len(places) == 1 or not any(_axes(places, shape))
    if len(places) > FEW or not alone:
        return ""
    return "only at " + " and ".join(_place(at, shape) for at in places)


def _only_in(places: Array, wrong: Array) -> str:
    names = ", ".join(_axes(places, wrong.shape))
    if names:
        return f"only in {names}"
    inside = [slice(None)] + [slice(1, -1)] * (wrong.ndim - 2)
    inner = wrong[tuple(inside)]
    return "only at the borders" if inner.size and not inner.any() else ""


def _axes(places: Array, shape: Sequence[int]) -> Iterator[str]:
    for axis in _order(len(shape)):
        yield from _axis(axis, places[:, axis], shape)


def _spread(shape: Sequence[int]) -> str:
    spread = [f"{name}s" for name, size in zip(_names(len(shape)), shape, strict=True) if size > 1]
    return f"in all {_listed(spread)}, though not at every output"


def _place(at: Array, shape: Sequence[int]) -> str:
    """Write one output's place, without the axes that have but one."""
    parts = []
    for axis in _order(len(shape)):
        if shape[axis] > 1:
            parts.append(f"{_names(len(shape))[axis]} {at[axis]}")
    return ", ".join(parts)


def _axis(axis: int, numbers: Array, shape: Sequence[int]) -> Iterator[str]:
    """Yield the words for the numbers along one axis, where they are not all there are."""
    indices, size, name = np.unique(numbers).tolist(), shape[axis], _names(len(shape))[axis]
    if len(indices) == size:
        return
    if 0 < axis < len(shape) - 1 and indices in ([0], [size - 1]):
        yield f"the {'last' if indices[0] else 'first'} {name}"
    elif len(indices) == 1:
        yield f"{name} {indices[0]}"
    elif len(indices) <= FEW:
        yield f"{name}s {_listed([str(n) for n in indices])}"
    else:
        yield f"{name}s {_series(indices, size)}"


def _series(indices: list[int], size: int) -> str:
    """Return the words for many numbers: those of a series, or how many they are."""
    first, last, steps = indices[0], indices[-1], set(np.diff(indices).tolist())
    if steps == {1}:
        return f"{first} to {last}"
    if len(steps) == 1:
        return f"{first}, {indices[1]}, … {last}"
    return f"{first} … {last}, {len(indices)} of all {size}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
