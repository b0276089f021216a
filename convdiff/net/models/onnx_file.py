"""ONNX, read by the onnx package as the protobuf that it is; nothing is inferred or run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.errors import ConvdiffError
from convdiff.net.models.build import DTYPES, Building, UnreadError
from convdiff.net.models.external import read_external
from convdiff.net.models.limits import MOST_NODES, Budget, ModelError, check_count
from convdiff.net.models.model import Array, Model
from convdiff.net.models.onnx_ops import OPS
from convdiff.net.models.operation import Operation, laid, unique

TENSOR, GRAPH, GRAPHS = 4, 5, 10
"""Of AttributeProto.AttributeType."""
EXTERNAL = 1
"""Of TensorProto.DataLocation."""


def read(path: Path) -> Model:
    """Return an ONNX model's layers. Raises ModelError."""
    return OnnxFile(path).model()


def load(path: Path) -> Any:
    """Return the file as onnx.ModelProto, without the arrays beside it. Raises ModelError."""
    try:
        import onnx
    except ImportError:
        raise ConvdiffError(
            "reading .onnx needs the package onnx: pip install 'onnx>=1.21'"
        ) from None
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except Exception:  # protobuf's own error, which differs by version
        raise ModelError(f"{path}: is not an ONNX model") from None
    if not proto.graph.node:
        raise ModelError(f"{path}: an ONNX model without nodes")
    check_count(str(path), "nodes", sum(1 for _ in all_nodes(proto.graph)), MOST_NODES)
    return proto


def all_nodes(graph: Any) -> Iterator[Any]:
    """Yield all nodes of a graph and of its bodies."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from all_nodes(body)


def bodies(node: Any) -> list[Any]:
    """Return the graphs that a node holds."""
    found = [attribute.g for attribute in node.attribute if attribute.type == GRAPH]
    for attribute in node.attribute:
        if attribute.type == GRAPHS:
            found += attribute.graphs
    return found


class OnnxFile:
    """One file while it is read."""

    def __init__(self, path: Path) -> None:
        self.path, self.proto = path, load(path)
        self.graph, self.budget = self.proto.graph, Budget(str(path))
        self.building = Building(budget=self.budget)

    def model(self) -> Model:
        """Return what was read. Raises ModelError."""
        for tensor in self.graph.initializer:
            array = self.array(tensor)
            if array is not None:
                self.building.values[tensor.name] = array
        held = {tensor.name for tensor in self.graph.initializer}
        inputs = [value for value in self.graph.input if value.name not in held]
        notes, open_axes = [], ""
        try:
            open_axes = self.feed(inputs)
        except UnreadError as error:
            notes.append(f"its input is not read: {error}")
        nodes = laid(self.building, self.operations(), OPS)
        outputs = [value.name for value in self.graph.output]
        names = tuple(value.name for value in inputs)
        return self.building.model(str(self.path), "onnx", nodes, names, outputs, open_axes, notes)

    def feed(self, inputs: list[Any]) -> str:
        """Make the first input of numbers the net's; return the axes that are left open."""
        from onnx import TensorProto

        for value in inputs:
            kind = value.type.tensor_type
            dtype = TensorProto.DataType.Name(kind.elem_type).lower()
            dtype = {"float": "float32", "double": "float64"}.get(dtype, dtype)
            if dtype in DTYPES:
                break
        else:
            raise UnreadError("none of floating point")
        self.building.dtype = dtype
        if not kind.HasField("shape"):
            raise UnreadError(f"{value.name} has no shape")
        given = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        return self.building.feed_open(value.name, given)

    def operations(self) -> list[Operation]:
        """Return the graph's nodes as operations with names of their own."""
        called = ((node.name, next(iter(node.output), node.op_type)) for node in self.graph.node)
        versions = {one.domain: one.version for one in self.proto.opset_import}
        version = versions.get("", versions.get("ai.onnx", 1))
        made = []
        for node, name in zip(self.graph.node, unique(called), strict=True):
            op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
            inputs, outputs = tuple(node.input), tuple(node.output) or ("",)
            made.append(Operation(name, op, inputs, outputs, self.attributes(node), version))
        return made

    def attributes(self, node: Any) -> Mapping[str, Any]:
        """Return what a node is told, as numbers, text, lists and arrays."""
        from onnx import helper

        made: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.type == TENSOR:
                made[attribute.name] = self.array(attribute.t)
            elif attribute.type in (GRAPH, GRAPHS):
                made[attribute.name] = None
            else:
                value = helper.get_attribute_value(attribute)
                made[attribute.name] = value.decode() if isinstance(value, bytes) else value
        return {name: value for name, value in made.items() if value is not None}

    def array(self, tensor: Any) -> Array | None:
        """Return a tensor's numbers, or None where it holds none. Raises ModelError."""
        from onnx import helper, numpy_helper

        name = tensor.name or "a constant"
        try:
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        except Exception:  # strings, and types that are not known
            return None
        if dtype.kind not in "fiub" and dtype.name != "bfloat16":
            return None
        shape = self.budget.take(name, tensor.dims, dtype.itemsize)
        if tensor.data_location == EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            size = math.prod(shape) * dtype.itemsize
            data = read_external(self.path, name, entries, size)
            return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
        try:
            return numpy_helper.to_array(tensor)
        except Exception:  # too few or too many numbers for the shape
            raise ModelError(
                f"{self.path}: {name} does not hold the {shape} numbers it says"
            ) from None
