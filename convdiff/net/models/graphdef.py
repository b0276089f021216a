"""TensorFlow's graphs as operations: what an output needs, with the functions that are called.

tensorflow/core/framework: graph, function, node_def, attr_value and tensor .proto. A value is
called by its node, those of a function with the call before them; only first outputs have names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convdiff.net.models.bundle import DTYPES, extents_of
from convdiff.net.models.limits import MOST_NODES, Budget, ModelError, check_count
from convdiff.net.models.model import Array
from convdiff.net.models.operation import Operation
from convdiff.net.models.protobuf import Message

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
FIRST = {"FusedBatchNorm": "y", "FusedBatchNormV2": "y", "FusedBatchNormV3": "y"}
"""What the first output is called of operations that have more."""
FILES = (
    *("ReadFile", "WriteFile", "MatchingFiles", "WholeFileReader", "WholeFileReaderV2"),
    *("TextLineReader", "TFRecordReader", "FixedLengthRecordReader", "LoadAndRemapMatrix"),
    *("PyFunc", "PyFuncStateless", "EagerPyFunc", "RestoreV2", "SaveV2", "PrintV2"),
)
"""Operations that reach out of the graph: a model whose answer needs one is refused."""
DEEPEST = 50
VALUES = {1: (5, "f4"), 2: (6, "f8"), 3: (7, "i4"), 9: (10, "i8"), 10: (11, "b1"), 19: (13, "u2")}
"""By dtype, the field of TensorProto that lists its numbers, and their type."""


@dataclass(frozen=True)
class Function:
    """A function of the graph's library, or the graph itself."""

    nodes: Mapping[str, Message]
    arguments: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    """What is returned, as references in it."""


@dataclass
class Unfolding:
    """A graph while the operations that its answers need are listed."""

    file: str
    library: Mapping[str, Function]
    budget: Budget
    captured: Mapping[str, tuple[str, ...]]
    """By function, names of the variables that its last arguments are."""
    operations: list[Operation] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    done: dict[tuple[str, str], str] = field(default_factory=dict)

    def value(self, function: Function, reference: str, path: str, given: Mapping[str, str]) -> str:
        """Return the name of the value that a reference means, its operations listed before it.

        path: of the calls around it; given: names of the function's arguments. Raises ModelError.
        """
        waiting = [reference]
        while waiting:
            name, _, _ = waiting[-1].partition(":")
            left = []
            if name not in given and (path, name) not in self.done:
                left = self._left(self._node(function, name), path, given)
                check_count(self.file, "nodes", len(waiting) + len(self.done), MOST_NODES)
            if left:
                waiting += left
                continue
            self._made(function, waiting.pop(), path, given)
        return self._made(function, reference, path, given)

    def _left(self, node: Message, path: str, given: Mapping[str, str]) -> list[str]:
        """Return what a node reads that is not listed yet; variables never are."""
        names = [one.partition(":")[0] for one in self._reads(node)]
        known = {*given, *(name for name in names if (path, name) in self.done)}
        return [one for one in names if one not in known]

    def _reads(self, node: Message) -> list[str]:
        """Return what a node reads, but the variables that a function captures."""
        reads = _reads(node)
        if node.text(2) not in CALLS:
            return reads
        return reads[: len(reads) - len(self.captured.get(_function(node), ()))]

    def _node(self, function: Function, name: str) -> Message:
        if name not in function.nodes:
            raise ModelError(f"{self.file}: reads {name!r}, which is not there")
        return function.nodes[name]

    def _made(self, function: Function, reference: str, path: str, given: Mapping[str, str]) -> str:
        name, _, rest = reference.partition(":")
        if name in given:
            return given[name]
        node = self._node(function, name)
        op, number = node.text(2), int(rest.rpartition(":")[2] or 0)
        if op in FILES:
            raise ModelError(
                f"{self.file}: {name} is {op}, which reaches out of the graph; not run"
            )
        if op in CALLS:
            return self._called(node, number, f"{path}{name}", path, given)
        made = self.done.get((path, name), "")
        if not made:
            inputs = [self._known(one, path, given) for one in _reads(node)]
            made = self.done[path, name] = f"{path}{name}"
            attributes = self.attributes(node)
            self.operations.append(Operation(name, op, tuple(inputs), (made,), attributes))
        if op == "IdentityN":
            return self._known(_reads(node)[number], path, given)
        first = rest.rpartition(":")[0] in ("", FIRST.get(op, rest.rpartition(":")[0]))
        return made if first and not number else f"{made}:{rest}"

    def _known(self, reference: str, path: str, given: Mapping[str, str]) -> str:
        """Return the name of a value whose node was listed."""
        name, _, rest = reference.partition(":")
        if name in given:
            return given[name]
        made = self.done[path, name]
        number = rest.rpartition(":")[2] or "0"
        return made if number == "0" else f"{made}:{number}"

    def _called(
        self, node: Message, number: int, name: str, path: str, given: Mapping[str, str]
    ) -> str:
        called = _function(node)
        if called not in self.library or path.count("/call/") > DEEPEST:
            raise ModelError(f"{self.file}: {name} calls {called!r}, which is not there")
        function = self.library[called]
        inputs = [self._known(one, path, given) for one in self._reads(node)]
        variables = self.captured.get(called, ())
        self.variables.update(variables)
        inputs = [*inputs, *variables]
        arguments = dict(zip(function.arguments, inputs, strict=False))
        made = self.value(function, function.outputs[number], f"{name}/call/", arguments)
        if not number:
            self.done[path, node.text(1)] = made
        return made

    def attributes(self, node: Message) -> dict[str, Any]:
        """Return what a node is told, as numbers, text, lists and arrays."""
        made: dict[str, Any] = {}
        for name, value in node.table(5).items():
            plain = self._plain(value)
            if plain is not None:
                made[name] = plain
        return made

    def _plain(self, value: Message) -> Any:
        kind = next(iter(value.fields), 0)
        if kind == 1:
            return value.message(1).integers(3)
        if kind == 2:
            return value.text(2)
        if kind in (3, 5):
            return value.integer(kind)
        if kind == 4:
            return value.real(4)
        return self.tensor(value.message(8)) if kind == 8 else None

    def tensor(self, proto: Message) -> Array | None:
        """Return a tensor's numbers, or None where it holds none. Raises ModelError."""
        number = proto.integer(1)
        if number not in DTYPES:
            return None
        dtype = np.dtype(DTYPES[number])
        shape = self.budget.take("a constant", extents_of(proto.message(2)), dtype.itemsize)
        data, count = proto.raw(4), math.prod(shape)
        if data:
            array = np.frombuffer(data, dtype) if len(data) == count * dtype.itemsize else None
        else:
            array = _listed(proto, number, dtype, count)
        if array is None:
            raise ModelError(f"{self.file}: a constant does not hold {count:,} numbers")
        return array.reshape(shape)


def _listed(proto: Message, number: int, dtype: Any, count: int) -> Array | None:
    """Return numbers that are listed; where they are fewer, the last is of all that follow."""
    if number not in VALUES:
        return None if count else np.zeros(0, dtype)
    where, kind = VALUES[number]
    if kind[0] == "f":
        values = np.frombuffer(proto.packed(where, int(kind[1])), f"<{kind}")
    else:
        values = np.array(proto.integers(where), "int64").astype(kind)
    values = values.view(dtype) if number == 19 else values.astype(dtype)
    if len(values) > count:
        return None
    last = values[-1] if len(values) else dtype.type(0)
    return np.concatenate([values, np.full(count - len(values), last, dtype)])


def _function(node: Message) -> str:
    """Return the name of the function that a node calls."""
    return node.table(5)["f"].message(10).text(1)


def _reads(node: Message) -> list[str]:
    """Return what a node reads, as references without what only comes before it."""
    return [one for one in node.texts(3) if not one.startswith("^")]


def functions_of(graph: Message) -> dict[str, Function]:
    """Return the functions of a graph's library by name."""
    made = {}
    for one in graph.message(2).messages(1):
        signature = one.message(1)
        names = [argument.text(1) for argument in signature.messages(3)]
        returned = {entry.text(1): entry.text(2) for entry in one.messages(4)}
        made[signature.text(1)] = Function(
            {node.text(1): node for node in one.messages(3)},
            tuple(argument.text(1) for argument in signature.messages(2)),
            tuple(returned.get(name, "") for name in names),
        )
    return made
