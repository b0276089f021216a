"""Layers that pass a difference on: what is more than rounding there hides behind an entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from convdiff.diagnose.verdicts import VERDICTS
from convdiff.net.trace.compared import keep
from convdiff.net.trace.explained import DIGEST_ALONE, Explaining
from convdiff.net.trace.layers import unseen_before
from convdiff.net.trace.model import Entry, PairTrace, Traced
from convdiff.net.trace.pairs import Kind, NetPair
from convdiff.worker.ops.net import KINDS


def passed_on(
    explaining: Explaining, traces: Sequence[PairTrace], entries: Sequence[Entry]
) -> Iterator[Entry]:
    """Yield the layers that pass a difference on and are more than rounding themselves.

    Once a kind of pair: each sum of products is run alone, on both sides with the same input; each
    layer is held against what each side itself reads. So are those that were not looked at,
    before a layer that was, and behind all that were, before an output that differs. entries: where
    differences enter.
    """
    ask = replace(explaining.ask, budget=0, explain_up_to=None)
    glance = replace(explaining, ask=ask, of_carried=True)
    for trace in _largest_of_kinds(traces):
        entered = [one for one in entries if one.pair.kind == trace.pair.kind]
        for entry in _once(list(_of_pair(glance, trace)), entered):
            yield replace(entry, carries=True)


def _once(carrying: Sequence[Entry], entered: Sequence[Entry]) -> list[Entry]:
    """Return entries without the layers of which nothing is recorded, where others are untested.

    Then nothing is known anyway. Sums of products are named all the same.
    """
    known, unknown = list[Entry](), list[Entry]()
    for one in carrying:
        if one.reason == DIGEST_ALONE and KINDS[one.op].family != "op":
            unknown.append(one)
        else:
            known.append(one)
    if any(one.verdict == "untested" for one in (*known, *entered)):
        return known
    return known + unknown[:1]


def _of_pair(glance: Explaining, trace: PairTrace) -> Iterator[Entry]:
    """Yield those of one pair, whose activations are fetched all at once."""
    sites = {}
    for layer in trace.layers:
        if layer.status == "entered" or _passes(trace, layer):
            sites[layer.name] = unseen_before(glance.tracing, trace, layer.name)
    keep(glance.tracing.observed, trace.pair, _judged_by(glance, sites))
    for name, unseen in sites.items():
        if name in trace.entered:  # it is told of itself
            yield from _others(glance, trace.pair, unseen)
        else:
            yield from _at(glance, trace.pair, name, unseen)


def _passes(trace: PairTrace, layer: Traced) -> bool:
    """Return whether a layer reads a difference, or may: behind all that is looked at."""
    output = trace.outputs.get(layer.name)
    is_behind = layer.status == "unseen" and output is not None and output.differing > 0
    return layer.status in ("carried", "healed") or is_behind


def _judged_by(glance: Explaining, sites: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the layers whose activations are needed, each once, in the net's order."""
    needed = set(sites).union(*sites.values())
    for name in tuple(needed):
        needed.update(glance.case.net.layer(name).sources)
    return glance.tracing.in_order(needed)


def _at(glance: Explaining, pair: NetPair, name: str, unseen: Sequence[str]) -> Iterator[Entry]:
    """Yield what a layer and those before it that were not looked at are themselves."""
    net = glance.case.net
    layers = [net.layer(one) for one in (*unseen, name)]
    others = [layer.name for layer in layers if layer.kind.family != "op"]
    yield from _others(glance, pair, others)
    hides = not all(glance.is_looked_at(pair, one) for one in others)
    if len(others) < len(layers):
        yield from _sums(glance, pair, name, unseen, hides=hides)
    elif hides:
        yield from _apart(glance, pair, name, unseen)


def _others(glance: Explaining, pair: NetPair, names: Sequence[str]) -> Iterator[Entry]:
    """Yield the layers of these that sum no products, and are more than rounding."""
    for name in names:
        entry = glance.against_own(pair, name)
        if entry is not None:
            yield entry


def _sums(
    glance: Explaining, pair: NetPair, name: str, unseen: Sequence[str], *, hides: bool
) -> Iterator[Entry]:
    """Yield the sums of products of these that are more than rounding.

    Also what is not known: of a recording, and of a layer that does not run alone. hides: whether
    there are layers between them that can't be looked at; those are judged with what is around.
    """
    entries = [] if pair.is_recorded else glance.entries(pair, name, unseen)
    is_known = bool(entries) and not any(entry.verdict == "untested" for entry in entries)
    if not is_known or (hides and all(entry.at == name for entry in entries)):
        yield from _apart(glance, pair, name, unseen)
    if is_known:
        more = list(filter(_is_more_than_rounding, entries))
        yield from more or _in_the_net(glance, pair, [*unseen, name])


def _is_more_than_rounding(entry: Entry) -> bool:
    return VERDICTS[entry.verdict].differs and entry.verdict != "rounding"


def _in_the_net(glance: Explaining, pair: NetPair, names: Sequence[str]) -> Iterator[Entry]:
    """Yield the sums of products of these that are right alone, and not where they are."""
    for name in names:
        if glance.case.net.layer(name).kind.family == "op" and glance.is_looked_at(pair, name):
            yield from _apart(glance, pair, name, ())


def _apart(glance: Explaining, pair: NetPair, name: str, unseen: Sequence[str]) -> Iterator[Entry]:
    entry = glance.apart(pair, name, unseen)
    if entry is not None:
        yield entry


def _largest_of_kinds(traces: Sequence[PairTrace]) -> list[PairTrace]:
    """Return the pair of each kind whose outputs differ the most, of those that differ at all."""
    largest: dict[Kind, PairTrace] = {}
    for trace in sorted(traces, key=lambda one: one.largest):
        if any(layer.status != "untouched" for layer in trace.layers):
            largest[trace.pair.kind] = trace
    return list(largest.values())
