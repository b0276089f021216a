"""One layer of a net alone, with its real input: a case for the trip that explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from convdiff.case.arrays import Tensors
from convdiff.case.model import ArraySpec, Case
from convdiff.case.net_model import NetCase
from convdiff.compare.comparison import measured
from convdiff.compare.difference import measure
from convdiff.compare.reference import References
from convdiff.diagnose.verdict import judge
from convdiff.diagnose.verdicts import Verdict
from convdiff.lab.lab import Lab
from convdiff.lab.live import LiveLab, gives_others
from convdiff.lab.mixed import MixedLab
from convdiff.lab.nets import NetRun
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.field import cut
from convdiff.net.trace.compared import are_equal
from convdiff.net.trace.model import Alone
from convdiff.net.trace.pairs import NetPair
from convdiff.numerics.array import Array
from convdiff.pipeline import Ask, examine
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Pair, Plan
from convdiff.recording.lab import RecordedLab
from convdiff.recording.model import Entry, RecordedCase
from convdiff.result import CaseResult
from convdiff.runtime.constant import as_in_a_model
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.net import Layer


@dataclass(frozen=True)
class Held:
    """What a layer reads and gives in the net, on both sides, the baseline first; NHWC, whole."""

    pair: NetPair
    inputs: tuple[Array, Array]
    outputs: tuple[Array, Array] | None
    """None where it was not looked at in the net."""
    columns: Array
    """bool (columns,): which outputs see the same inputs, from the first on."""

    def compared(self, outputs: Iterable[Array]) -> tuple[Array, Array]:
        """Return what is compared of outputs of both sides."""
        one, other = (cut(side, self.columns, self.pair.images) for side in outputs)
        return one, other


@dataclass(frozen=True)
class Isolated:
    """A layer that was run alone."""

    verdict: Verdict
    alone: Alone
    result: CaseResult
    """Of its two cells alone."""


def isolate(
    net: NetCase,
    layer: Layer,
    arrays: Mapping[str, Array],
    held: Held,
    session: Session,
    fingerprints: Mapping[Runtime, Mapping[str, Any]],
    ask: Ask,
    watch: Watch,
) -> Isolated:
    """Run an op of a net alone on both sides, and examine it.

    arrays: by their names in `Kind.arrays`. The shorter input is a part of the longer one wherever
    an output that is compared reads it; so both are run on parts of the longer. What is fed filters
    has them as constants, as in the net.
    """
    held = replace(held, pair=_as_in_a_model(held.pair))
    fingerprints = {as_in_a_model(runtime): one for runtime, one in fingerprints.items()}
    longer = max(held.inputs, key=lambda one: (one.shape[2], one.shape[0]))
    tensors = Tensors(arrays["filter"], arrays.get("bias"), longer)
    case = _case(net, layer, tensors, held)
    sides = zip(held.pair.runs, held.inputs, strict=True)
    cells = tuple(_cell(case, run, one) for run, one in sides)
    pair = Pair(held.pair.axis, cells[0], cells[1])
    runtimes = tuple(dict.fromkeys(cell.runtime for cell in cells))
    plan = Plan(case, runtimes, cells, (pair,))
    live = LiveLab(case, tensors, session, fingerprints, ask.budget, watch)
    with closing(live):
        lab = _beside(live, case, tensors, cells[0], held, fingerprints, watch)
        result = examine(plan, lab, tensors, ask)
        alone = _alone([lab.bits(cell) for cell in cells], held)
        own = cells[1:] if held.pair.is_recorded else cells
        if alone not in ("same", "not run") and _is_unsteady(live, own):
            return Isolated("unstable", "unsteady", result)
    verdict = result.findings[0].verdict if result.findings else "untested"
    if alone == "equal" and held.outputs is not None:
        verdict = _by_size(case, pair, tensors, held)
    return Isolated(verdict, alone, result)


def _beside(
    live: Lab,
    case: Case,
    tensors: Tensors,
    cell: Cell,
    held: Held,
    fingerprints: Mapping[Runtime, Mapping[str, Any]],
    watch: Watch,
) -> Lab:
    """Return the lab that answers for both sides: the recorded one has its bits of the net."""
    if not held.pair.is_recorded:
        return live
    assert held.outputs is not None, "without its bits it is not isolated"
    prints = {cell.runtime: fingerprints[cell.runtime]}
    home = RecordedCase(case, tensors, prints, (Entry(cell, held.outputs[0]),))
    return MixedLab(live, RecordedLab([home], float("inf"), watch))


def _as_in_a_model(pair: NetPair) -> NetPair:
    one, other = (replace(run, runtime=as_in_a_model(run.runtime)) for run in pair.runs)
    return replace(pair, baseline=one, candidate=other)


def _case(net: NetCase, layer: Layer, tensors: Tensors, held: Held) -> Case:
    """Return the case that one layer is; its arrays are there, and are not made of it."""
    runs = held.pair.runs
    bias = None if tensors.bias is None else ArraySpec("values", tensors.bias.shape)
    return Case(
        name=f"{net.name}/{layer.name}",
        file=net.file,
        conv=_counted(layer.conv, held),
        filter=ArraySpec("values", tensors.filter_hwio.shape),
        bias=bias,
        input=ArraySpec("values", tensors.input_nhwc.shape),
        height=tensors.input_nhwc.shape[1],
        lengths=tuple(sorted({one.shape[2] for one in held.inputs})),
        batches=tuple(sorted({run.batch for run in runs})),
        devices=tuple(dict.fromkeys(run.runtime.device for run in runs)),
        layout=net.layout,
        expect=net.expect,
    )


def _counted(conv: Convolution, held: Held) -> Convolution:
    """Return a geometry that each side runs alone: SAME with strides is in PyTorch's net numbers.

    Where outputs see the same inputs, as many elements are added before both inputs; what is added
    after them differs by one at most, which makes no further output.
    """
    is_word = conv.padding == "same" and not conv.transposed
    if not is_word or set(conv.strides) == {1}:
        return conv
    if "torch" not in (run.runtime.interpreter.framework for run in held.pair.runs):
        return conv
    pads = [conv.pads(one.shape[1], one.shape[2]) for one in held.inputs]
    return conv._replace(padding=tuple(map(max, *pads)))


def _cell(case: Case, run: NetRun, given: Array) -> Cell:
    return Cell(run.runtime, case.conv.op, given.shape[2], given.shape[0], run.repeat)


def _is_unsteady(lab: LiveLab, cells: Sequence[Cell]) -> bool:
    """Return whether a layer alone gives other bits when it is run again: then it tells nothing."""
    repeats = [replace(cell, repeat=cell.repeat + number) for cell in cells for number in (1, 2)]
    first = {(cell.runtime, cell.length, cell.batch): lab.bits(cell) for cell in cells}
    for cell in list(lab.observe(repeats)):
        if gives_others(first[cell.runtime, cell.length, cell.batch], lab.bits(cell)):
            return True
    return False


def _alone(bits: Sequence[Array | NoBits], held: Held) -> Alone:
    """Return what a layer gives alone, beside what it gives in the net."""
    sides = []
    for one in bits:
        if isinstance(one, NoBits):
            return "not run"
        sides.append(one)
    alone = held.compared(sides)
    if held.outputs is not None and all(map(are_equal, alone, held.compared(held.outputs))):
        return "same"
    if are_equal(*alone):
        return "equal"
    return "differs" if held.outputs is None else "other"


def _by_size(case: Case, pair: Pair, tensors: Tensors, held: Held) -> Verdict:
    """Return the verdict on a layer's bits in the net, which it does not have alone: by size."""
    assert held.outputs is not None
    reference = References(case.conv, tensors).at(max(case.lengths))
    a, b = held.compared(held.outputs)
    comparison = measured(pair, a, b, reference, measure(a, b, strict=False, most=1))
    return judge(comparison, None, None, unstable=False, look=None)[0]
