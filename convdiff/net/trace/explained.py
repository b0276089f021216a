"""Why a difference enters at a layer: the layer alone, judged and explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convdiff.case.layout import written
from convdiff.case.net_model import NetCase
from convdiff.compare.difference import differs
from convdiff.lab.nets import NetRun
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.trace.compared import keep, sides_of
from convdiff.net.trace.isolated import Held, isolate
from convdiff.net.trace.judged import judge_layer, judge_sides
from convdiff.net.trace.layers import Tracing
from convdiff.net.trace.model import Entry
from convdiff.net.trace.narrowed import narrowed_to
from convdiff.net.trace.observed import Key
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.segment import off_likely
from convdiff.numerics.array import Array
from convdiff.pipeline import Ask
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.net import INPUT, Layer
from convdiff.worker.ops.net_shapes import extents

SURELY = 100.0
"""Times what roundings are likely to give: more than any transform of the data adds."""
DIGEST_ALONE = "the recording has its digest and not its bits: record it with --layers"


@dataclass(frozen=True)
class Explaining:
    """What explains the entries of a net."""

    case: NetCase
    tracing: Tracing
    session: Session
    fingerprints: Mapping[Runtime, Mapping[str, Any]]
    ask: Ask
    watch: Watch
    of_carried: bool = False
    """Layers whose inputs differ in the net are looked at, with the same input on both sides."""

    def entries(self, pair: NetPair, name: str, unseen: Sequence[str]) -> list[Entry]:
        """Explain a layer where a pair's difference enters.

        unseen: the layers before it that were not looked at. The difference may enter in several of
        them: those that differ alone are told, each as an entry, or else the first.
        """
        layer = self.case.net.layer(name)
        entry = Entry(
            name, layer.op, pair, "untested", "not run", what=_what(layer), unseen=tuple(unseen)
        )
        before = [self.case.net.layer(one) for one in unseen]
        subjects = [layer, *(one for one in before if one.kind.family == "op")]
        chosen = [one for one in subjects if self._reads_what_is_seen(one, pair)]
        if not chosen:
            return [replace(entry, reason="what it reads was not looked at")]
        found = [self._of(entry, one) for one in chosen]
        return self._told(found, [*before, layer])

    def _told(self, found: Sequence[Entry], layers: Sequence[Layer]) -> list[Entry]:
        """Return the entries that differ alone, or else the first; a wrong one is to blame."""
        told = [one for one in found if one.alone != "equal"] or list(found[:1])
        if any(one.verdict == "wrong" for one in told):
            return told
        return [self._with_the_rest(one, layers) for one in told]

    def apart(self, pair: NetPair, name: str, unseen: Sequence[str]) -> Entry | None:
        """Hold a layer that passes a difference on against what each side itself reads.

        So of a recording, which can't be asked what it gives of another input, and where a side
        does not run the layer alone. unseen: as in `entries`. None where both are within what
        roundings are likely to give, or nothing was looked at.
        """
        layer = self.case.net.layer(name)
        entry = Entry(name, layer.op, pair, "untested", "not run", what=_what(layer), at=name)
        times = self._times_off(pair, [*map(self.case.net.layer, unseen), layer])
        if times is None:
            return replace(entry, reason=DIGEST_ALONE) if pair.is_recorded else None
        if times <= 1:
            return None
        reason = f"of what it reads itself {times:.3g} × what roundings are likely to give"
        if not unseen and self._is_narrowed(pair, layer):
            return replace(entry, verdict="precision", reason=reason)
        return replace(entry, verdict="wrong" if times > SURELY else "untested", reason=reason)

    def _is_narrowed(self, pair: NetPair, layer: Layer) -> bool:
        """Return whether a side gives what an op gives of numbers of a narrower format."""
        arrays, runs = self._arrays(layer), _runs(pair)
        return layer.kind.family == "op" and any(
            narrowed_to(
                layer,
                arrays,
                self._input(run, layer.sources[0]),
                self.tracing.observed.get(Key(run, layer.name)),
            )
            for run in runs
        )

    def against_own(self, pair: NetPair, name: str) -> Entry | None:
        """Hold a layer that sums no products, and reads a difference, against what each side reads.

        None where both sides are rounding alone, or it was not looked at.
        """
        layer = self.case.net.layer(name)
        if layer.kind.family == "op" or (self._times_off(pair, [layer]) or 0.0) <= 1:
            return None
        inputs = [[self._input(run, one) for one in layer.sources] for run in _runs(pair)]
        sides = sides_of(self.tracing.observed, pair, name, self.tracing.alignment)
        columns = self.tracing.alignment.of(pair, name)
        arrays = self._arrays(layer)
        verdict, judged = judge_sides(
            self.case.net, layer, arrays, inputs, sides, columns, self._depths()
        )
        if verdict == "rounding":
            return None
        return Entry(name, layer.op, pair, verdict, "not run", layer.op, name, judged=judged)

    def is_looked_at(self, pair: NetPair, name: str) -> bool:
        """Return whether a layer's activation is there, and what it reads, of both sides."""
        return self._are_kept(pair, [*self.case.net.layer(name).sources, name])

    def _times_off(self, pair: NetPair, layers: Sequence[Layer]) -> float | None:
        """Return how far sides are off of what each reads, in units of what is likely.

        layers: the last one looked at, after those that were not. None where there are no bits.
        """
        inside = {layer.name for layer in layers}
        read = {source for layer in layers for source in layer.sources} - inside
        name, observed = layers[-1].name, self.tracing.observed
        if not self._are_kept(pair, [*read, name]):
            return None
        columns, net = self.tracing.alignment.of(pair, name), self.case.net
        arrays = {layer.name: self._arrays(layer) for layer in layers}
        times = 0.0
        for run in _runs(pair):
            given = {source: self._input(run, source) for source in read}
            sides = [observed.get(Key(run, name))[:, :, : len(columns)][:, :, columns]]
            found = off_likely(net, layers, arrays, given, sides, columns, self._depths())
            times = max(times, found)
        return times

    def _with_the_rest(self, entry: Entry, layers: Sequence[Layer]) -> Entry:
        """Return an entry as wrong where a layer that is rounding alone is not all that is off.

        What is unseen of a recording has no bits, and is not looked at.
        """
        if entry.at == entry.layer or entry.pair.is_recorded or entry.verdict != "rounding":
            return entry
        times = self._times_off(entry.pair, layers)
        if times is None:
            return replace(entry, verdict="untested", reason="it was not looked at")
        if times <= 1:
            return entry
        reason = f"with what is before it {times:.3g} × what roundings are likely to give"
        return replace(entry, verdict="wrong", reason=reason)

    def _are_kept(self, pair: NetPair, names: Sequence[str]) -> bool:
        """Keep activations of both runs, and return whether all are there; the input always is."""
        needed = [one for one in names if one != INPUT]
        keep(self.tracing.observed, [(pair, one) for one in needed])
        return all(self.tracing.observed.is_kept(pair, one) for one in needed)

    def _reads_what_is_seen(self, layer: Layer, pair: NetPair) -> bool:
        """Return whether a layer's inputs are there, and alike where it is held against them."""
        if not self._are_kept(pair, layer.sources):
            return False
        if layer.kind.family == "op":
            return True  # run alone, with one input on both sides
        return all(self._is_alike(pair, one) for one in layer.sources)

    def _is_alike(self, pair: NetPair, source: str) -> bool:
        """Return whether an activation is the same on both sides, where it sees the same."""
        if source == INPUT:
            return True
        columns = np.flatnonzero(self.tracing.alignment.of(pair, source))
        images = min(pair.baseline.batch, pair.candidate.batch)
        one, other = (side[:images][:, :, columns] for side in self._both(pair, source))
        return one.shape == other.shape and not differs(one, other, False).any()

    def _of(self, entry: Entry, layer: Layer) -> Entry:
        """Explain one layer that an entry may be."""
        pair, arrays = entry.pair, self._arrays(layer)
        keep(self.tracing.observed, [(pair, layer.name)])
        if pair.is_recorded and not self.tracing.observed.is_kept(pair, layer.name):
            return replace(entry, reason=DIGEST_ALONE)
        if layer.kind.family == "op":
            held = self._held(pair, layer)
            found = isolate(
                self.case,
                layer,
                arrays,
                held,
                self.session,
                self.fingerprints,
                self.ask,
                self.watch,
            )
            return replace(
                entry,
                verdict=found.verdict,
                alone=found.alone,
                result=found.result,
                at=layer.name,
                what=_what(layer),
            )
        if not self.tracing.observed.is_kept(pair, layer.name):
            return replace(entry, reason="it was not looked at")
        inputs = [max(self._both(pair, one), key=_extent) for one in layer.sources]
        sides = sides_of(self.tracing.observed, pair, layer.name, self.tracing.alignment)
        columns = self.tracing.alignment.of(pair, layer.name)
        verdict, judged = judge_layer(
            self.case.net, layer, arrays, inputs, sides, columns, self._depths()
        )
        return replace(entry, verdict=verdict, judged=judged, at=layer.name)

    def _depths(self) -> Mapping[str, int]:
        """Return how deep all activations are, which no length changes."""
        net = self.case.net
        _, rows, length, channels = self.tracing.observed.subject.input_nhwc.shape
        sizes = extents(net, rows, length, channels, net.depth)
        return {name: size[0] for name, size in sizes.items()}

    def _arrays(self, layer: Layer) -> dict[str, Array]:
        """Return a layer's arrays by their names in `Kind.arrays`."""
        held = self.tracing.observed.subject.arrays
        return {role: held[key] for role, key in layer.arrays.items()}

    def _held(self, pair: NetPair, layer: Layer) -> Held:
        outputs = None
        if self.tracing.observed.is_kept(pair, layer.name) and not self.of_carried:
            one, other = (self.tracing.observed.get(Key(run, layer.name)) for run in _runs(pair))
            outputs = one, other
        columns = self.tracing.alignment.of(pair, layer.name)
        return Held(pair, self._both(pair, layer.sources[0]), outputs, columns)

    def _both(self, pair: NetPair, source: str) -> tuple[Array, Array]:
        """Return an activation that was looked at, or the input, on both sides, whole."""
        return self._input(pair.baseline, source), self._input(pair.candidate, source)

    def _input(self, run: NetRun, source: str) -> Array:
        if source != INPUT:
            return self.tracing.observed.get(Key(run, source))
        given = self.tracing.observed.subject.input_nhwc[: run.batch, :, : run.length]
        return np.ascontiguousarray(given)


def _runs(pair: NetPair) -> tuple[NetRun, NetRun]:
    return pair.baseline, pair.candidate


def _what(layer: Layer) -> str:
    """Say what a layer is: conv2d 1×5 32→32, or its kind."""
    if layer.kind.family != "op":
        return layer.op
    conv = layer.conv
    return f"{layer.op} {written(conv.own(conv.kernel))} {conv.channels_in}→{conv.channels_out}"


def _extent(array: Array) -> tuple[int, int]:
    return array.shape[2], array.shape[0]
