"""What becomes of a difference at each layer of a net, for all pairs of its runs."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from convdiff.case.axes import Axis
from convdiff.case.model import Allowance
from convdiff.compare.difference import Difference, differs
from convdiff.lab.nets import NetRun, is_compiled, safe
from convdiff.net.along import along
from convdiff.net.trace.compared import (
    Alignment,
    Watching,
    compare_layers,
    differences_of_outputs,
    sources_of,
)
from convdiff.net.trace.model import Looked, PairTrace, Traced
from convdiff.net.trace.observed import Key, Observed
from convdiff.net.trace.pairs import NetPair, runs_of
from convdiff.net.trace.status import Differs, statuses, unseen_sources
from convdiff.worker.ops.net import INPUT, Net

RUN_ALONE = 8
"""Runs, of many, that are run once more with nothing looked at."""
RERUNS = 2
"""How often a run is repeated of which something is to be said: with it, three times the same."""


@dataclass(frozen=True)
class Tracing:
    """What all steps of a trace share."""

    net: Net
    observed: Observed
    alignment: Alignment
    watching: Watching

    def in_order(self, names: Container[str]) -> tuple[str, ...]:
        """Return those of the net's layers that are named, in its order."""
        return tuple(layer.name for layer in self.net.layers if layer.name in names)


def traced_pairs(tracing: Tracing, pairs: Sequence[NetPair]) -> list[PairTrace]:
    """Compare the layers of all pairs, and their outputs with nothing looked at.

    Of many runs some are run once more for that. Where looking at all activations changed one of
    them that is the same when it is run again, those are looked at that a framework does not fuse
    otherwise; where that does, too, all are run once more.
    """
    observed = tracing.observed
    with ThreadPoolExecutor(1) as beside:
        alone = beside.submit(observed.run_alone, _some(runs_of(pairs)))
        tracing.alignment.prepare(pairs)
        alone.result()
    traces = _compared(tracing, pairs)
    if _is_changed(tracing, pairs, traces) and _can_look_less(tracing.net, pairs):
        observed.look_less()
        traces = _compared(tracing, pairs)
    if _is_changed(tracing, pairs, traces):
        observed.run_alone_once(runs_of(pairs))
        traces = [replace(one, outputs=_outputs(tracing, one.pair)) for one in traces]
    return traces


def _some(runs: Sequence[NetRun]) -> Sequence[NetRun]:
    """Return some of many runs, evenly; the first is one of them."""
    return runs[:: max(1, -(-len(runs) // RUN_ALONE))]


def _can_look_less(net: Net, pairs: Sequence[NetPair]) -> bool:
    """Return whether a runtime of these fuses layers that need not be looked at."""
    compiled = {is_compiled(run.runtime) for run in runs_of(pairs)}
    return any(len(safe(net, one)) < len(net.layers) for one in compiled)


def _compared(tracing: Tracing, pairs: Sequence[NetPair]) -> list[PairTrace]:
    traces = {pair: PairTrace(pair, (), {}) for pair in pairs}
    several = compare_layers(tracing.observed, pairs, tracing.alignment, tracing.watching)
    for pair, differing in several:
        if pair.axis == "baseline":
            equal = [name for name, differs in differing.items() if differs is False]
            tracing.observed.share(pair.baseline, pair.candidate, equal)
        traces[pair] = _traced(tracing, pair, differing)
    for pair, trace in traces.items():
        if not trace.layers:
            traces[pair] = replace(trace, reason=_why_not(tracing.observed, pair))
    return [traces[pair] for pair in pairs]


def _is_changed(tracing: Tracing, pairs: Sequence[NetPair], traces: Sequence[PairTrace]) -> bool:
    """Return whether looking changed the outputs of a run of the worst pair, or of some others.

    Those that it seems to have changed are run again: what differs from itself is not blamed on it.
    """
    if not traces:
        return False
    observed, runs = tracing.observed, runs_of(pairs)
    shown = max(traces, key=lambda one: one.largest).pair
    observed.run_alone_once(dict.fromkeys((*shown.runs, *_some(runs))))
    again(tracing, [one.run for one in looked_at(observed, runs) if one.changed])
    return any(one.changed for one in looked_at(observed, runs))


def again(tracing: Tracing, runs: Sequence[NetRun]) -> None:
    """Run each again, `RERUNS` times, but what was; `Observed.unlike` has what is others."""
    observed = tracing.observed
    left = [run for run in runs if run not in observed.unlike and observed.answered(run)]
    observed.rerun(left, RERUNS, strict=tracing.watching.strict)


def _traced(tracing: Tracing, pair: NetPair, differing: Differs) -> PairTrace:
    """Return what becomes of a pair's difference at each layer, and its outputs' differences."""
    net, alignment = tracing.net, tracing.alignment
    status = statuses(sources_of(net), differing)
    layers = []
    for layer in net.layers:
        count = int(np.count_nonzero(alignment.of(pair, layer.name)))
        layers.append(Traced(layer.name, layer.op, status[layer.name], count))
    outputs = _outputs(tracing, pair)
    reason = "" if outputs else _nothing_aligned(tracing, pair)
    return PairTrace(pair, tuple(layers), outputs, reason)


def _nothing_aligned(tracing: Tracing, pair: NetPair) -> str:
    """Name the layer from which on nothing sees the same inputs at two lengths; say what to do."""
    aligned = {INPUT}
    for step in along(tracing.net):
        layer = step.layer
        if tracing.alignment.of(pair, layer.name).any():
            aligned.add(layer.name)
        elif aligned.issuperset(layer.sources):
            break
    lengths = f"lengths {pair.candidate.length} and {pair.baseline.length}"
    if step.mixes:
        return (
            f"{layer.name} ({layer.op}) reads the whole length, so no output sees the same inputs "
            f"at {lengths}: pad all inputs to one length, or compare --batch or --threads"
        )
    return f"from {layer.name} on nothing sees the same inputs at {lengths}: compare other lengths"


def _why_not(observed: Observed, pair: NetPair) -> str:
    """Say which run of a pair gave nothing, and why."""
    for run in pair.runs:
        if run in observed.failures:
            batch = f", batch {run.batch}" if observed.subject.input_nhwc.shape[0] > 1 else ""
            where = f"{run.runtime.id}, length {run.length:,}{batch}"
            return f"{where}: {observed.failures[run].reason}"
    return "it ended before that"


def _outputs(tracing: Tracing, pair: NetPair) -> dict[str, Difference]:
    if not all(map(tracing.observed.answered, pair.runs)):
        return {}
    strict = tracing.watching.strict
    return differences_of_outputs(tracing.observed, pair, tracing.alignment, strict=strict)


def worst_of(traced: Sequence[PairTrace], expect: Mapping[Axis, Allowance]) -> int:
    """Return which pair is told layer by layer.

    One whose bits are to be the same before one that may round otherwise; one whose outputs differ
    before one that heals; then the one where a difference enters first, and of these the one with
    the largest.
    """

    def gravity(number: int) -> tuple[bool, bool, int, float, int]:
        pair = traced[number]
        is_held = expect[pair.pair.axis].kind in ("bitwise", "ulps")
        return is_held and pair.differs, pair.differs, -pair.first_entry, pair.largest, -number

    return max(range(len(traced)), key=gravity, default=0)


def looked_at(observed: Observed, runs: Sequence[NetRun]) -> Iterator[Looked]:
    """Yield for each run how many elements of its outputs were others once it was looked at.

    But runs whose outputs are others when they are run again.
    """
    for run in runs:
        is_stable = observed.unlike.get(run, set()).isdisjoint(observed.subject.net.outputs)
        if not (is_stable and observed.was_alone(run) and observed.answered(run)):
            continue
        elements = changed = 0
        for name in observed.subject.net.outputs:
            one, other = (observed.get(Key(run, name, alone)) for alone in (True, False))
            elements += one.size
            changed += int(np.count_nonzero(differs(one, other, strict=True)))
        yield Looked(run, elements, changed)


def unseen_before(tracing: Tracing, trace: PairTrace, name: str) -> tuple[str, ...]:
    """Return the layers before one that were not looked at, in the net's order."""
    watched = [one.name for one in trace.layers if one.status not in ("unseen", "apart")]
    differing: Differs = dict.fromkeys(watched, False)
    return tracing.in_order(unseen_sources(sources_of(tracing.net), differing, name))
