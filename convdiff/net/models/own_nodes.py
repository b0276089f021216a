"""The nodes of an optimised ONNX graph as layers, each with what it read in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.marked import Value
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.onnx_ops import OPS
from convdiff.net.models.operation import Operation
from convdiff.net.models.subject import nhwc
from convdiff.worker.ops.net import Layer, Net

FUSED = {"com.microsoft.FusedConv": "Conv"}
"""What ONNX Runtime makes of a convolution and its activation."""
ACTIVATIONS = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
"""Those that it fuses and that need no numbers."""


@dataclass(frozen=True)
class Built:
    """A node as layers, and what it read and gave on one side; arrays are NHWC."""

    net: Net
    layers: tuple[Layer, ...]
    """One, and behind it the activation that is fused with it."""
    arrays: Mapping[str, Mapping[str, Array]]
    """By layer, and by their names in `Kind.arrays`."""
    given: Mapping[str, Array]
    """What it read, by the names of the first layer's sources."""
    output: Array
    is_fused: bool
    depths: Mapping[str, int]
    """How deep what it read is, by those names."""

    @property
    def inputs(self) -> list[Array]:
        """What it read, in order; twice where it reads that twice."""
        return [self.given[source] for source in self.layers[0].sources]


@dataclass(frozen=True)
class Nodes:
    """What makes layers of a graph's nodes, by the values that they give."""

    values: Mapping[str, Value]
    operations: Mapping[str, Operation]
    constants: Mapping[str, Callable[[], Array | None]]

    def built(self, name: str, reads: Mapping[str, Array], output: Array) -> Built:
        """Return a value's node as layers. Raises UnreadError for one that is no layer here.

        reads: by name, what it read of what is computed; output: what it gave.
        """
        operation = self.operations[name]
        is_fused = operation.op in FUSED
        if is_fused:
            operation = _without_fusion(operation)
        own = [array.dtype for read, array in reads.items() if not self._is_cast(read)]
        dtype = own[0] if own else np.float32
        reads = {read: self._as_given(read, array, dtype) for read, array in reads.items()}
        output = self._as_given(name, output, dtype)
        building = Building(values=self._constants(operation))
        given, depths = dict[str, Array](), dict[str, int]()
        for number, (source, array) in enumerate(reads.items()):
            axes = building.named(array.ndim)
            tensor = Tensor(f"input {number}", axes, array.shape)
            building.values[source] = tensor
            given[tensor.layer], depths[tensor.layer] = nhwc(array, axes), tensor.extents["D"]
        layer, axes = _layer(building, operation, output)
        rank = len(layer.settings.get("kernel", "DHW" if max(depths.values()) > 1 else "HW"))
        layers = (layer, *_activation(operation, layer))
        arrays = {role: building.arrays[key] for role, key in layer.arrays.items()}
        return Built(
            Net(layers, (layers[-1].name,), building.dtype, rank),
            layers,
            {one.name: {} for one in layers} | {layer.name: arrays},
            given,
            nhwc(output, axes),
            is_fused,
            depths,
        )

    def _constants(self, operation: Operation) -> dict[str, Any]:
        """Return the arrays that a node reads; others stay where they are."""
        read = {}
        for name in operation.inputs:
            array = self.constants[name]() if name in self.constants else None
            if array is not None:
                read[name] = array
        return read

    def _is_cast(self, name: str) -> bool:
        """Whether a value left a body as float64."""
        value = self.values.get(name)
        return value is not None and value.output != value.name

    def _as_given(self, name: str, array: Array, dtype: Any) -> Array:
        """Return a value in its own type, which a body's is taken to have from what it reads."""
        exact = self._is_cast(name) and np.array_equal(array.astype(dtype), array, equal_nan=True)
        return array.astype(dtype) if exact else array


def _without_fusion(operation: Operation) -> Operation:
    """Return the convolution of a fused one. Raises UnreadError where a sum is fused with it."""
    if operation.has(3):
        raise UnreadError("a convolution that is fused with a sum")
    return replace(operation, op=FUSED[operation.op])


def _activation(operation: Operation, layer: Layer) -> tuple[Layer, ...]:
    """Return the layer that is fused with a convolution, where that is one without numbers."""
    op = ACTIVATIONS.get(str(operation.attributes.get("activation")))
    if op is None:
        return ()
    return (Layer(f"{layer.name} {op}", op, (layer.name,), {}, {}),)


def _layer(building: Building, operation: Operation, output: Array) -> tuple[Layer, str]:
    """Return the layer that an operation is, and the axes of what it gives. Raises UnreadError."""
    if operation.op not in OPS:
        raise UnreadError(f"{operation.op} is no layer here")
    try:
        made = OPS[operation.op](building, operation)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UnreadError(f"{operation.op}: {error}") from None
    if len(building.layers) != 1 or not isinstance(made, Tensor) or made.shape != output.shape:
        raise UnreadError(f"{operation.op} is no single layer here")
    return building.layers[0], made.axes
