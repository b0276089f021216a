""".tflite: a flatbuffer, read by the numbers of schema.fbs; no interpreter is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from convdiff.net.models.axes import LAST
from convdiff.net.models.build import DTYPES, QUANTISED, Building
from convdiff.net.models.built import built
from convdiff.net.models.flatbuffer import FlatbufferError, Table
from convdiff.net.models.limits import MOST_NODES, Budget, ModelError, check_count
from convdiff.net.models.model import Array, Model, UnreadError
from convdiff.net.models.operation import Operation, unique
from convdiff.net.models.tflite_names import NAMES
from convdiff.net.models.tflite_ops import OPS
from convdiff.net.models.tflite_scale import Scale

IDENTIFIER = b"TFL3"
CUSTOM = 32
TYPES: Mapping[int, object] = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
    18: ml_dtypes.bfloat16,
}
"""TensorType."""


def read(path: Path, nominal: int) -> Model:
    """Return the layers of the first graph of a .tflite file; see `Building.nominal`.

    Raises ModelError.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    if bytes(data[4:8]) != IDENTIFIER:
        raise ModelError(f"{path}: is not a TensorFlow Lite model")
    try:
        return _TfliteFile(path, data, nominal).model()
    except (FlatbufferError, IndexError) as error:
        raise ModelError(f"{path}: is damaged: {error}") from None


class _TfliteFile:
    """One file while it is read."""

    def __init__(self, path: Path, data: memoryview, nominal: int) -> None:
        self.path, self.data, root = path, data, Table.root(data)
        self.codes, self.buffers = list(root.tables(1)), list(root.tables(4))
        graph = next(iter(root.tables(2)))
        self.tensors, self.graph = list(graph.tables(0)), graph
        self.operators = list(graph.tables(3))
        check_count(str(path), "nodes", len(self.operators), MOST_NODES)
        self.scaled: dict[int, tuple[Array, Scale]] = {}
        self.building = Building(LAST, budget=Budget(str(path)), nominal=nominal)

    def model(self) -> Model:
        """Return what was read. Raises ModelError."""
        given, outputs = self.graph.numbers(1), self.graph.numbers(2)
        for number, tensor in enumerate(self.tensors):
            array = self.array(tensor)
            if array is None:
                continue
            scale = Scale.of(tensor)
            if scale is None or array.dtype.kind not in "iu":
                self.building.values[str(number)] = array
                continue
            self.scaled[number] = array, scale
            called = f"{tensor.text(3) or 'a constant'} is {array.dtype.name}"
            self.building.reasons[str(number)] = f"{called}: {QUANTISED}"
        self.dequantise()
        names = list(map(str, given))
        self.building.begin(lambda: self.feed(given[0]), names)
        operations, answers = self.operations(), list(map(str, outputs))
        return built(self.building, "tflite", operations, OPS, names, answers)

    def dequantise(self) -> None:
        """Have what DEQUANTIZE gives of constants: of float16 the same, of integers the scaled."""
        for operator in self.operators:
            if self.op(operator) != "DEQUANTIZE":
                continue
            number, output = operator.numbers(1)[0], operator.numbers(2)[0]
            plain = self.building.values.get(str(number))
            array, scale = self.scaled.get(number, (plain, None))
            if isinstance(array, np.ndarray):
                name = self.tensors[output].text(3) or "a constant"
                self.building.budget.take(name, array.shape, 4)
                try:
                    made = array.astype("float32") if scale is None else scale.floats(array)
                except UnreadError as error:
                    self.building.reasons[str(output)] = str(error)
                    continue
                self.building.values[str(output)] = made

    def feed(self, number: int) -> str:
        """Make a tensor the net's input; return the axes that are left open."""
        tensor = self.tensors[number]
        dtype = np.dtype(TYPES.get(tensor.integer(1, "i8"), "uint8")).name  # type: ignore[call-overload]
        if dtype not in DTYPES:
            raise UnreadError(f"it is {dtype}: {QUANTISED}")
        self.building.dtype = dtype
        shape = tensor.numbers(7) or tensor.numbers(0)
        return self.building.feed_open(str(number), shape)

    def array(self, tensor: Table) -> Array | None:
        """Return a tensor's numbers, or None where it is computed, or of no numbers here."""
        number, kind = tensor.integer(2, "u32"), tensor.integer(1, "i8")
        data = self.buffers[number].raw(0)
        if not len(data) or kind not in TYPES:
            return None
        dtype = np.dtype(TYPES[kind])  # type: ignore[call-overload]
        name = tensor.text(3) or "a constant"
        shape = self.building.budget.take(name, tensor.numbers(0), dtype.itemsize)
        if len(data) != int(np.prod(shape)) * dtype.itemsize:
            raise ModelError(f"{self.path}: {name} does not hold the {shape} numbers it says")
        return np.frombuffer(data, dtype).reshape(shape)

    def operations(self) -> list[Operation]:
        """Return the graph's operators; they have no names, so each has its output's."""
        made = []
        written = [operator.numbers(2) for operator in self.operators]
        called = [self.tensors[outputs[0]].text(3) for outputs in written]
        names = unique([(name, f"operator_{n}") for n, name in enumerate(called)])
        for operator, outputs, name in zip(self.operators, written, names, strict=True):
            read = tuple("" if number < 0 else str(number) for number in operator.numbers(1))
            op, given = self.op(operator), tuple(map(str, outputs))
            made.append(Operation(name, op, read, given, {"options": operator.table(4)}))
        return made

    def op(self, operator: Table) -> str:
        """Return an operator's name."""
        code = self.codes[operator.integer(0, "u32")]
        number = max(code.integer(3), code.integer(0, "i8"))
        if number == CUSTOM:
            return f"custom {code.text(1)}"
        if not 0 <= number < len(NAMES):
            return f"operator {number}"
        return NAMES[number]
