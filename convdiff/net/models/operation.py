"""An operation of any format, and what adds the layers that several formats have alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.model import Array, UnreadError
from convdiff.worker.ops.net import INPUT


@dataclass(frozen=True)
class Operation:
    """One operation, with what it is told as plain values and arrays."""

    name: str
    op: str
    inputs: tuple[str, ...]
    """Names of values; empty ones are left out."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    """Of the format's operators."""

    def has(self, number: int) -> bool:
        """Whether an input is there."""
        return number < len(self.inputs) and self.inputs[number] != ""

    def x(self, building: Building, number: int = 0) -> Tensor:
        """Return an input that must be an activation. Raises UnreadError."""
        return building.tensor(self.inputs[number])

    def constant(self, building: Building, number: int) -> Array | None:
        """Return an input that must be a constant, or None where it is left out."""
        return building.constant(self.inputs[number]) if self.has(number) else None

    def needed(self, building: Building, number: int) -> Array:
        """Return an input that must be there, and a constant. Raises UnreadError."""
        return building.constant(self.inputs[number])

    def ints(self, building: Building, attribute: str, number: int) -> list[int] | None:
        """Return what is an attribute in one version and an input in another, or None."""
        if attribute in self.attributes:
            return [int(value) for value in self.attributes[attribute]]
        return self.numbers(building, number) if self.has(number) else None

    def numbers(self, building: Building, number: int) -> list[int]:
        """Return the integers of an input that must be there, and a constant."""
        return [int(value) for value in np.ravel(self.needed(building, number))]

    def value(self, building: Building, number: int = 0) -> Tensor | Array:
        """Return an input, an activation or a constant. Raises UnreadError."""
        name = self.inputs[number]
        if name not in building.values:
            raise UnreadError(building.why_not(name))
        return building.values[name]

    def tensors(self, building: Building) -> list[Tensor]:
        """Return all inputs, which must be activations. Raises UnreadError."""
        return [building.tensor(name) for name in self.inputs]

    def operands(self, building: Building) -> list[Tensor | Array]:
        """Return all inputs, activations and constants. Raises UnreadError."""
        return [self.value(building, number) for number in range(len(self.inputs))]


Handler = Callable[[Building, Operation], "Tensor | Array"]
"""Adds an operation's layers; returns its first output. Raises UnreadError."""


def elementwise(op: str, **attributes: tuple[str, Any]) -> Handler:
    """Return what adds an elementwise layer; attributes: the file's names and defaults."""

    def handler(building: Building, node: Operation) -> Tensor:
        settings = {name: node.attributes.get(*given) for name, given in attributes.items()}
        return building.same(node.name, op, node.x(building), **settings)

    return handler


def same(op: str, **settings: Any) -> Handler:
    """Return what adds an elementwise layer with these settings."""
    return lambda building, node: building.same(node.name, op, node.x(building), **settings)


def sized(table: Mapping[str, Handler]) -> dict[str, Handler]:
    """Return a row for each number of spatial axes, which stands for {} in the names."""
    rows = {}
    for name, handler in table.items():
        for rank in (1, 2, 3):
            rows[name.format(rank)] = handler
    return rows


def gelu(building: Building, node: Operation) -> Tensor:
    """Add a GELU, approximate where the operation says so."""
    approximate = node.attributes.get("approximate", "none") == "tanh"
    return building.same(node.name, "gelu", node.x(building), approximate=approximate)


def identity(building: Building, node: Operation) -> Tensor | Array:
    """Add what gives its first input as it is; a constant stays one."""
    value = node.value(building)
    if not isinstance(value, Tensor):
        return value
    return building.same(node.name, "identity", value)


def padded(building: Building, node: Operation) -> Tensor:
    """Add what pads an input by (axes, 2) numbers, its second operand, with its third, or zeros."""
    x, pads, given = node.x(building), node.needed(building, 1), node.constant(building, 2)
    pairs = {letter: (int(a), int(b)) for letter, (a, b) in zip(x.axes, pads, strict=True)}
    value = 0.0 if given is None else float(np.ravel(given)[0])
    return building.pad(node.name, x, pairs, value)


def refuse_other_axes(x: Tensor, axes: Iterable[int]) -> None:
    """Raise UnreadError for axes that are not those of all positions."""
    if not x.spatial or {x.axes[axis] for axis in axes} != set(x.spatial):
        raise UnreadError("over other axes than all positions")


def unique(names: Iterable[tuple[str, str]]) -> list[str]:
    """Return a name of its own for each (name, what it is called if that is empty or taken)."""
    taken = {INPUT, ""}
    made = []
    for name, other in names:
        chosen, numbers = other if name in taken else name, count(2)
        while chosen in taken:
            chosen = f"{name or other}_{next(numbers)}"
        taken.add(chosen)
        made.append(chosen)
    return made
