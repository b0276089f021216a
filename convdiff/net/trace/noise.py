"""Runs of a net that differ from themselves: nothing else is concluded from what they give."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from convdiff.lab.nets import NetRun
from convdiff.net.trace.compared import sources_of
from convdiff.net.trace.layers import Tracing, again
from convdiff.net.trace.model import Noise, PairTrace
from convdiff.net.trace.observed import Observed
from convdiff.net.trace.pairs import Kind, NetPair, runs_of
from convdiff.net.trace.status import Differs, Status, statuses

DIFFERS: Mapping[Status, bool | None] = {
    "entered": True,
    "carried": True,
    "healed": False,
    "untouched": False,
    "apart": None,
}
"""Whether a layer's activations differ that has a status; of the other ones that is not known."""


def doubted(tracing: Tracing, traces: Sequence[PairTrace]) -> list[PairTrace]:
    """Run again what differences are to be told of, and return the pairs with what is unstable.

    Once for all pairs along one axis of the same runtimes: the first where a difference enters at a
    layer, and the one whose outputs differ the most.
    """
    again(tracing, runs_of([trace.pair for trace in _examples(traces)]))
    return settled(tracing, traces)


def _examples(traces: Sequence[PairTrace]) -> list[PairTrace]:
    """Return the pairs that stand for others, once for each layer where a difference enters."""
    examples: dict[tuple[Kind, str], PairTrace] = {}
    for trace in sorted(traces, key=lambda one: one.largest):
        if trace.pair.axis == "repeat":
            continue
        for name in trace.entered:
            examples.setdefault((trace.pair.kind, name), trace)
        if trace.entered or trace.differs:
            examples[trace.pair.kind, ""] = trace
    return list(examples.values())


def settled(tracing: Tracing, traces: Sequence[PairTrace]) -> list[PairTrace]:
    """Return the pairs with the layers as unstable that differ from themselves on a side."""
    fresh = [run for run in tracing.observed.looked_apart if run not in tracing.observed.unlike]
    again(tracing, fresh)
    return [_settled(tracing, one) for one in traces]


def _settled(tracing: Tracing, trace: PairTrace) -> PairTrace:
    known = [layer for layer in trace.layers if layer.status in DIFFERS]
    differing: Differs = {layer.name: DIFFERS[layer.status] for layer in known}
    unstable = _unstable(tracing.observed, trace.pair, differing)
    if not unstable:
        return trace
    settled = statuses(sources_of(tracing.net), differing, unstable)
    layers = []
    for layer in trace.layers:
        status = settled[layer.name]
        growth = None if status == "unstable" else layer.growth
        layers.append(replace(layer, status=status, growth=growth))
    return replace(trace, layers=tuple(layers))


def _unstable(observed: Observed, pair: NetPair, differing: Differs) -> set[str]:
    """Return the layers of which a pair says nothing.

    Those that differ from themselves in its runs; and of those that do in another run of the same
    runtimes, the ones that differ here. What a repeat is compared with is itself.
    """
    if pair.axis == "repeat":
        return set()
    own, other = set[str](), set[str]()
    for run, names in _noise(observed):
        if run in pair.runs:
            own |= names
        elif run.runtime in (one.runtime for one in pair.runs):
            other |= names
    apart = {name for name, one in differing.items() if one is None}
    return (own | {name for name in other if differing.get(name)}) - apart


def _noise(observed: Observed) -> Iterator[tuple[NetRun, set[str]]]:
    for run in observed.unlike:
        names = observed.unlike[run] | observed.looked_apart.get(run, set())
        if names:
            yield run, names


def noise_of(tracing: Tracing) -> Iterator[Noise]:
    """Yield the runs that differ from themselves, and where in the net that begins."""
    for run, unlike in _noise(tracing.observed):
        begins = tracing.in_order(_begins(tracing, unlike))
        by_looking = not tracing.observed.unlike[run]
        yield Noise(run, tracing.in_order(unlike), begins, by_looking)


def _begins(tracing: Tracing, unlike: Collection[str]) -> set[str]:
    """Return which layers differ from themselves and read nothing that does."""
    differing: Differs = dict.fromkeys(tracing.watching.names, False) | dict.fromkeys(unlike, True)
    status = statuses(sources_of(tracing.net), differing)
    return {name for name in status if status[name] == "entered"}
