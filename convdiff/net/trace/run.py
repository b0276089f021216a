"""The whole trace of a net: run, compare, find where differences enter, explain those layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from time import perf_counter

from convdiff.case.net_model import NetCase
from convdiff.compare.comparison import constant_of
from convdiff.errors import ConvdiffError, meant
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.subject import subject_of
from convdiff.net.trace.allowed import drifting
from convdiff.net.trace.carried import passed_on
from convdiff.net.trace.compared import Alignment, Watching
from convdiff.net.trace.explained import Explaining
from convdiff.net.trace.grown import grown
from convdiff.net.trace.kept import write_activations
from convdiff.net.trace.layers import Tracing, looked_at, traced_pairs, unseen_before, worst_of
from convdiff.net.trace.model import Entry, PairTrace, TraceResult
from convdiff.net.trace.noise import doubted, noise_of, settled
from convdiff.net.trace.observed import Key, Observed
from convdiff.net.trace.pairs import Kind, pairs_of, runs_of, runs_of_all
from convdiff.net.trace.recorded import recorded_pairs, recording_of
from convdiff.net.trace.recording import NetRecording
from convdiff.pipeline import Ask
from convdiff.worker.ops.net import Net

MOST_ENTRIES = 8
"""Layers where a difference enters that are explained; further ones are named."""


@dataclass(frozen=True)
class TraceAsk:
    """What is asked of a trace."""

    layers: str = ""
    """A regular expression: the layers that are looked at; "" is all."""
    until: str = ""
    """The last layer that is looked at; "" is the last of all."""
    keep: Path | None = None
    """The folder where the activations of the pair that is shown go."""
    against: NetRecording | None = None
    """A recording whose runs are held against those of now."""
    save: bool = False
    """Keep what the runs give for a recording."""
    examine: Ask = field(default_factory=Ask)
    """What is asked of the layers where a difference enters."""


def trace(case: NetCase, session: Session, ask: TraceAsk, tell: Tell) -> TraceResult:
    """Trace a net on a session's runtimes. Raises ConvdiffError for layers that are not there."""
    start = perf_counter()
    watching = Watching(watched_names(case.net, ask), ask.examine.strict)
    standings = tuple(session.availability(case))
    there = [one.runtime for one in standings if one.available]
    with closing(Observed(subject_of(case), session, tell)) as observed:
        tracing = Tracing(case.net, observed, Alignment(case.net), watching)
        pairs = pairs_of(case, there, pairwise=ask.examine.pairwise)
        pairs += recorded_pairs(ask.against, observed, case, there)
        standings += () if ask.against is None else ask.against.standings
        prints = {one.runtime: one.fingerprint for one in standings}
        watch = Watch(tell, session.stopping)
        explaining = Explaining(case, tracing, session, prints, ask.examine, watch)
        traces, shown = _doubted(tracing, traced_pairs(tracing, pairs), explaining)
        entries, left = _entries(explaining, traces, shown)
        traces, entries = _still_there(tracing, traces, entries)
        _keep(tracing, traces, shown, None if session.signal else ask.keep)
        looked = tuple(looked_at(observed, runs_of(pairs)))
        noise = tuple(noise_of(tracing))
        constant = "" if session.signal else _constant(observed, traces)
        kept = recording_of(tracing, runs_of_all(case, there), prints) if ask.save else None
    result = TraceResult(
        case=case,
        standings=standings,
        pairs=tuple(traces),
        shown=shown,
        entries=entries,
        looked=looked,
        noise=noise,
        constant=constant,
        unexplained=left,
        missing=tuple(one for one in standings if session.missed(one)),
        recording=kept,
        looks_less=observed.observe == "safe",
        signal=session.signal,
        died=any(one.died for one in observed.failures.values()),
        seconds=perf_counter() - start,
    )
    return replace(result, drifting=tuple(drifting(result)))


def _doubted(
    tracing: Tracing, traces: list[PairTrace], explaining: Explaining
) -> tuple[list[PairTrace], int]:
    """Return the pairs, the one that is shown with its growth, and its number.

    What is told of was run again before, and its bits are those of its digests.
    """
    expect = explaining.case.expect
    if not explaining.session.signal:
        traces = doubted(tracing, traces)
    shown = worst_of(traces, expect)
    if traces and not explaining.session.signal:
        traces[shown] = grown(tracing, traces[shown])
        if tracing.observed.looked_apart:
            traces = settled(tracing, traces)
            shown = worst_of(traces, expect)
            traces[shown] = grown(tracing, traces[shown])
    return traces, shown


def _still_there(
    tracing: Tracing, traces: list[PairTrace], entries: tuple[Entry, ...]
) -> tuple[list[PairTrace], tuple[Entry, ...]]:
    """Return what holds where the bits that were asked for are not those of the digests."""
    if not tracing.observed.looked_apart:
        return traces, entries
    traces = settled(tracing, traces)
    entered = {trace.pair: trace.entered for trace in traces}
    return traces, tuple(one for one in entries if one.carries or one.layer in entered[one.pair])


def _keep(tracing: Tracing, traces: Sequence[PairTrace], shown: int, folder: Path | None) -> None:
    """Write the activations of the pair that is shown, where a folder is named for them."""
    if traces and folder is not None:
        write_activations(tracing, traces[shown], folder)


def _constant(observed: Observed, traces: Sequence[PairTrace]) -> str:
    """Return what all outputs of the first run are, where that says nothing; "" elsewhere."""
    runs = [one.pair.baseline for one in traces if one.outputs]
    if not runs:
        return ""
    kinds = set()
    for name, alone in product(observed.subject.net.outputs, (True, False)):
        key = Key(runs[0], name, alone)
        if observed.has(key):
            kinds.add(constant_of(observed.get(key), "") or "")
    return kinds.pop() if len(kinds) == 1 else ""


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


def _entries(
    explaining: Explaining, traces: Sequence[PairTrace], shown: int
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Explain the layers where a difference enters, and name those that are too many."""
    if not traces or explaining.session.signal:
        return (), ()
    sites = _sites(explaining.case.net, traces, shown)
    entries: list[Entry] = []
    for name, trace in sites[:MOST_ENTRIES]:
        unseen = unseen_before(explaining.tracing, trace, name)
        entries += explaining.entries(trace.pair, name, unseen)
    entries += passed_on(explaining, traces, entries)
    return tuple(entries), tuple(dict.fromkeys(name for name, _ in sites[MOST_ENTRIES:]))


def _sites(net: Net, traces: Sequence[PairTrace], shown: int) -> list[tuple[str, PairTrace]]:
    """Return where differences enter, in the net's order: a layer and a pair, once a kind of pair.

    The pair that is shown stands for its kind, and comes first.
    """
    at: dict[tuple[str, Kind], PairTrace] = {}
    for trace in (traces[shown], *traces):
        for name in trace.entered:
            at.setdefault((name, trace.pair.kind), trace)
    names = [layer.name for layer in net.layers]
    shows = traces[shown].pair.kind
    order = sorted(at, key=lambda site: (site[1] != shows, names.index(site[0])))
    return [(site[0], at[site]) for site in order]
