"""The model that a file's operations make, by its format's table of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import DENSE, Building
from convdiff.net.models.model import Array, Model, Node, UnreadError
from convdiff.net.models.operation import Handler, Operation
from convdiff.worker.ops.convolution import OPS
from convdiff.worker.ops.net import INPUT, Layer, Net

FLAT = (DENSE,)
"""Ops that have no spatial axes of their own."""


def built(
    building: Building,
    kind: str,
    operations: Iterable[Operation],
    table: Mapping[str, Handler],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Model:
    """Return a model of format `kind`: layers of all operations that the table has.

    inputs, outputs: the file's names of what it is fed and of what it gives.
    """
    nodes = tuple(_laid(building, operation, table) for operation in operations)
    tensors = {name: one for name, one in building.values.items() if isinstance(one, Tensor)}
    answers: dict[str, str] = {}
    for name in outputs:
        if name in tensors and tensors[name].layer != INPUT:
            answers.setdefault(tensors[name].layer, name)
    return Model(
        file=building.budget.file,
        format=kind,
        nodes=nodes,
        net=_net(building, tuple(answers), building.fed.extents["D"]),
        arrays=building.arrays,
        inputs=tuple(inputs),
        source=building.source,
        outputs=tuple(answers.values()),
        fed=building.fed,
        open_axes=building.open_axes,
        activations={one.layer: one for one in tensors.values()},
        notes=tuple(building.notes),
    )


def _laid(building: Building, operation: Operation, table: Mapping[str, Handler]) -> Node:
    before = len(building.layers)
    node = Node(operation.name, operation.op, operation.inputs, operation.outputs)
    try:
        value = _added(building, operation, table)
    except UnreadError as error:
        del building.layers[before:]
        held = _numbers(building, operation, [])
        return replace(node, parameters=held, unread=str(error), is_too_small=error.is_too_small)
    node = replace(node, shape=tuple(value.shape))
    if not isinstance(value, Tensor):
        return replace(node, is_constant=True)
    return replace(node, parameters=_numbers(building, operation, building.layers[before:]))


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
        held = set[str]()
        for layer in layers:
            held.update(layer.arrays.values())
        return sum(building.arrays[key].size for key in held)
    read = (building.values.get(name) for name in operation.inputs)
    return sum(one.size for one in read if isinstance(one, np.ndarray))


def _net(building: Building, outputs: tuple[str, ...], depth: int) -> Net:
    """Return the net with these outputs, or its last layer's where there is none."""
    ranks = [_rank(layer) for layer in building.layers]
    rank = 3 if depth > 1 else max(ranks, default=0) or 2
    layers = tuple(_of_rank(layer, rank) for layer in building.layers)
    last = tuple(layer.name for layer in layers[-1:])
    return Net(layers, outputs or last, building.dtype, rank, depth)


def _rank(layer: Layer) -> int:
    """Return how many spatial axes a layer has of its own; 0 where any number will do."""
    return 0 if layer.op in FLAT else OPS.get(layer.op, 0)


def _of_rank(layer: Layer, rank: int) -> Layer:
    """Return a layer of a net of two axes: a convolution of one has a height of 1 there."""
    if rank != 2 or _rank(layer) != 1:
        return layer
    op = layer.op.replace("1d", "2d")
    return layer._replace(op=op, settings={**layer.settings, "op": op})
