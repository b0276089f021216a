"""What becomes of a difference at each layer of a net, for all pairs of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.compare.difference import differs
from convdiff.lab.nets import NetRun
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
from convdiff.worker.ops.net import Net

RUN_ALONE = 8
"""Runs, of many, that are run once more with nothing looked at."""


@dataclass(frozen=True)
class Tracing:
    """What all steps of a trace share."""

    net: Net
    observed: Observed
    alignment: Alignment
    watching: Watching


def traced_pairs(tracing: Tracing, pairs: Sequence[NetPair]) -> list[PairTrace]:
    """Compare the layers of all pairs, and their outputs with nothing looked at.

    Of many runs some are run once more for that, and all where looking changed one of them.
    """
    observed = tracing.observed
    differing = compare_layers(observed, pairs, tracing.alignment, tracing.watching)
    found = [_one(tracing, pair, differing.get(pair)) for pair in pairs]
    runs = runs_of(pairs)
    if found:
        shown = found[worst_of(found)].pair
        some = [shown.baseline, shown.candidate, *runs[:: -(-len(runs) // RUN_ALONE)]]
        observed.run_alone(list(dict.fromkeys(some)))
    if not any(one.changed for one in looked_at(observed, runs)):
        return found
    observed.run_alone([run for run in runs if not _was_alone(observed, run)])
    return [_one(tracing, pair, differing.get(pair)) for pair in pairs]


def _was_alone(observed: Observed, run: NetRun) -> bool:
    """Return whether a run's outputs are known with nothing looked at."""
    return observed.has(Key(run, observed.subject.net.outputs[0], alone=True))


def _one(tracing: Tracing, pair: NetPair, differing: Differs | None) -> PairTrace:
    """Return what becomes of a pair's difference at each layer, and its outputs' differences."""
    net, alignment = tracing.net, tracing.alignment
    if differing is None:
        failures = tracing.observed.failures
        reasons = [failures.get(run) for run in (pair.baseline, pair.candidate)]
        reason = next((one.reason for one in reasons if one is not None), "not run")
        return PairTrace(pair, (), {}, reason)
    found = statuses(sources_of(net), differing)
    layers = []
    for layer in net.layers:
        count = int(np.count_nonzero(alignment.of(pair, layer.name)))
        layers.append(Traced(layer.name, layer.op, found[layer.name], count))
    strict = tracing.watching.strict
    outputs = differences_of_outputs(tracing.observed, pair, alignment, strict=strict)
    reason = "" if outputs else "no output of one sees the inputs that one of the other sees"
    return PairTrace(pair, tuple(layers), outputs, reason)


def worst_of(traced: Sequence[PairTrace]) -> int:
    """Return which pair is told layer by layer: of the largest difference, then of most entries."""

    def gravity(number: int) -> tuple[float, int, int]:
        worst = traced[number].worst
        return (worst.max_abs if worst else -1.0), len(traced[number].entered), -number

    return max(range(len(traced)), key=gravity, default=0)


def looked_at(observed: Observed, runs: Sequence[NetRun]) -> Iterator[Looked]:
    """Yield for each run how many elements of its outputs were others once it was looked at."""
    for run in runs:
        if not (_was_alone(observed, run) and observed.answered(run)):
            continue
        elements = changed = 0
        for name in observed.subject.net.outputs:
            one, other = (observed.get(Key(run, name, alone)) for alone in (True, False))
            elements += one.size
            changed += int(np.count_nonzero(differs(one, other, strict=True)))
        yield Looked(run, elements, changed)


def unseen_before(tracing: Tracing, trace: PairTrace, name: str) -> tuple[str, ...]:
    """Return the layers before one that were not looked at, in the net's order."""
    seen = ("unseen", "apart")
    differing: Differs = {one.name: False for one in trace.layers if one.status not in seen}
    unseen = unseen_sources(sources_of(tracing.net), differing, name)
    return tuple(layer.name for layer in tracing.net.layers if layer.name in unseen)
