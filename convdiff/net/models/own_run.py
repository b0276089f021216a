"""An ONNX file in two of its own runtimes, step by step, each fed with its own state."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from convdiff.errors import UNTESTED, ConvdiffError
from convdiff.lab.pool import Pool
from convdiff.net.models.limits import ModelError
from convdiff.net.models.marked import Marked, Value, mark
from convdiff.net.models.model import Array
from convdiff.net.models.onnx_graph import all_nodes, load, parse
from convdiff.net.models.own_values import Alone, Identity, Step, Values, differing, identity
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.nets.model_file import OPTIMISED

_TYPES = "float double float16 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64"
TYPES = tuple(f"tensor({name})" for name in _TYPES.split())
"""What ONNX Runtime gives to NumPy."""
OWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_NUMBERS = count()
WATCHED, ALONE = "watched", "alone"
"""The sessions of a side: with all values as outputs, and as the file is."""
WAYS = ((True, True), (False, True), (False, False))
"""Whether an optimised graph's arrays lie beside it, and whether its bodies are marked: the first
that loads. ONNX Runtime 1.20 writes arrays of bodies twice where they lie beside the graph."""


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


def refuse_untrusted(path: Path, *, trusted: bool) -> tuple[str, ...]:
    """Return the operators of a file that are none of ONNX' own; nothing runs them unasked.

    Raises ModelError that names one, with its node, where the file is not trusted.
    """
    import onnx

    foreign: dict[str, str] = {}
    for node in all_nodes(load(path).graph):
        domain = "" if node.domain == "ai.onnx" else node.domain
        known = node.domain in OWN_DOMAINS and onnx.defs.has(node.op_type, domain)
        if not known:
            foreign.setdefault(f"{node.domain}.{node.op_type}".lstrip("."), node.name)
    if foreign and not trusted:
        op, name = next(iter(foreign.items()))
        raise ModelError(
            f"{path}: {name or 'a node'} is {op}, none of ONNX' own operators; "
            "--trust-model runs it all the same"
        )
    return tuple(foreign)


class Side:
    """A file on one interpreter.

    One session is open at a time: what it holds is much more than what it gives. Its arrays lie in
    files, here for the worker and for who judges a layer.
    """

    def __init__(self, pool: Pool, interpreter: Interpreter, data: bytes) -> None:
        """Let the runtime optimise the file. Raises NotRunError."""
        self._pool, self.interpreter, self._number = pool, interpreter, next(_NUMBERS)
        self._folder = Path(tempfile.mkdtemp(prefix="convdiff-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._file, self.optimised = self._folder / "file", self._folder / OPTIMISED
        _write(self._file, data)
        self._optimise(beside=True)

    def _optimise(self, *, beside: bool) -> None:
        """Open the file as it is, and have what the runtime made of it, arrays beside it or not."""
        places = {"path": str(self._file), "into": str(self._folder)}
        asked = {"ask": "optimise", "key": ALONE, "beside": beside, **places}
        self._fed = _json(self._ask(asked)[0])
        self._open, self._beside = ALONE, beside

    def alone(self, feeds: Feeds) -> Iterator[Alone]:
        """Yield what the file as it is gives in each step, run twice. Raises NotRunError."""
        state: dict[str, Array] = {}
        if self._open != ALONE:
            self._load(ALONE, self._file, optimise=True)
        names = self._given()
        for given in feeds.steps:
            inputs = {**given, **state}
            first, again = (self._run(ALONE, inputs, names) for _ in range(2))
            outputs = dict(zip(names, first, strict=True))
            pairs = zip(names, first, again, strict=True)
            unlike = frozenset(name for name, one, other in pairs if differing(one, other))
            yield Alone(inputs, outputs, unlike)
            state.update((to, outputs[name]) for name, to in feeds.back.items())

    def step(self, alone: Alone) -> Step:
        """Look at one step. Raises NotRunError."""
        self.look()
        values = Values(self, alone.inputs)
        changes = {}
        for name, bits in alone.outputs.items():
            if values.made[name] != identity(bits):
                changes[name] = differing(values.output(name), bits)
        return Step(alone.inputs, values, alone.outputs, changes, alone.unlike)

    def look(self) -> Marked:
        """Load what the runtime made of the file, marked; return that. Raises NotRunError.

        Arrays that can't lie beside it lie in it; bodies that can't be marked are left as they are.
        """
        for number, (beside, in_bodies) in enumerate(WAYS, 1):
            if self._open == WATCHED:
                break
            try:
                self._mark(beside=beside, in_bodies=in_bodies)
            except NotRunError:
                if number == len(WAYS):
                    raise
        return self.marked

    def _mark(self, *, beside: bool, in_bodies: bool) -> None:
        if beside != self._beside:
            self._optimise(beside=beside)
        marked = mark(self.optimised.read_bytes(), self._fed, in_bodies=in_bodies)
        path = self._folder / "marked"
        _write(path, marked.model)
        types = self._load(WATCHED, path, optimise=False)
        values = tuple(_fetched(value, types) for value in marked.values)
        self.marked = replace(marked, model=b"", values=values)

    def _load(self, key: str, path: Path, *, optimise: bool) -> dict[str, str]:
        """Open a file in place of what is open; return the types of its outputs."""
        self._ask({"ask": "drop", "key": self._open})
        self._open = ""
        header = {"ask": "load", "key": key, "path": str(path), "optimise": optimise}
        types: dict[str, str] = _json(self._ask(header)[0])
        self._open = key
        return types

    def _given(self) -> list[str]:
        """Return the names of the file's outputs."""
        return [one.name for one in parse(self.optimised.read_bytes()).graph.output]

    def digests(self, inputs: Mapping[str, Array], names: Sequence[str]) -> list[Identity]:
        """Return what outputs of the marked graph are, without their bits. Raises NotRunError."""
        header = {"ask": "digest", "key": WATCHED, "feeds": list(inputs), "outputs": list(names)}
        made, kinds = self._ask(header, list(inputs.values()))
        identities = []
        for (dtype, shape), digest in zip(_json(kinds), made, strict=True):
            identities.append(Identity(dtype, tuple(shape), digest.tobytes()))
        return identities

    def bits(self, inputs: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
        """Return outputs of the marked graph. Raises NotRunError."""
        return self._run(WATCHED, inputs, names)

    def _run(self, key: str, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        header = {"ask": "run", "key": key, "feeds": list(inputs), "outputs": list(outputs)}
        return self._ask(header, list(inputs.values()))

    def _ask(self, header: Mapping[str, Any], arrays: Sequence[Array] = ()) -> list[Array]:
        # several sides may be in one worker
        header = {**header, "key": f"{header['key']} {self._number}"}
        answers = self._pool.ask(self.interpreter, {"do": "model", **header}, arrays)
        if isinstance(answers, NoBits):
            raise NotRunError(f"{self.interpreter.framework}: {answers.reason}")
        return answers


def _write(path: Path, data: bytes) -> None:
    """Write a file for the worker. Raises ConvdiffError where there is no room for it."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConvdiffError(f"{path.parent}: {error.strerror}") from None


def _json(text: Array) -> Any:
    return json.loads(text.tobytes())


def _fetched(value: Value, types: Mapping[str, str]) -> Value:
    """Return a value that is not looked at where NumPy has no such type."""
    return value if types.get(value.output) in TYPES else replace(value, output="")


def steps_of(sides: Sequence[Side], feeds: Feeds) -> Iterator[tuple[Step, ...]]:
    """Yield what all sides give in each step. Raises NotRunError."""
    alone = [list(side.alone(feeds)) for side in sides]
    for several in zip(*alone, strict=True):
        yield tuple(side.step(one) for side, one in zip(sides, several, strict=True))


def named(values: Sequence[Value]) -> dict[str, Value]:
    """Return values by their names."""
    return {value.name: value for value in values}
