"""How a difference grows from layer to layer, of the pair that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from convdiff.net.trace.compared import keep, sides_of, sources_of
from convdiff.net.trace.growth import JUMPS, Growth, growth
from convdiff.net.trace.layers import Tracing, unseen_before
from convdiff.net.trace.model import PairTrace
from convdiff.net.trace.observed import Key
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.status import Differs, seen_sources
from convdiff.numerics.array import Array
from convdiff.worker.ops.net import INPUT, Layer


def grown(tracing: Tracing, trace: PairTrace) -> PairTrace:
    """Return a pair's layers with the sizes of their differences."""
    observed, pair, net = tracing.observed, trace.pair, tracing.net
    differing = [one.name for one in trace.layers if one.status in ("entered", "carried")]
    read = {one for name in differing for one in _read_by_jumps(net.layer(name))}
    keep(observed, [(pair, name) for name in {*differing, *read}])
    if pair.baseline in observed.failures or pair.candidate in observed.failures:
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
    reads = jump is not None and jump.reads and layer.sources[0] != INPUT
    return layer.sources[:1] if reads else ()


def _growth(tracing: Tracing, pair: NetPair, layer: Layer, before: Mapping[str, Growth]) -> Growth:
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
    if jump is not None and _is_read(tracing, pair, layer):
        inputs = _read(tracing, pair, layer) if jump.reads else (a, b)
        count = jump.count(layer, inputs, (a, b))
    return replace(grown, amplification=grown.relative / largest if largest else None, jumps=count)


def _is_read(tracing: Tracing, pair: NetPair, layer: Layer) -> bool:
    """Return whether what a jump needs was looked at."""
    runs = pair.baseline, pair.candidate
    keys = [Key(run, name) for name in _read_by_jumps(layer) for run in runs]
    return all(map(tracing.observed.has, keys))


def _read(tracing: Tracing, pair: NetPair, layer: Layer) -> tuple[Array, Array]:
    """Return what a layer reads first on both sides, whole."""
    if layer.sources[0] == INPUT:
        given = tracing.observed.subject.input_nhwc
        return given, given
    one, other = (Key(run, layer.sources[0]) for run in (pair.baseline, pair.candidate))
    return tracing.observed.get(one), tracing.observed.get(other)
