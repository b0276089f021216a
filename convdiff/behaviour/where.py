"""Says where an output is wrong, in plain words: only what holds exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from convdiff.numerics.array import Array

FEW = 4
"""Outputs, rows, columns, channels or images that are said one by one."""
AXES = ("image", "row", "column", "output channel")


def where_wrong(wrong: Array) -> str:
    """Return where a mask, NHWC, is set; empty where it is set nowhere.

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
    return "only at " + " and ".join(_place(place, shape) for place in places)


def _only_in(places: Array, wrong: Array) -> str:
    said = ", ".join(_axes(places, wrong.shape))
    if said:
        return f"only in {said}"
    inner = wrong[:, 1:-1, 1:-1]
    return "only at the borders" if inner.size and not inner.any() else ""


def _axes(places: Array, shape: Sequence[int]) -> Iterator[str]:
    for axis in (3, 1, 2, 0):
        yield from _axis(axis, places[:, axis], shape)


def _spread(shape: Sequence[int]) -> str:
    spread = [f"{name}s" for name, size in zip(AXES, shape, strict=True) if size > 1]
    return f"in all {_listed(spread)}, though not at every output"


def _place(place: Array, shape: Sequence[int]) -> str:
    """Write one output's place, without the axes that have but one."""
    parts = []
    for axis in (3, 1, 2, 0):
        if shape[axis] > 1:
            parts.append(f"{AXES[axis]} {place[axis]}")
    return ", ".join(parts)


def _axis(axis: int, numbers: Array, shape: Sequence[int]) -> Iterator[str]:
    """Yield the words for the numbers along one axis, where they are not all there are."""
    found, size, name = np.unique(numbers).tolist(), shape[axis], AXES[axis]
    if len(found) == size:
        return
    if axis in (1, 2) and found in ([0], [size - 1]):
        yield f"the {'last' if found[0] else 'first'} {name}"
    elif len(found) == 1:
        yield f"{name} {found[0]}"
    elif len(found) <= FEW:
        yield f"{name}s {_listed([str(n) for n in found])}"
    else:
        yield f"{name}s {_series(found, size)}"


def _series(found: list[int], size: int) -> str:
    """Return the words for many numbers: those of a series, or how many they are."""
    first, last, steps = found[0], found[-1], set(np.diff(found).tolist())
    if steps == {1}:
        return f"{first} to {last}"
    if len(steps) == 1:
        return f"{first}, {found[1]}, … {last}"
    return f"{first} … {last}, {len(found)} of all {size}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
