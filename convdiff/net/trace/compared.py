"""Two runs of a net compared: by digests first, then by the bits of the layers that matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain

import numpy as np

from convdiff.compare.difference import Difference, differs, measure
from convdiff.lab.nets import NetRun
from convdiff.net.along import along
from convdiff.net.field import aligned, cut
from convdiff.net.trace.growth import WORST
from convdiff.net.trace.observed import Key, Observed
from convdiff.net.trace.pairs import NetPair, runs_of
from convdiff.net.trace.status import Differs, Sources
from convdiff.net.trace.watched import Part
from convdiff.numerics.array import Array
from convdiff.worker.ops.net import Net


class Alignment:
    """Which columns of each layer see the same inputs at two lengths."""

    def __init__(self, net: Net) -> None:
        self._masks = lru_cache(maxsize=None)(partial(aligned, along(net)))
        self._spans = lru_cache(maxsize=None)(self._spans_of)

    def of(self, pair: NetPair, name: str) -> Array:
        """Return bool (columns,): those of a layer that both sides have, from the first on."""
        mask: Array = self._masks(_lengths(pair))[name]
        return mask

    def parts(self, pair: NetPair, name: str) -> tuple[Part, ...]:
        """Return the parts of an activation whose columns all see the same inputs."""
        return tuple(Part(name, span, pair.images) for span in self._spans(_lengths(pair))[name])

    def prepare(self, pairs: Iterable[NetPair]) -> None:
        """Find out what all parts are of some pairs."""
        for lengths in dict.fromkeys(map(_lengths, pairs)):
            self._spans(lengths)

    def _spans_of(self, lengths: tuple[int, int]) -> dict[str, list[tuple[int, int]]]:
        """Return where columns begin and end that see the same inputs, of each layer."""
        return {name: list(_runs(mask)) for name, mask in self._masks(lengths).items()}

    def cut(self, pair: NetPair, name: str, sides: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return both activations at the columns that see the same, and the images both have."""
        mask = self.of(pair, name)
        return cut(sides[0], mask, pair.images), cut(sides[1], mask, pair.images)


def _lengths(pair: NetPair) -> tuple[int, int]:
    return pair.baseline.length, pair.candidate.length


def _runs(mask: Array) -> Iterator[tuple[int, int]]:
    """Yield the start and the stop of each run of True."""
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    ends = [0, *edges.tolist(), len(mask)]
    first = 0 if len(mask) and mask[0] else 1
    yield from zip(ends[first:-1:2], ends[first + 1 :: 2], strict=True)


@dataclass(frozen=True)
class Watching:
    """What is looked at of a net, and how."""

    names: tuple[str, ...]
    strict: bool


def differences_of_outputs(
    observed: Observed, pair: NetPair, alignment: Alignment, *, strict: bool
) -> dict[str, Difference]:
    """Measure the outputs of two runs where they see the same inputs.

    They are those with nothing looked at, where both were run so.
    """
    measured = {}
    for name in observed.subject.net.outputs:
        if not alignment.parts(pair, name):
            continue
        alone = observed.is_kept(pair, name, alone=True)
        a, b = alignment.cut(pair, name, observed.sides(pair, name, alone=alone))
        measured[name] = measure(a, b, strict, WORST)
    return measured


def compare_layers(
    observed: Observed, pairs: Sequence[NetPair], alignment: Alignment, watching: Watching
) -> Iterator[tuple[NetPair, Differs]]:
    """Yield each pair, as its runs come, and which layers differ, of those that are looked at.

    They are compared by digests.
    """
    parts: dict[NetPair, dict[str, tuple[Part, ...]]] = {}
    pairs_with: dict[NetRun, list[NetPair]] = defaultdict(list)
    wanted: dict[NetRun, dict[Part, None]] = {run: {} for run in runs_of(pairs)}
    for pair in pairs:
        parts[pair] = {name: alignment.parts(pair, name) for name in watching.names}
        for run in pair.runs:
            pairs_with[run].append(pair)
            wanted[run].update(dict.fromkeys(chain.from_iterable(parts[pair].values())))
    made: dict[NetRun, Mapping[Part, bytes]] = {}
    for run, digests in observed.looked(wanted, strict=watching.strict):
        made[run] = digests
        for pair in pairs_with[run]:
            if pair.baseline in made and pair.candidate in made:
                yield pair, _by_digest(parts[pair], made[pair.baseline], made[pair.candidate])


def _by_digest(
    parts: Mapping[str, Sequence[Part]],
    baseline: Mapping[Part, bytes],
    candidate: Mapping[Part, bytes],
) -> dict[str, bool | None]:
    """Return which layers differ, None of those that see nothing alike; but of those not made."""
    differing: dict[str, bool | None] = {}
    for name, several in parts.items():
        if not several:
            differing[name] = None
        elif several[0] in baseline and several[0] in candidate:
            differing[name] = any(baseline[part] != candidate[part] for part in several)
    return differing


def are_equal(one: Array, other: Array) -> bool:
    """Return whether two activations have one shape, and no element differs."""
    return one.shape == other.shape and not differs(one, other, strict=False).any()


def sources_of(net: Net) -> Sources:
    """Return what each layer of a net reads."""
    return {layer.name: layer.sources for layer in net.layers}


def keep(observed: Observed, pair: NetPair, names: Collection[str]) -> None:
    """Have the whole activations of some layers of a pair, those that are not there yet."""
    asked: dict[NetRun, list[str]] = {}
    for run in pair.runs:
        left = [name for name in names if not observed.was_asked_for(Key(run, name))]
        if left:
            asked[run] = left
    if asked:
        observed.keep(asked)


def sides_of(
    observed: Observed, pair: NetPair, name: str, alignment: Alignment
) -> tuple[Array, Array]:
    """Return two kept activations where they see the same inputs. Raises KeyError."""
    return alignment.cut(pair, name, observed.sides(pair, name))
