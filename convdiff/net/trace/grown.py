"""How a difference grows from layer to layer, of the pair that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from convdiff.net.trace.compared import keep, sides_of, sources_of
from convdiff.net.trace.growth import JUMPS, Growth, growth
from convdiff.net.trace.layers import Tracing, unseen_before
from convdiff.net.trace.model import PairTrace
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.status import Differs, seen_sources
from convdiff.numerics.array import Array
from convdiff.worker.ops.net import INPUT, Layer


def grown(tracing: Tracing, trace: PairTrace) -> PairTrace:
    """Return a pair's layers with the sizes of their differences."""
    observed, pair, net = tracing.observed, trace.pair, tracing.net
    differing = trace.named("entered", "carried")
    needed = set(differing)
    for name in differing:
        needed.update(_read_by_jumps(net.layer(name)))
    keep(observed, pair, needed)
    if not observed.failures.keys().isdisjoint(pair.runs):
        return trace
    sizes: dict[str, Growth] = {}
    layers = []
    for one in trace.layers:
        if one.name not in differing or not _is_kept(tracing, pair, one.name):
            layers.append(one)
            continue
        size = _growth(tracing, pair, net.layer(one.name), sizes)
        sizes[one.name] = size
        unseen = unseen_before(tracing, trace, one.name) if one.status == "entered" else ()
        layers.append(replace(one, growth=size, unseen=unseen))
    return replace(trace, layers=tuple(layers))


def _is_kept(tracing: Tracing, pair: NetPair, name: str) -> bool:
    """Return whether what is measured of a layer is there: of a recording it may not be."""
    names = (name, *_read_by_jumps(tracing.net.layer(name)))
    return all(tracing.observed.is_kept(pair, one) for one in names)


def _read_by_jumps(layer: Layer) -> tuple[str, ...]:
    jump = JUMPS.get(layer.op)
    if jump is None or not jump.reads or layer.sources[0] == INPUT:
        return ()
    return layer.sources[:1]


def _growth(tracing: Tracing, pair: NetPair, layer: Layer, before: Mapping[str, Growth]) -> Growth:
    """Measure one layer; before: what was measured of those that it may read."""
    observed, alignment = tracing.observed, tracing.alignment
    a, b = sides_of(observed, pair, layer.name, alignment)
    grown = growth(a, b, strict=tracing.watching.strict)
    differing: Differs = dict.fromkeys(before, True)
    read = seen_sources(sources_of(tracing.net), differing, layer.name)
    largest = max((before[one].relative for one in read), default=0.0)
    if largest:
        grown = replace(grown, amplification=grown.relative / largest)
    jump = JUMPS.get(layer.op)
    if jump is None or not all(observed.is_kept(pair, one) for one in _read_by_jumps(layer)):
        return grown
    inputs = _read(tracing, pair, layer) if jump.reads else (a, b)
    return replace(grown, jumps=jump.count(layer, inputs, (a, b)))


def _read(tracing: Tracing, pair: NetPair, layer: Layer) -> tuple[Array, Array]:
    """Return what a layer reads first on both sides, whole."""
    if layer.sources[0] == INPUT:
        given = tracing.observed.subject.input_nhwc
        return given, given
    return tracing.observed.sides(pair, layer.sources[0])
