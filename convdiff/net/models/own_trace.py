"""Where two runtimes part on an ONNX file of any operators, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.case.model import ArraySpec
from convdiff.case.net_model import NetCase
from convdiff.compare.comparison import constant_of
from convdiff.diagnose.verdicts import gravity
from convdiff.lab.nets import NetRun
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.models.build import UnreadError
from convdiff.net.models.marked import Value
from convdiff.net.models.model import Array
from convdiff.net.models.onnx_graph import OnnxGraph, parse
from convdiff.net.models.own_carried import Passed, passed_on
from convdiff.net.models.own_found import OwnEntry, OwnTrace, OwnValue
from convdiff.net.models.own_nodes import Nodes
from convdiff.net.models.own_run import Feeds, Side, named, steps_of
from convdiff.net.models.own_values import Compared, Step, compared, differing
from convdiff.net.trace.isolated import Held, isolate
from convdiff.net.trace.judged import judge_layer
from convdiff.net.trace.model import Judged
from convdiff.net.trace.narrowed import narrowed_to
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.status import Status, statuses
from convdiff.pipeline import Ask
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.net import Layer, Net

GRAVITY: Sequence[Status] = ("untouched", "healed", "carried", "entered", "unstable")
"""What is said of a value over all steps: the last of these."""


@dataclass
class _Tally:
    """What is counted of one value over the steps."""

    status: Status = "untouched"
    entered: int = 0
    elements: int = 0
    differing: int = 0
    entry: OwnEntry | None = None
    """What is said of the steps in which it enters."""
    passed: Passed | None = None
    """What it is in the first step in which it passes a difference on."""

    @property
    def is_unread(self) -> bool:
        """Whether it passes a difference on, and nothing else is known of it."""
        return self.status == "carried" and self.passed is not None and self.passed.unread != ""


class OwnTracing:
    """Two sides of one file while they are compared."""

    def __init__(
        self, path: Path, sides: tuple[Side, Side], session: Session, ask: Ask, watch: Watch
    ) -> None:
        self.path, self.sides, self.session, self.ask, self.watch = path, sides, session, ask, watch
        self.tallies: dict[str, _Tally] = {}
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
        self.tallies = {name: _Tally() for name in self.values}

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
        prints = [self.session.pool.fingerprint(side.interpreter) for side in self.sides]
        seen = [name for name, tally in self.tallies.items() if tally.elements]
        return OwnTrace(
            str(self.path),
            runtimes,
            (_said(prints[0]), _said(prints[1])),
            steps,
            tuple(self._value(name) for name in seen),
            outputs,
            changed,
            len(self.all) - len(seen),
            begins=tuple(name for name in seen if self._begins(name)),
            noisy=tuple(name for name in outputs if name in self.noisy),
            unjudged=sum(self.tallies[name].is_unread for name in seen),
            constant="" if len(self.constants) > 1 else next(iter(self.constants), ""),
        )

    def _changed(self, step: Step) -> int:
        """Return how many elements of a side's outputs looking changed, as far as that is known."""
        return sum(count for name, count in step.changes.items() if name not in self.noisy)

    def _begins(self, name: str) -> bool:
        """Return whether a value is unstable, and nothing that its node reads is."""
        read = [self.tallies[one].status for one in self.reads[name] if one in self.tallies]
        return self.tallies[name].status == "unstable" and "unstable" not in read

    def _compare(self, one: Step, other: Step, runtimes: tuple[Runtime, Runtime]) -> None:
        """Count what one step gives on both sides, and judge where a difference enters."""
        found = compared(one, other, self.tallies)
        self.noisy |= found.noisy
        taken = {*one.values, *other.values, *one.inputs}
        sources = {
            name: tuple(source for source in reads if self._counts(source, taken))
            for name, reads in self.reads.items()
        }
        sources.update((name, ()) for name in one.inputs)
        passing: list[str] = []
        for name, status in statuses(sources, found.differs, found.unstable).items():
            if name in found.elements:
                self._tell(name, status, found)
                if self.tallies[name].status == status == "entered":
                    self._enters(name, one, other, runtimes)
                elif status in ("carried", "healed") and self.tallies[name].passed is None:
                    passing.append(name)
        for passed in passed_on(self.nodes, passing, (one, other)):
            self.tallies[passed.name].passed = passed

    def _tell(self, name: str, status: Status, found: Compared) -> None:
        tally = self.tallies[name]
        tally.status = max(tally.status, status, key=GRAVITY.index)
        tally.elements += found.elements[name]
        tally.differing += found.differing.get(name, 0)

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
            if source in one.values or source in one.inputs:
                held = one.values if source in one.values else one.inputs
                reads[source] = held[source]
        try:
            found = self._judged(name, reads, (one.values[name], other.values[name]), runtimes)
        except UnreadError as error:
            found = OwnEntry(reason=str(error))
        tally.entry = found if tally.entry is None else _together(tally.entry, found)

    def _value(self, name: str) -> OwnValue:
        tally, value = self.tallies[name], self.values[name]
        entry = tally.entry if tally.status == "entered" else None
        passed = tally.passed if tally.status != "unstable" else None
        return OwnValue(
            name,
            value.node,
            value.op,
            tally.status,
            tally.entered,
            tally.elements,
            tally.differing,
            entry,
            None if passed is None else passed.entry,
        )

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
        columns = np.ones(ours[0].shape[2], bool)
        arrays = one.arrays[layer.name]
        inputs, depths = one.inputs, one.depths
        verdict, judged = judge_layer(one.net, layer, arrays, inputs, ours, columns, depths)
        return OwnEntry(verdict, judged)

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
        prints = {
            runtime: _said(self.session.pool.fingerprint(runtime.interpreter))
            for runtime in runtimes
        }
        found = isolate(case, layer, arrays, held, self.session, prints, self.ask, self.watch)
        if found.alone == "equal" and sides is None:
            return OwnEntry(reason="without what is fused with it, alone, it gives equal bits")
        verdict = found.verdict
        if sides is not None and any(narrowed_to(layer, arrays, x, side) for side in sides):
            verdict = "precision" if verdict == "wrong" else verdict
        return OwnEntry(verdict, result=found.result)


def _reads(name: str, tables: Sequence[Mapping[str, Value]]) -> tuple[str, ...]:
    """Return what a value's node reads on any side."""
    found: list[str] = []
    for table in tables:
        if name in table:
            found += table[name].sources
    return tuple(dict.fromkeys(found))


def _together(one: OwnEntry, other: OwnEntry) -> OwnEntry:
    """Return what two steps say of one node."""
    if one.judged is None or other.judged is None:
        return one
    a, b = one.judged, other.judged
    judged = Judged(
        a.elements + b.elements,
        (a.wrong[0] + b.wrong[0], a.wrong[1] + b.wrong[1]),
        (max(a.ulps[0], b.ulps[0]), max(a.ulps[1], b.ulps[1])),
        a.undecided + b.undecided,
    )
    return replace(one, verdict=max(one.verdict, other.verdict, key=gravity), judged=judged)


def _added(
    before: tuple[int, int, float] | None, one: Array, other: Array
) -> tuple[int, int, float]:
    count, elements, largest = before or (0, 0, 0.0)
    if one.shape == other.shape and one.dtype.kind == "f":
        delta = np.abs(one.astype(np.float64) - other.astype(np.float64))
        largest = max(largest, float(np.max(delta, initial=0.0, where=np.isfinite(delta))))
    return count + differing(one, other), elements + one.size, largest


def _said(fingerprint: Any) -> Mapping[str, Any]:
    return fingerprint if isinstance(fingerprint, dict) else {}
