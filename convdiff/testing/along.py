"""The axis along which a function is given prefixes: by name, or by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convdiff.numerics.array import Array


@dataclass(frozen=True)
class Along:
    """An axis of x and of the output."""

    name: str
    """As messages call it: length, batch, or axis -1."""
    at: int
    """From 0; below 0 from the end, where an array has an axis more or less."""

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    def is_in(self, array: Array) -> bool:
        """Return whether an array has this axis."""
        return -array.ndim <= self.at < array.ndim

    def size(self, array: Array) -> int:
        """Return an array's size along the axis."""
        return int(array.shape[self.at])

    def upto(self, size: int) -> tuple[Any, ...]:
        """Return the index of a prefix."""
        if self.at >= 0:
            return (*[slice(None)] * self.at, slice(size))
        return (..., slice(size), *[slice(None)] * (-self.at - 1))


def along(axis: Any, x: Array) -> Along:
    """Return the axis of x that is asked for. Raises ValueError where x has none, or it is empty.

    The length of a signal (T,) is its only axis, that of any other array (N, …, T, C) the last but
    one.
    """
    __tracebackhide__ = True
    if isinstance(axis, int) and not isinstance(axis, bool):
        chosen = Along(f"axis {axis}", axis)
    elif axis == "batch":
        chosen = Along("batch", 0)
    elif axis == "length":
        chosen = Along("length", -1 if x.ndim == 1 else -2)
    else:
        raise ValueError(f"axis is {axis!r}; it can be 'length', 'batch' or the number of an axis")
    if not chosen.is_in(x) or not chosen.size(x):
        raise ValueError(f"x has shape {x.shape}: no {chosen.name} to take prefixes of")
    return chosen
