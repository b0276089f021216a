"""Where two runtimes part on an ONNX file of any operators, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.case.model import ArraySpec
from convdiff.case.net_model import NetCase
from convdiff.compare.comparison import constant_of
from convdiff.lab.nets import NetRun
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.models.marked import Value
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.onnx_graph import OnnxGraph, parse
from convdiff.net.models.own_carried import passed_on
from convdiff.net.models.own_found import OwnEntry, OwnTrace
from convdiff.net.models.own_nodes import Nodes
from convdiff.net.models.own_run import Feeds, Side, named, steps_of
from convdiff.net.models.own_tally import Tally
from convdiff.net.models.own_values import Step, compared, differing
from convdiff.net.trace.isolated import Held, isolate
from convdiff.net.trace.judged import Evidence, judge_sides
from convdiff.net.trace.narrowed import is_narrowed
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.status import statuses
from convdiff.pipeline import Ask
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.ops.net import Layer, Net


class OwnTracing:
    """Two sides of one file while they are compared."""

    def __init__(
        self, path: Path, sides: tuple[Side, Side], session: Session, ask: Ask, watch: Watch
    ) -> None:
        self.path, self.sides, self.session, self.ask, self.watch = path, sides, session, ask, watch
        self.tallies: dict[str, Tally] = {}
        self.noisy, self.constants = set[str](), set[str]()

    def _look(self) -> None:
        """Load what both runtimes made of the file, and see what both have."""
        tables = [named(side.look().values) for side in self.sides]
        self.values = {name: value for name, value in tables[0].items() if name in tables[1]}
        self.all = {**tables[1], **tables[0]}
        self.reads = {name: _reads(name, tables) for name in self.all}
        optimised = self.sides[0].optimised
        graph = OnnxGraph(optimised, parse(optimised.read_bytes()))
        self.nodes = Nodes(self.all, *graph.by_value())
        self.tallies = {name: Tally() for name in self.values}

    def run(self, feeds: Feeds, runtimes: tuple[Runtime, Runtime]) -> OwnTrace:
        """Run all steps and return what was found. Raises NotRunError."""
        outputs: dict[str, tuple[int, int, float]] = {}
        changed = (0, 0)
        for number, (one, other) in enumerate(steps_of(self.sides, feeds), 1):
            self.watch.teller(f"{self.path.name}: steps", number, len(feeds.steps), None)
            if not self.tallies:
                self._look()
            self._compare(one, other, runtimes)
            changed = changed[0] + self._changed(one), changed[1] + self._changed(other)
            self.constants |= {constant_of(array, "") or "" for array in one.outputs.values()}
            for name in one.outputs:
                outputs[name] = _added(outputs.get(name), one.outputs[name], other.outputs[name])
        return self._result(outputs, changed, runtimes, len(feeds.steps))

    def _result(
        self,
        outputs: Mapping[str, tuple[int, int, float]],
        changed: tuple[int, int],
        runtimes: tuple[Runtime, Runtime],
        steps: int,
    ) -> OwnTrace:
        one, other = (self._fingerprint(side.interpreter) for side in self.sides)
        shared = [name for name, tally in self.tallies.items() if tally.elements]
        return OwnTrace(
            str(self.path),
            runtimes,
            (one, other),
            steps,
            tuple(self.tallies[name].of(self.values[name]) for name in shared),
            outputs,
            changed,
            len(self.all) - len(shared),
            begins=tuple(filter(self._begins, shared)),
            noisy=tuple(name for name in outputs if name in self.noisy),
            unjudged=sum(self.tallies[name].is_unread for name in shared),
            constant="" if len(self.constants) > 1 else next(iter(self.constants), ""),
        )

    def _fingerprint(self, interpreter: Interpreter) -> Mapping[str, Any]:
        fingerprint = self.session.pool.fingerprint(interpreter)
        return fingerprint if isinstance(fingerprint, dict) else {}

    def _changed(self, step: Step) -> int:
        """Return how many elements of a side's outputs looking changed, as far as that is known."""
        return sum(count for name, count in step.changes.items() if name not in self.noisy)

    def _begins(self, name: str) -> bool:
        """Return whether a value is unstable, and nothing that its node reads is."""
        read = [self.tallies[one].status for one in self.reads[name] if one in self.tallies]
        return self.tallies[name].status == "unstable" and "unstable" not in read

    def _compare(self, one: Step, other: Step, runtimes: tuple[Runtime, Runtime]) -> None:
        """Count what one step gives on both sides, and judge where a difference enters."""
        step = compared(one, other, self.tallies)
        self.noisy |= step.noisy
        taken = {*one.values, *other.values, *one.inputs}
        sources: dict[str, Sequence[str]] = dict.fromkeys(one.inputs, ())
        for name, reads in self.reads.items():
            sources.setdefault(name, [read for read in reads if self._counts(read, taken)])
        passing: list[str] = []
        for name, status in statuses(sources, step.differs, step.unstable).items():
            if name not in step.elements:
                continue
            tally = self.tallies[name]
            tally.count(status, step.elements[name], step.differing.get(name, 0))
            if tally.status == status == "entered":
                self._enters(name, one, other, runtimes)
            elif status in ("carried", "healed") and tally.passed is None:
                passing.append(name)
        for passed in passed_on(self.nodes, passing, (one, other)):
            self.tallies[passed.name].passed = passed

    def _counts(self, name: str, taken: Any) -> bool:
        """Whether a value counts as read: not where it is of a branch that was not taken."""
        value = self.all.get(name)
        return value is None or not value.output or name in taken

    def _enters(self, name: str, one: Step, other: Step, runtimes: tuple[Runtime, Runtime]) -> None:
        """Judge a node in a step in which a difference enters there; the first is explained."""
        tally = self.tallies[name]
        tally.entered += 1
        if tally.entry is not None and tally.entry.judged is None:
            return  # it was explained, or can't be
        reads = {}
        for source in self.values[name].sources:
            if source in one.values:
                reads[source] = one.values[source]
            elif source in one.inputs:
                reads[source] = one.inputs[source]
        try:
            entry = self._judged(name, reads, (one.values[name], other.values[name]), runtimes)
        except UnreadError as error:
            entry = OwnEntry(reason=str(error))
        tally.enter(entry)

    def _judged(
        self,
        name: str,
        reads: Mapping[str, Array],
        sides: tuple[Array, Array],
        runtimes: tuple[Runtime, Runtime],
    ) -> OwnEntry:
        """Judge a node whose inputs are equal; an op is run alone. Raises UnreadError."""
        one, other = (self.nodes.built(name, reads, side) for side in sides)
        layer, ours = one.layers[0], (one.output, other.output)
        if layer.kind.family == "op":
            in_net = None if one.is_fused else ours
            x, arrays = one.inputs[0], one.arrays[layer.name]
            return self._isolated(one.net, layer, arrays, x, in_net, runtimes)
        columns, arrays = np.ones(ours[0].shape[2], bool), one.arrays[layer.name]
        evidence = Evidence(one.net, layer, arrays, [one.inputs], ours, columns, one.depths)
        return OwnEntry(*judge_sides(evidence))

    def _isolated(
        self,
        net: Net,
        layer: Layer,
        arrays: Mapping[str, Array],
        x: Array,
        sides: tuple[Array, Array] | None,
        runtimes: tuple[Runtime, Runtime],
    ) -> OwnEntry:
        """Examine an op alone; sides: what it gives in the net, or None where that is fused."""
        batch, _, length, _ = x.shape
        spec = ArraySpec("values", x.shape)
        case = NetCase(self.path.name, str(self.path), net, {}, spec, (length,), (batch,))
        runs = [NetRun(runtime, length, batch) for runtime in runtimes]
        columns = np.ones(layer.conv.output_shape(*x.shape[:3])[2], bool)
        held = Held(NetPair("runtime", *runs), (x, x), sides, columns)
        prints = {one: self._fingerprint(one.interpreter) for one in runtimes}
        isolated = isolate(case, layer, arrays, held, self.session, prints, self.ask, self.watch)
        if isolated.alone == "equal" and sides is None:
            return OwnEntry(reason="without what is fused with it, alone, it gives equal bits")
        if isolated.verdict != "wrong" or sides is None:
            return OwnEntry(isolated.verdict, result=isolated.result)
        narrowed = is_narrowed(layer, arrays, (x, x), sides)
        return OwnEntry("precision" if narrowed else "wrong", result=isolated.result)


def _reads(name: str, tables: Sequence[Mapping[str, Value]]) -> tuple[str, ...]:
    """Return what a value's node reads on any side."""
    sources: dict[str, None] = {}
    for table in tables:
        if name in table:
            sources |= dict.fromkeys(table[name].sources)
    return tuple(sources)


def _added(
    before: tuple[int, int, float] | None, one: Array, other: Array
) -> tuple[int, int, float]:
    count, elements, largest = before or (0, 0, 0.0)
    if one.shape == other.shape and one.dtype.kind == "f":
        delta = np.abs(one.astype(np.float64) - other.astype(np.float64))
        largest = max(largest, float(np.max(delta, initial=0.0, where=np.isfinite(delta))))
    return count + differing(one, other), elements + one.size, largest
