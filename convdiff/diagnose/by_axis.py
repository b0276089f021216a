"""Findings, or what is made of them, by the axis along which they compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from convdiff.case.axes import Axis


class Along(Protocol):
    """What compares along an axis."""

    @property
    def axis(self) -> Axis:
        """The axis."""


T = TypeVar("T", bound=Along)


def by_axis(items: Iterable[T]) -> dict[Axis, list[T]]:
    """Return items by their axis, as the axes come."""
    axes: dict[Axis, list[T]] = {}
    for item in items:
        axes.setdefault(item.axis, []).append(item)
    return axes
