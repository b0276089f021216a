"""An ONNX file in two of its own runtimes, step by step, each fed with its own state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.errors import UNTESTED, ConvdiffError
from convdiff.lab.pool import Pool
from convdiff.net.models.limits import ModelError
from convdiff.net.models.marked import NOT_TAKEN, Marked, Value, mark
from convdiff.net.models.model import Array
from convdiff.net.models.onnx_graph import all_nodes, inputs_of, load, parse
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter

_TYPES = "float double float16 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64"
TYPES = tuple(f"tensor({name})" for name in _TYPES.split())
"""What ONNX Runtime gives to NumPy."""
OWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_NUMBERS = count()
WATCHED, ALONE = "watched", "alone"
"""The sessions of a side: with all values as outputs, and as the file is."""


class NotRunError(ConvdiffError):
    """A runtime that does not run the file."""

    exit_code = UNTESTED


@dataclass(frozen=True)
class Feeds:
    """What a file is fed."""

    steps: Sequence[Mapping[str, Array]]
    """Of each step the arrays by the names of inputs, state of the first step included."""
    back: Mapping[str, str]
    """From an output to the input that has it in the next step."""


@dataclass(frozen=True)
class Step:
    """What one side gave in one step."""

    inputs: Mapping[str, Array]
    values: Mapping[str, Array]
    """By `Value.name`; of bodies as float64. Branches that were not taken are left out."""
    outputs: Mapping[str, Array]
    changed: int
    """Elements of the outputs that looking changed."""


def refuse_untrusted(path: Path, *, trusted: bool) -> tuple[str, ...]:
    """Return the operators of a file that are none of ONNX' own; nothing runs them unasked.

    Raises ModelError that names one, with its node, where the file is not trusted.
    """
    import onnx

    found: dict[str, str] = {}
    for node in all_nodes(load(path).graph):
        domain = "" if node.domain == "ai.onnx" else node.domain
        known = node.domain in OWN_DOMAINS and onnx.defs.has(node.op_type, domain)
        if not known:
            found.setdefault(f"{node.domain}.{node.op_type}".lstrip("."), node.name)
    if found and not trusted:
        op, name = next(iter(found.items()))
        raise ModelError(
            f"{path}: {name or 'a node'} is {op}, none of ONNX' own operators; "
            "--trust-model runs it all the same"
        )
    return tuple(found)


class Side:
    """A file on one interpreter."""

    def __init__(self, pool: Pool, interpreter: Interpreter, data: bytes) -> None:
        """Let the runtime optimise the file, mark what it made, and load both.

        Bodies that can't be marked are left as they are. Raises NotRunError.
        """
        self._pool, self.interpreter, self._number = pool, interpreter, next(_NUMBERS)
        given = np.frombuffer(data, np.uint8)
        optimised = self._ask({"ask": "optimise"}, [given])[0].tobytes()
        self._ask({"ask": "load", "key": ALONE, "optimise": True}, [given])
        fed = list(inputs_of(parse(data).graph))
        self.marked = mark(optimised, fed)
        if not self._loads(self.marked):
            self.marked = mark(optimised, fed, in_bodies=False)
            self._load(self.marked)
        values = tuple(self._fetched(value) for value in self.marked.values)
        self.marked = replace(self.marked, model=b"", values=values)  # it is in the worker now
        self.optimised = optimised

    def step(self, inputs: Mapping[str, Array]) -> Step:
        """Run one step, looked at and not. Raises NotRunError."""
        values = [value for value in self.marked.values if value.output]
        names = list(dict.fromkeys([*(v.output for v in values), *self.marked.outputs]))
        got = dict(zip(names, self._run(WATCHED, inputs, names), strict=True))
        alone = self._run(ALONE, inputs, list(self.marked.outputs))
        outputs = dict(zip(self.marked.outputs, alone, strict=True))
        changed = sum(differing(got[name], outputs[name]) for name in outputs)
        taken = {v.name: got[v.output] for v in values if got[v.output].shape != NOT_TAKEN}
        return Step(inputs, taken, outputs, changed)

    def _run(self, key: str, inputs: Mapping[str, Array], outputs: list[str]) -> list[Array]:
        header = {"ask": "run", "key": key, "feeds": list(inputs), "outputs": outputs}
        return self._ask(header, list(inputs.values()))

    def _loads(self, marked: Marked) -> bool:
        try:
            self._load(marked)
        except NotRunError:
            return False
        return True

    def _load(self, marked: Marked) -> None:
        model = np.frombuffer(marked.model, np.uint8)
        answer = self._ask({"ask": "load", "key": WATCHED, "optimise": False}, [model])
        self._types: dict[str, str] = json.loads(answer[0].tobytes())

    def _fetched(self, value: Value) -> Value:
        """Return a value that is not looked at where NumPy has no such type."""
        fetched = self._types.get(value.output) in TYPES
        return value if fetched else replace(value, output="")

    def _ask(self, header: Mapping[str, Any], arrays: Sequence[Array]) -> list[Array]:
        if "key" in header:  # several sides may be in one worker
            header = {**header, "key": f"{header['key']} {self._number}"}
        answers = self._pool.ask(self.interpreter, {"do": "model", **header}, arrays)
        if isinstance(answers, NoBits):
            raise NotRunError(f"{self.interpreter.framework}: {answers.reason}")
        return answers


def steps_of(sides: Sequence[Side], feeds: Feeds) -> Iterator[tuple[Step, ...]]:
    """Yield what all sides give in each step. Raises NotRunError."""
    states: list[dict[str, Array]] = [{} for _ in sides]
    for given in feeds.steps:
        made = []
        for side, state in zip(sides, states, strict=True):
            step = side.step({**given, **state})
            state.update((to, step.outputs[name]) for name, to in feeds.back.items())
            made.append(step)
        yield tuple(made)


def differing(one: Array, other: Array) -> int:
    """Return how many elements of two arrays have other bits; all of them where shapes do."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return int(max(one.size, other.size))
    kind = f"u{one.dtype.itemsize}"
    a, b = np.ascontiguousarray(one).view(kind), np.ascontiguousarray(other).view(kind)
    return int(np.count_nonzero(a != b))


def named(values: Sequence[Value]) -> dict[str, Value]:
    """Return values by their names."""
    return {value.name: value for value in values}
