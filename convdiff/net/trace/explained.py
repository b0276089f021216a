"""Why a difference enters at a layer: the layer alone, judged and explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convdiff.case.layout import written
from convdiff.case.net_model import NetCase
from convdiff.diagnose.verdicts import Verdict
from convdiff.lab.nets import NetRun
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.field import cut
from convdiff.net.trace.compared import are_equal, keep, sides_of
from convdiff.net.trace.isolated import Held, isolate
from convdiff.net.trace.judged import Evidence, judge_sides
from convdiff.net.trace.layers import Tracing
from convdiff.net.trace.model import Entry
from convdiff.net.trace.narrowed import is_narrowed
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
        return self._to_blame([self._of(entry, one) for one in chosen], [*before, layer])

    def _to_blame(self, entries: Sequence[Entry], layers: Sequence[Layer]) -> list[Entry]:
        """Return the entries that differ alone, or else the first; a wrong one is to blame."""
        blamed = [one for one in entries if one.alone != "equal"] or list(entries[:1])
        if any(one.verdict == "wrong" for one in blamed):
            return blamed
        return [self._with_the_rest(one, layers) for one in blamed]

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
        return replace(entry, verdict=verdict_off(times), reason=reason)

    def _is_narrowed(self, pair: NetPair, layer: Layer) -> bool:
        """Return whether a side gives what an op gives of numbers of a narrower format."""
        if layer.kind.family != "op":
            return False
        inputs = self._both(pair, layer.sources[0])
        outputs = self.tracing.observed.sides(pair, layer.name)
        return is_narrowed(layer, self._arrays(layer), inputs, outputs)

    def against_own(self, pair: NetPair, name: str) -> Entry | None:
        """Hold a layer that sums no products, and reads a difference, against what each side reads.

        None where both sides are rounding alone, or it was not looked at.
        """
        layer = self.case.net.layer(name)
        if layer.kind.family == "op" or (self._times_off(pair, [layer]) or 0.0) <= 1:
            return None
        inputs = [self._reads(run, layer) for run in pair.runs]
        verdict, judged = judge_sides(self._evidence(pair, layer, inputs))
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
        read = set[str]().union(*(layer.sources for layer in layers)) - inside
        name, observed = layers[-1].name, self.tracing.observed
        if not self._are_kept(pair, [*read, name]):
            return None
        columns, net = self.tracing.alignment.of(pair, name), self.case.net
        arrays = {layer.name: self._arrays(layer) for layer in layers}
        times = 0.0
        for run in pair.runs:
            given = {source: self._input(run, source) for source in read}
            sides = [cut(observed.get(Key(run, name)), columns)]
            off = off_likely(net, layers, arrays, given, sides, columns, self._depths())
            times = max(times, off)
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
        needed = dict.fromkeys(one for one in names if one != INPUT)
        keep(self.tracing.observed, pair, needed)
        return all(self.tracing.observed.is_kept(pair, one) for one in needed)

    def _reads_what_is_seen(self, layer: Layer, pair: NetPair) -> bool:
        """Return whether a layer's inputs are there, and alike where it is held against them."""
        if not self._are_kept(pair, layer.sources):
            return False
        if layer.kind.family == "op":
            return True  # run alone, with one input on both sides
        return all(self._is_same(pair, one) for one in layer.sources)

    def _is_same(self, pair: NetPair, source: str) -> bool:
        """Return whether an activation is the same on both sides, where it sees the same."""
        if source == INPUT:
            return True
        columns = self.tracing.alignment.of(pair, source)
        return are_equal(*(cut(one, columns, pair.images) for one in self._both(pair, source)))

    def _of(self, entry: Entry, layer: Layer) -> Entry:
        """Explain one layer that an entry may be."""
        pair = entry.pair
        keep(self.tracing.observed, pair, [layer.name])
        is_kept = self.tracing.observed.is_kept(pair, layer.name)
        if pair.is_recorded and not is_kept:
            return replace(entry, reason=DIGEST_ALONE)
        if layer.kind.family == "op":
            return self._isolated(entry, layer)
        if not is_kept:
            return replace(entry, reason="it was not looked at")
        inputs = [max(self._both(pair, one), key=_extent) for one in layer.sources]
        verdict, judged = judge_sides(self._evidence(pair, layer, [inputs]))
        return replace(entry, verdict=verdict, judged=judged, at=layer.name)

    def _isolated(self, entry: Entry, layer: Layer) -> Entry:
        """Explain an op that an entry may be by running it alone."""
        isolated = isolate(
            self.case,
            layer,
            self._arrays(layer),
            self._held(entry.pair, layer),
            self.session,
            self.fingerprints,
            self.ask,
            self.watch,
        )
        return replace(
            entry,
            verdict=isolated.verdict,
            alone=isolated.alone,
            result=isolated.result,
            at=layer.name,
            what=_what(layer),
        )

    def _evidence(self, pair: NetPair, layer: Layer, inputs: Sequence[Sequence[Array]]) -> Evidence:
        """Return a layer of which both sides were looked at, and what it reads."""
        alignment = self.tracing.alignment
        sides = sides_of(self.tracing.observed, pair, layer.name, alignment)
        columns, arrays = alignment.of(pair, layer.name), self._arrays(layer)
        return Evidence(self.case.net, layer, arrays, inputs, sides, columns, self._depths())

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
            outputs = self.tracing.observed.sides(pair, layer.name)
        columns = self.tracing.alignment.of(pair, layer.name)
        return Held(pair, self._both(pair, layer.sources[0]), outputs, columns)

    def _both(self, pair: NetPair, source: str) -> tuple[Array, Array]:
        """Return an activation that was looked at, or the input, on both sides, whole."""
        return self._input(pair.baseline, source), self._input(pair.candidate, source)

    def _reads(self, run: NetRun, layer: Layer) -> list[Array]:
        return [self._input(run, source) for source in layer.sources]

    def _input(self, run: NetRun, source: str) -> Array:
        if source != INPUT:
            return self.tracing.observed.get(Key(run, source))
        given = self.tracing.observed.subject.input_nhwc[: run.batch, :, : run.length]
        return np.ascontiguousarray(given)


def verdict_off(times: float) -> Verdict:
    """Return what a side is called that is so many times off what roundings are likely to give."""
    return "wrong" if times > SURELY else "untested"


def _what(layer: Layer) -> str:
    """Say what a layer is: conv2d 1×5 32→32, or its kind."""
    if layer.kind.family != "op":
        return layer.op
    conv = layer.conv
    return f"{layer.op} {written(conv.own(conv.kernel))} {conv.channels_in}→{conv.channels_out}"


def _extent(array: Array) -> tuple[int, int]:
    return array.shape[2], array.shape[0]
