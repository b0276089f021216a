"""An ONNX graph whose every value is an output: also those inside of If and Loop bodies.

What ONNX Runtime made of a file is marked, and run with optimisation off: so looking changes
nothing of what is fused. A value of a body leaves it as float64, to which the types of tensors cast
exactly (but integers beyond 2⁵³), since a body says no types; of a branch that was not taken
something comes that is no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convdiff.net.models.onnx_graph import bodies, inside, parse

NOT_TAKEN = (0, 0, 0, 0, 0, 0, 0)
"""The shape of what comes of a branch that was not taken."""
DOUBLE = 11
_NO_TENSORS = """
SequenceEmpty SequenceConstruct SequenceInsert SequenceErase SequenceMap SplitToSequence Optional
OptionalGetElement StringNormalizer StringConcat StringSplit RegexFullMatch
"""
NO_TENSORS = tuple(_NO_TENSORS.split())
"""Operators whose outputs are no numbers."""
MARKED = ("If", "Loop")
"""Operators whose bodies are marked."""


@dataclass(frozen=True)
class Value:
    """One value that a node gives."""

    name: str
    """Its name, with the bodies that it is in: If_1/then_branch/y."""
    node: str
    op: str
    sources: tuple[str, ...]
    """All that its node reads, by `name`; of an If or a Loop also what its bodies give."""
    output: str
    """What the marked graph calls it; empty where it is not looked at."""


@dataclass(frozen=True)
class Marked:
    """A graph that gives all its values."""

    model: bytes
    values: tuple[Value, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """The model's own."""


def mark(data: bytes, fed: Sequence[str], *, in_bodies: bool = True) -> Marked:
    """Return a model with all its values as outputs; in_bodies: those of bodies, too.

    fed: what the file itself is fed. What an optimised graph names as inputs besides were
    constants, which nothing reads any more.
    """
    import onnx

    proto = parse(data)
    inputs = tuple(one.name for one in proto.graph.input if one.name in fed)
    kept = [one for one in proto.graph.input if one.name in inputs]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    outputs = tuple(one.name for one in proto.graph.output)
    marking = _Marking(in_bodies)
    scope = {name: name for name in inputs}
    values = marking.graph(proto.graph, "", scope)
    known = set(outputs)
    for value in values:
        if value.output and value.output not in known:
            known.add(value.output)
            proto.graph.output.append(onnx.ValueInfoProto(name=value.output))
    return Marked(proto.SerializeToString(), tuple(values), inputs, outputs)


class _Marking:
    """One model while it is marked; names that it makes are of their own."""

    def __init__(self, in_bodies: bool) -> None:
        self.in_bodies, self.count = in_bodies, 0

    def graph(self, graph: Any, path: str, scope: dict[str, str]) -> list[Value]:
        """Return the values of a graph and of its bodies, by the names that they have in it.

        path: of the bodies around it; scope: from a name to `Value.name`, of what it may read.
        """
        values: list[Value] = []
        for node in graph.node:
            own = [name for name in node.output if name]
            inner = self.bodies(node, path, scope)
            reads = [scope[name] for name in node.input if name in scope]
            sources = tuple(dict.fromkeys([*reads, *(one.name for one in inner)]))
            is_seen = node.op_type not in (*NO_TENSORS, "Constant")
            values += inner
            for name in own:
                scope[name] = f"{path}{name}"
                called = node.name or own[0]
                watched = name if is_seen else ""
                values.append(Value(scope[name], called, node.op_type, sources, watched))
        return values

    def bodies(self, node: Any, path: str, scope: dict[str, str]) -> list[Value]:
        """Mark a node's bodies; return their values as what the node itself gives."""
        graphs = bodies(node)
        values = []
        for number, body in enumerate(graphs):
            inner = self.graph(body, inside(path, node, number), dict(scope))
            for value in inner:
                looks = self.in_bodies and node.op_type in MARKED and value.output
                output = self.let_out(node, graphs, number, value.output) if looks else ""
                values.append(replace(value, output=output))
        return values

    def let_out(self, node: Any, graphs: Sequence[Any], number: int, name: str) -> str:
        """Make a value of one body an output of the node, and of its other bodies a stand-in."""
        from onnx import helper, numpy_helper

        for other, body in enumerate(graphs):
            made = self.fresh()
            if other == number:
                body.node.append(helper.make_node("Cast", [name], [made], to=DOUBLE))
            else:
                nothing = numpy_helper.from_array(np.zeros(NOT_TAKEN))
                body.node.append(helper.make_node("Constant", [], [made], value=nothing))
            body.output.append(helper.make_tensor_value_info(made, DOUBLE, None))
        given = self.fresh()
        node.output.append(given)
        return given

    def fresh(self) -> str:
        """Return a name that no file has."""
        self.count += 1
        return f"convdiff marks {self.count}"
