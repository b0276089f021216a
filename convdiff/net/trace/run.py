"""The whole trace of a net: run, compare, find where differences enter, explain those layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from convdiff.atomic import replacing
from convdiff.case.net_model import NetCase
from convdiff.compare.difference import differs
from convdiff.errors import ConvdiffError, meant
from convdiff.lab.lab import Tell
from convdiff.lab.nets import NetRun, Observe
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.subject import subject_of
from convdiff.net.trace.allowed import drifting
from convdiff.net.trace.compared import (
    Alignment,
    Watching,
    compare_layers,
    differences_of_outputs,
    keep,
    sides_of,
    sources_of,
)
from convdiff.net.trace.explained import Explaining
from convdiff.net.trace.growth import JUMPS, Growth, growth
from convdiff.net.trace.model import Entry, Looked, PairTrace, Traced, TraceResult
from convdiff.net.trace.observed import Key, Observed
from convdiff.net.trace.pairs import NetPair, pairs_of, runs_of
from convdiff.net.trace.status import Differs, seen_sources, statuses, unseen_sources
from convdiff.numerics.array import Array
from convdiff.pipeline import Ask
from convdiff.worker.ops.net import INPUT, Layer, Net

MOST_ENTRIES = 8
"""Layers where a difference enters that are explained; further ones are named."""
RUN_ALONE = 8
"""Runs, of many, that are run once more with nothing looked at."""


@dataclass(frozen=True)
class TraceAsk:
    """What is asked of a trace."""

    layers: str = ""
    """A regular expression: the layers that are looked at; "" is all."""
    until: str = ""
    """The last layer that is looked at; "" is the last of all."""
    keep: Path | None = None
    """The folder where the activations of the pair that is shown go."""
    observe: Observe = "safe"
    examine: Ask = field(default_factory=Ask)
    """What is asked of the layers where a difference enters."""


@dataclass(frozen=True)
class _Tracing:
    """What all steps of a trace share."""

    net: Net
    observed: Observed
    alignment: Alignment
    watching: Watching


def trace(case: NetCase, session: Session, ask: TraceAsk, tell: Tell) -> TraceResult:
    """Trace a net on a session's runtimes. Raises ConvdiffError for layers that are not there."""
    start = perf_counter()
    watching = Watching(watched_names(case.net, ask), ask.observe, ask.examine.strict)
    subject = subject_of(case)
    standings = tuple(session.availability(case))
    pairs = pairs_of(case, [one.runtime for one in standings if one.available])
    alignment = Alignment(case.net)
    with closing(Observed(subject, session, tell)) as observed:
        tracing = _Tracing(case.net, observed, alignment, watching)
        traced = _traced(tracing, pairs)
        shown = worst_of(traced)
        prints = {one.runtime: one.fingerprint for one in standings}
        watch = Watch(tell, session.stopping)
        explaining = Explaining(case, observed, alignment, session, prints, ask.examine, watch)
        entries: list[Entry] = []
        left: tuple[str, ...] = ()
        if traced and not session.signal:
            grown = _grown(tracing, traced[shown])
            traced = [*traced[:shown], grown, *traced[shown + 1 :]]
            entering = _entering(case.net, traced, shown)
            left = tuple(entering)[MOST_ENTRIES:]
            for name, pair in list(entering.items())[:MOST_ENTRIES]:
                entries.append(explaining.entry(pair.pair, name, _unseen(tracing, pair, name)))
            if ask.keep is not None:
                _write(tracing, traced[shown], ask.keep)
        looked = tuple(_looked(observed, runs_of(pairs)))
    result = TraceResult(
        case=case,
        standings=standings,
        pairs=tuple(traced),
        shown=shown,
        entries=tuple(entries),
        looked=looked,
        drifting=(),
        unexplained=left,
        missing=tuple(one for one in standings if session.missed(one)),
        signal=session.signal,
        died=any(one.died for one in observed.failures.values()),
        seconds=perf_counter() - start,
    )
    return replace(result, drifting=tuple(drifting(result)))


def watched_names(net: Net, ask: TraceAsk) -> tuple[str, ...]:
    """Return the layers that are looked at. Raises ConvdiffError where that is none."""
    names = [layer.name for layer in net.layers]
    if ask.until and ask.until not in names:
        raise ConvdiffError(f"--until {ask.until}: no such layer{meant(ask.until, names)}")
    if ask.until:
        names = names[: names.index(ask.until) + 1]
    try:
        chosen = tuple(name for name in names if re.search(ask.layers, name))
    except re.error as error:
        raise ConvdiffError(f"--layers {ask.layers}: no regular expression: {error}") from None
    if not chosen:
        raise ConvdiffError(f"--layers {ask.layers}: no layer is called so; {_few(names)}")
    return chosen


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + ", …" * (len(names) > 6)


def _traced(tracing: _Tracing, pairs: Sequence[NetPair]) -> list[PairTrace]:
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
    if not any(one.changed for one in _looked(observed, runs)):
        return found
    observed.run_alone([run for run in runs if not _is_looked_at(observed, run)])
    return [_one(tracing, pair, differing.get(pair)) for pair in pairs]


def _is_looked_at(observed: Observed, run: NetRun) -> bool:
    """Return whether a run's outputs are known with nothing looked at."""
    return observed.has(Key(run, observed.subject.net.outputs[0], alone=True))


def _one(tracing: _Tracing, pair: NetPair, differing: Differs | None) -> PairTrace:
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


def _grown(tracing: _Tracing, trace: PairTrace) -> PairTrace:
    """Return a pair's layers with the sizes of their differences."""
    observed, pair, net = tracing.observed, trace.pair, tracing.net
    differing = [one.name for one in trace.layers if one.status in ("entered", "carried")]
    read = {one for name in differing for one in _read_by_jumps(net.layer(name))}
    keep(observed, [(pair, name) for name in {*differing, *read}], tracing.watching.observe)
    if pair.baseline in observed.failures or pair.candidate in observed.failures:
        return trace
    sizes: dict[str, Growth] = {}
    layers = []
    for one in trace.layers:
        if one.name not in differing:
            layers.append(one)
            continue
        grown = _growth(tracing, pair, net.layer(one.name), sizes)
        sizes[one.name] = grown
        unseen = _unseen(tracing, trace, one.name) if one.status == "entered" else ()
        layers.append(replace(one, growth=grown, unseen=unseen))
    return replace(trace, layers=tuple(layers))


def _read_by_jumps(layer: Layer) -> tuple[str, ...]:
    jump = JUMPS.get(layer.op)
    reads = jump is not None and jump.reads and layer.sources[0] != INPUT
    return layer.sources[:1] if reads else ()


def _growth(tracing: _Tracing, pair: NetPair, layer: Layer, before: Mapping[str, Growth]) -> Growth:
    """Measure one layer; before: what was measured of those that it may read."""
    observed, alignment = tracing.observed, tracing.alignment
    a, b = sides_of(observed, pair, layer.name, alignment)
    grown = growth(a, b, strict=tracing.watching.strict)
    differing: Differs = {name: True for name in before}
    read = [
        before[one].relative for one in seen_sources(sources_of(tracing.net), differing, layer.name)
    ]
    largest = max(read, default=0.0)
    jump, count = JUMPS.get(layer.op), 0
    if jump is not None:
        inputs = _read(tracing, pair, layer) if jump.reads else (a, b)
        count = jump.count(layer, inputs, (a, b))
    return replace(grown, amplification=grown.relative / largest if largest else None, jumps=count)


def _read(tracing: _Tracing, pair: NetPair, layer: Layer) -> tuple[Array, Array]:
    """Return what a layer reads first on both sides, whole."""
    if layer.sources[0] == INPUT:
        given = tracing.observed.subject.input_nhwc
        return given, given
    one, other = (Key(run, layer.sources[0]) for run in (pair.baseline, pair.candidate))
    return tracing.observed.get(one), tracing.observed.get(other)


def _unseen(tracing: _Tracing, trace: PairTrace, name: str) -> tuple[str, ...]:
    """Return the layers before one that were not looked at, in the net's order."""
    seen = ("unseen", "apart")
    differing: Differs = {one.name: False for one in trace.layers if one.status not in seen}
    unseen = unseen_sources(sources_of(tracing.net), differing, name)
    return tuple(layer.name for layer in tracing.net.layers if layer.name in unseen)


def _entering(net: Net, traced: Sequence[PairTrace], shown: int) -> dict[str, PairTrace]:
    """Return all layers where a difference enters, in the net's order, each with a pair of it."""
    found: dict[str, PairTrace] = {}
    for trace in (traced[shown], *traced):
        for name in trace.entered:
            found.setdefault(name, trace)
    return {layer.name: found[layer.name] for layer in net.layers if layer.name in found}


def _looked(observed: Observed, runs: Sequence[NetRun]) -> Iterator[Looked]:
    """Yield for each run how many elements of its outputs were others once it was looked at."""
    for run in runs:
        if not (_is_looked_at(observed, run) and observed.answered(run)):
            continue
        elements = changed = 0
        for name in observed.subject.net.outputs:
            one, other = (observed.get(Key(run, name, alone)) for alone in (True, False))
            elements += one.size
            changed += int(np.count_nonzero(differs(one, other, strict=True)))
        yield Looked(run, elements, changed)


def _write(tracing: _Tracing, trace: PairTrace, folder: Path) -> None:
    """Write the activations of a pair, an .npz a side. Raises ConvdiffError."""
    names = [one.name for one in trace.layers if one.status != "unseen"]
    observed, pair = tracing.observed, trace.pair
    keep(observed, [(pair, name) for name in names], tracing.watching.observe)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for side, run in (("baseline", pair.baseline), ("candidate", pair.candidate)):
            arrays: dict[str, Any] = {name: observed.get(Key(run, name)) for name in names}
            with replacing(folder / f"{side}.npz") as place, place.open("wb") as file:
                np.savez(file, **arrays)
    except OSError as error:
        raise ConvdiffError(f"--keep {folder}: {error.strerror}") from None
