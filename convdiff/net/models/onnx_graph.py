"""An ONNX graph as plain operations and arrays, its bodies too; read, and nothing of it run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.case.layout import written
from convdiff.errors import ConvdiffError
from convdiff.net.models.external import read_external
from convdiff.net.models.limits import MOST_NODES, Budget, ModelError, check_count
from convdiff.net.models.model import Array
from convdiff.net.models.operation import Operation, unique

TENSOR, GRAPH, GRAPHS = 4, 5, 10
"""Of AttributeProto.AttributeType."""
Held = Callable[[], Any]
"""Reads an array of a graph: it is there, or None where it holds no numbers. Raises ModelError."""
EXTERNAL = 1
"""Of TensorProto.DataLocation."""
OWN_DOMAINS = ("", "ai.onnx")


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


def parse(data: bytes) -> Any:
    """Return the bytes of a graph that a runtime made as onnx.ModelProto."""
    import onnx

    return onnx.load_model_from_string(data)


def inputs_of(graph: Any) -> dict[str, Any]:
    """Return the types of what a graph is fed, by name; constants are named there, too."""
    held = {one.name for one in graph.initializer}
    return {one.name: one.type.tensor_type for one in graph.input if one.name not in held}


def all_nodes(graph: Any) -> Iterator[Any]:
    """Yield all nodes of a graph and of its bodies."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from all_nodes(body)


def bodies(node: Any) -> list[Any]:
    """Return the graphs that a node holds."""
    graphs = [attribute.g for attribute in node.attribute if attribute.type == GRAPH]
    for attribute in node.attribute:
        if attribute.type == GRAPHS:
            graphs += attribute.graphs
    return graphs


def inside(path: str, node: Any, number: int) -> str:
    """Return what stands before the names of a body's values; path: of the bodies around it."""
    return f"{path}{node.name or node.output[0]}/{number}/"


class OnnxGraph:
    """A graph; arrays are counted before they are read."""

    def __init__(self, path: Path, proto: Any) -> None:
        self.path, self.proto, self.budget = path, proto, Budget(str(path))
        versions = {one.domain: one.version for one in proto.opset_import}
        self.version = versions.get("", versions.get("ai.onnx", 1))

    def constants(self) -> dict[str, Array]:
        """Return the arrays of numbers of the graph itself by name. Raises ModelError."""
        arrays = ((tensor.name, self.array(tensor)) for tensor in self.proto.graph.initializer)
        return {name: array for name, array in arrays if array is not None}

    def operations(self) -> list[Operation]:
        """Return the graph's nodes as operations with names of their own."""
        nodes = self.proto.graph.node
        called = ((node.name, next(iter(node.output), node.op_type)) for node in nodes)
        named = zip(nodes, unique(called), strict=True)
        return [self.operation(node, name, tuple(node.input)) for node, name in named]

    def operation(self, node: Any, name: str, inputs: tuple[str, ...]) -> Operation:
        """Return a node as an operation with these names."""
        op = node.op_type
        if node.domain not in OWN_DOMAINS:
            op = f"{node.domain}.{op}"
        outputs = tuple(node.output) or ("",)
        return Operation(name, op, inputs, outputs, self.attributes(node), self.version)

    def by_value(self) -> tuple[dict[str, Operation], dict[str, Held]]:
        """Return all operations by what they give, and what reads each array, of bodies too.

        Names are those of `marked.Value`. Raises ModelError.
        """
        operations: dict[str, Operation] = {}
        arrays: dict[str, Held] = {}
        self._walk(self.proto.graph, "", {}, operations, arrays)
        return operations, arrays

    def _walk(
        self,
        graph: Any,
        path: str,
        scope: dict[str, str],
        operations: dict[str, Operation],
        arrays: dict[str, Held],
    ) -> None:
        arrays.update((f"{path}{one.name}", partial(self.array, one)) for one in graph.initializer)
        for one in (*graph.initializer, *graph.input):
            scope[one.name] = f"{path}{one.name}"
        for node in graph.node:
            for number, body in enumerate(bodies(node)):
                self._walk(body, inside(path, node, number), dict(scope), operations, arrays)
            inputs = tuple(scope.get(name, name) for name in node.input)
            made = self.operation(node, node.name or next(iter(node.output), ""), inputs)
            for name in node.output:
                scope[name] = f"{path}{name}"
                operations[scope[name]] = made
                if made.op == "Constant" and "value" in made.attributes:
                    arrays[scope[name]] = partial(made.attributes.get, "value")

    def attributes(self, node: Any) -> Mapping[str, Any]:
        """Return what a node is told, as numbers, text, lists and arrays."""
        made: dict[str, Any] = {}
        for attribute in node.attribute:
            value = self._plain(attribute)
            if value is not None:
                made[attribute.name] = value
        return made

    def _plain(self, attribute: Any) -> Any:
        """Return an attribute's value; None for a graph, and for a tensor of no numbers."""
        from onnx import helper

        if attribute.type in (GRAPH, GRAPHS):
            return None
        if attribute.type == TENSOR:
            return self.array(attribute.t)
        value = helper.get_attribute_value(attribute)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

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
                f"{self.path}: {name} does not hold the {written(shape)} numbers it says"
            ) from None
