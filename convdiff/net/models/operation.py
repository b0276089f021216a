"""An operation of any format, and the loop that makes layers of them by the format's table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building, UnreadError
from convdiff.net.models.model import Array, Node
from convdiff.worker.ops.net import INPUT, Layer


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
        array = self.constant(building, number)
        return None if array is None else [int(value) for value in np.ravel(array)]

    def operands(self, building: Building) -> list[Tensor | Array]:
        """Return all inputs, activations and constants. Raises UnreadError."""
        for name in self.inputs:
            if name not in building.values:
                raise UnreadError(building.why_not(name))
        return [building.values[name] for name in self.inputs]


Handler = Callable[[Building, Operation], "Tensor | Array"]
"""Adds an operation's layers; returns its first output. Raises UnreadError."""


def elementwise(op: str, **attributes: tuple[str, Any]) -> Handler:
    """Return what adds an elementwise layer; attributes: the file's names and defaults."""

    def handler(building: Building, node: Operation) -> Tensor:
        settings = {name: node.attributes.get(*given) for name, given in attributes.items()}
        return building.same(node.name, op, node.x(building), **settings)

    return handler


def padded(building: Building, node: Operation) -> Tensor:
    """Add what pads an input by (axes, 2) numbers, its second operand, with its third, or zeros."""
    x, pads, value = node.x(building), node.needed(building, 1), node.constant(building, 2)
    pairs = {letter: (int(a), int(b)) for letter, (a, b) in zip(x.axes, pads, strict=True)}
    return building.pad(node.name, x, pairs, 0.0 if value is None else float(np.ravel(value)[0]))


def extents_left(shape: Sequence[int], axes: Iterable[int]) -> list[int]:
    """Return a shape without some axes. Raises UnreadError for none, or one that is not 1."""
    gone = {axis % len(shape) for axis in axes}
    if not gone or any(shape[axis] != 1 for axis in gone):
        raise UnreadError("squeezes axes that are not named, or not 1")
    return [extent for axis, extent in enumerate(shape) if axis not in gone]


def refuse_other_axes(x: Tensor, axes: Iterable[int]) -> None:
    """Raise UnreadError for axes that are not those of all positions."""
    if not x.spatial or {x.axes[axis] for axis in axes} != set(x.spatial):
        raise UnreadError("over other axes than all positions")


def laid(
    building: Building, operations: Iterable[Operation], table: Mapping[str, Handler]
) -> tuple[Node, ...]:
    """Make layers of all operations that the table has; say of each other one why not."""
    return tuple(_laid(building, operation, table) for operation in operations)


def _laid(building: Building, operation: Operation, table: Mapping[str, Handler]) -> Node:
    before, shape, unread, is_constant = len(building.layers), None, "", False
    is_too_small = False
    try:
        value = _added(building, operation, table)
        shape, is_constant = tuple(value.shape), not isinstance(value, Tensor)
    except UnreadError as error:
        unread, is_too_small = str(error), error.is_too_small
        del building.layers[before:]
    return Node(
        operation.name,
        operation.op,
        operation.inputs,
        operation.outputs,
        shape,
        0 if is_constant else _numbers(building, operation, building.layers[before:]),
        unread,
        is_constant,
        is_too_small,
    )


def _added(
    building: Building, operation: Operation, table: Mapping[str, Handler]
) -> Tensor | Array:
    """Add an operation's layers and return its value. Raises UnreadError."""
    if operation.op not in table:
        raise UnreadError("no layer here")
    try:
        value = table[operation.op](building, operation)
        if not isinstance(value, Tensor):
            value = np.asarray(value)  # one number of an array is none itself
        building.values[operation.outputs[0]] = value
    except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnreadError(f"damaged: {type(error).__name__}: {str(error)[:80]}") from None
    return value


def _numbers(building: Building, operation: Operation, layers: Sequence[Layer]) -> int:
    """Return how many numbers an operation holds: its layers do, or its constants without any."""
    if layers:
        held = {key for layer in layers for key in layer.arrays.values()}
        return sum(building.arrays[key].size for key in held)
    read = (building.values.get(name) for name in operation.inputs)
    return sum(one.size for one in read if isinstance(one, np.ndarray))


def unique(names: Iterable[tuple[str, str]]) -> list[str]:
    """Return a name of its own for each (name, what it is called if that is empty or taken)."""
    taken = {INPUT, ""}
    made = []
    for name, other in names:
        chosen, number = name if name not in taken else other, 2
        while chosen in taken:
            chosen, number = f"{name or other}_{number}", number + 1
        taken.add(chosen)
        made.append(chosen)
    return made
