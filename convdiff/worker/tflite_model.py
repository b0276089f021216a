"""A TensorFlow Lite model, written node by node; no converter, so in about a millisecond.

`schema` is the module `schema_py_generated` of the package that runs it. What the ops are called,
and what they take: tensorflow/lite/schema/schema.fbs. Runs on Python 3.6.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

ALIGNED = 16
"""Bytes: what kernels read is aligned so; the object API of the schema aligns it to none."""


class Scales(NamedTuple):
    """What a tensor's integers stand for: scale · (q − zero point), along an axis or all alike."""

    scales: Any
    zero_points: Any
    axis: int = 0


class Model(object):
    """A model of one subgraph; tensors are known by their number."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.made = schema.ModelT()
        self.made.version, self.made.buffers, self.made.operatorCodes = 3, [schema.BufferT()], []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.made.subgraphs = [self.graph]
        self.codes: Dict[str, int] = {}

    def tensor(self, shape: Sequence[int], dtype: str, scales: Optional[Scales] = None) -> int:
        """Return a tensor that is fed or computed."""
        tensor = self.schema.TensorT()
        tensor.name = "t%d" % len(self.graph.tensors)
        tensor.shape, tensor.buffer = [int(extent) for extent in shape], 0
        tensor.type = getattr(self.schema.TensorType, dtype.upper())
        if scales is not None:
            tensor.quantization = made = self.schema.QuantizationParametersT()
            made.scale = np.atleast_1d(np.float32(scales.scales))
            made.zeroPoint = np.atleast_1d(np.int64(scales.zero_points))
            made.quantizedDimension = scales.axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, array: Any, scales: Optional[Scales] = None) -> int:
        """Return a tensor that holds an array."""
        number = self.tensor(array.shape, array.dtype.name, scales)
        self.graph.tensors[number].buffer = len(self.made.buffers)
        self.made.buffers.append(_Bytes(self.schema, array))
        return number

    def node(
        self, name: str, inputs: List[int], output: int, options: str = "", **values: Any
    ) -> int:
        """Add a node of the builtin operator `name`; return its output.

        options: the table of its options in the schema, whose fields are `values`.
        """
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self._code(name), inputs, [output]
        if options:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            operator.builtinOptions = made = getattr(self.schema, options + "T")()
            for field, value in values.items():
                assert hasattr(made, field), field
                setattr(made, field, value)
        self.graph.operators.append(operator)
        return output

    def finished(self, inputs: List[int], output: int) -> bytes:
        """Return the flatbuffer of the model."""
        import flatbuffers

        self.graph.inputs, self.graph.outputs = inputs, [output]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.made.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _code(self, name: str) -> int:
        if name not in self.codes:
            code = self.schema.OperatorCodeT()
            code.builtinCode, code.version = getattr(self.schema.BuiltinOperator, name), 1
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            self.codes[name] = len(self.made.operatorCodes)
            self.made.operatorCodes.append(code)
        return self.codes[name]


class _Bytes(object):
    """A buffer as the object API packs one, but aligned, and copied in one piece."""

    def __init__(self, schema: Any, array: Any) -> None:
        self.schema, self.data = schema, np.ascontiguousarray(array).tobytes()

    def Pack(self, builder: Any) -> Any:
        """Write it, and return where it is; the name is the API's."""
        count = len(self.data)
        builder.StartVector(1, count, ALIGNED)
        builder.head -= count
        builder.Bytes[builder.head : builder.head + count] = self.data
        builder.vectorNumElems = count
        data = builder.EndVector()
        self.schema.BufferStart(builder)
        self.schema.BufferAddData(builder, data)
        return self.schema.BufferEnd(builder)
