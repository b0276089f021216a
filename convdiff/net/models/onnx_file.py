"""ONNX, read by the onnx package as the protobuf that it is; nothing is inferred or run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from convdiff.net.models.build import DTYPES, Building
from convdiff.net.models.built import built
from convdiff.net.models.model import Model, UnreadError
from convdiff.net.models.onnx_graph import OnnxGraph, load
from convdiff.net.models.onnx_ops import OPS

FLOATS = {"FLOAT": "float32", "DOUBLE": "float64"}


def read(path: Path, nominal: int) -> Model:
    """Return an ONNX model's layers; see `Building.nominal`. Raises ModelError."""
    graph = OnnxGraph(path, load(path))
    building = Building(values=dict(graph.constants()), budget=graph.budget, nominal=nominal)
    inputs = [one for one in graph.proto.graph.input if one.name not in building.values]
    names = [value.name for value in inputs]
    building.begin(partial(_feed, building, inputs), names)
    outputs = [value.name for value in graph.proto.graph.output]
    return built(building, "onnx", graph.operations(), OPS, names, outputs)


def _feed(building: Building, inputs: list[Any]) -> str:
    """Make the first input of floating point the net's; return the axes that are left open."""
    from onnx import TensorProto

    for value in inputs:
        kind = value.type.tensor_type
        name = TensorProto.DataType.Name(kind.elem_type)
        dtype = FLOATS.get(name, name.lower())
        if dtype not in DTYPES:
            continue
        building.dtype = dtype
        if not kind.HasField("shape"):
            raise UnreadError(f"{value.name} has no shape")
        return building.feed_open(value.name, [one.dim_value for one in kind.shape.dim])
    raise UnreadError("none of floating point")
