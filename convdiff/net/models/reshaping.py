"""What moves no number: other shapes and orders of axes, of activations and constants alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from convdiff.case.layout import written
from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.model import Array, UnreadError


def resolved(given: tuple[int, ...], wanted: list[int], *, zero_copies: bool) -> list[int]:
    """Return the shape that a reshaping asks for. Raises UnreadError where there is none."""
    shape = []
    for axis, extent in enumerate(wanted):
        copied = extent == 0 and zero_copies and axis < len(given)
        shape.append(given[axis] if copied else extent)
    total, rest = int(np.prod(given)), int(np.prod([n for n in shape if n != -1]))
    if shape.count(-1) == 1 and rest:
        shape[shape.index(-1)] = total // rest
    if int(np.prod(shape)) != total or min(shape, default=0) < 0:
        raise UnreadError("reshapes to another number of elements")
    return shape


def extents_left(shape: Sequence[int], axes: Iterable[int]) -> list[int]:
    """Return a shape without some axes. Raises UnreadError for none, or one that is not 1."""
    gone = {axis % len(shape) for axis in axes}
    if not gone or any(shape[axis] != 1 for axis in gone):
        raise UnreadError("squeezes axes that are not named, or not 1")
    return [extent for axis, extent in enumerate(shape) if axis not in gone]


def transposed(
    building: Building, name: str, value: Tensor | Array, order: Sequence[int]
) -> Tensor | Array:
    """Return a value whose axes stand in another order."""
    if not isinstance(value, Tensor):
        return value.transpose(order)
    return building.relabelled(name, value, "".join(value.axes[axis] for axis in order))


def expanded(building: Building, name: str, value: Tensor | Array, axis: int) -> Tensor | Array:
    """Return a value with one axis more, of one element. Raises UnreadError."""
    shape = list(value.shape)
    shape.insert(axis % (len(shape) + 1), 1)
    return reshaped(building, name, value, shape)


def reshaped(
    building: Building, name: str, value: Tensor | Array, shape: Sequence[int]
) -> Tensor | Array:
    """Return a value's elements, in the file's order, with another shape. Raises UnreadError."""
    if not isinstance(value, Tensor):
        return value.reshape(shape)
    return reshaped_layer(building, name, value, shape)


def reshaped_layer(building: Building, name: str, x: Tensor, shape: Sequence[int]) -> Tensor:
    """Add the layer that gives an activation another shape. Raises UnreadError."""
    target = Tensor(name, _named_as(building, x, shape), tuple(shape))
    if target.extents["N"] != x.extents["N"] or np.prod(shape) != np.prod(x.shape):
        raise UnreadError(f"reshapes {x.axes} across images")
    own = x.runs("DHWC") and target.runs("DHWC")
    if target.ours == x.ours and (own or x.varying == target.varying):
        return building.relabelled(name, x, target.axes)
    if target.varying in ("C", "") and (x.runs("CDHW") or x.runs("DHWC")):
        order = "hwc" if x.runs("DHWC") else "chw"
        return building.add(name, "flatten", [x], target.axes, {"order": order})
    if own:
        return building.add(name, "reshape", [x], target.axes, {"shape": target.ours})
    raise UnreadError(f"reshapes {x.axes} to {written(tuple(shape))}")


def _named_as(building: Building, x: Tensor, shape: Sequence[int]) -> str:
    """Return the letters of a new shape: those of the axes that it keeps, where all stay."""
    letters = building.named(len(shape))
    kept = [extent for extent in shape[1:] if extent > 1]
    is_kept = kept == [x.extents[letter] for letter in x.varying]
    if not is_kept or not set(x.varying) <= set(letters) or len(shape) < 2:
        return letters
    free = [letter for letter in letters if letter not in x.varying and letter != "N"]
    varying, named = list(x.varying), "N"
    for extent in shape[1:]:
        named += varying.pop(0) if extent > 1 else free.pop(0)
    return named
