"""Two runs of a net compared: by digests first, then by the bits of the layers that matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from convdiff.compare.difference import Difference, measure
from convdiff.lab.nets import NetRun
from convdiff.net.field import aligned
from convdiff.net.trace.growth import WORST
from convdiff.net.trace.observed import Key, Observed, Part
from convdiff.net.trace.pairs import NetPair, runs_of
from convdiff.net.trace.status import Differs, Sources
from convdiff.numerics.array import Array
from convdiff.worker.ops.net import Net


class Alignment:
    """Which columns of each layer see the same inputs at two lengths."""

    def __init__(self, net: Net) -> None:
        self._masks = lru_cache(maxsize=None)(lambda lengths: aligned(net, lengths))

    def of(self, pair: NetPair, name: str) -> Array:
        """Return bool (columns,): those of a layer that both sides have, from the first on."""
        mask: Array = self._masks((pair.baseline.length, pair.candidate.length))[name]
        return mask

    def parts(self, pair: NetPair, name: str) -> tuple[Part, ...]:
        """Return the parts of an activation whose columns all see the same inputs."""
        edges = np.flatnonzero(np.diff(self.of(pair, name), prepend=False, append=False))
        images = min(pair.baseline.batch, pair.candidate.batch)
        spans = edges.reshape(-1, 2).tolist()
        return tuple(Part(name, (start, stop), images) for start, stop in spans)

    def cut(self, pair: NetPair, name: str, sides: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return both activations at the columns that see the same, and the images both have."""
        mask = self.of(pair, name)
        columns = np.flatnonzero(mask)
        images = min(pair.baseline.batch, pair.candidate.batch)
        one, other = (side[:images, :, : len(mask)] for side in sides)
        if mask.all():
            return np.ascontiguousarray(one), np.ascontiguousarray(other)
        return one[:, :, columns], other[:, :, columns]


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
    runs = pair.baseline, pair.candidate
    measured = {}
    for name in observed.subject.net.outputs:
        if not alignment.parts(pair, name):
            continue
        alone = all(observed.has(Key(run, name, alone=True)) for run in runs)
        sides = [observed.get(Key(run, name, alone)) for run in runs]
        a, b = alignment.cut(pair, name, (sides[0], sides[1]))
        measured[name] = measure(a, b, strict, WORST)
    return measured


def compare_layers(
    observed: Observed, pairs: Sequence[NetPair], alignment: Alignment, watching: Watching
) -> dict[NetPair, Differs]:
    """Return for each pair which layers differ, by digests, of those that are looked at."""
    parts = {pair: {name: alignment.parts(pair, name) for name in watching.names} for pair in pairs}
    wanted: dict[NetRun, list[Part]] = {run: [] for run in runs_of(pairs)}
    for pair in pairs:
        asked = [part for several in parts[pair].values() for part in several]
        wanted[pair.baseline] += asked
        wanted[pair.candidate] += asked
    once = {run: list(dict.fromkeys(asked)) for run, asked in wanted.items()}
    made = observed.digests(once, strict=watching.strict)
    return {
        pair: _by_digest(pair, parts[pair], made)
        for pair in pairs
        if observed.answered(pair.baseline) and observed.answered(pair.candidate)
    }


def _by_digest(
    pair: NetPair,
    parts: Mapping[str, Sequence[Part]],
    made: Mapping[tuple[NetRun, Part], bytes],
) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for name, several in parts.items():
        if not several:
            found[name] = None
        elif all((run, several[0]) in made for run in (pair.baseline, pair.candidate)):
            found[name] = any(
                made[pair.baseline, part] != made[pair.candidate, part] for part in several
            )
    return found


def sources_of(net: Net) -> Sources:
    """Return what each layer of a net reads."""
    return {layer.name: layer.sources for layer in net.layers}


def keep(observed: Observed, wanted: Iterable[tuple[NetPair, str]]) -> None:
    """Have the whole activations of some layers of some pairs, those that are not there yet."""
    asked: dict[NetRun, list[str]] = {}
    for pair, name in wanted:
        for run in (pair.baseline, pair.candidate):
            if not observed.was_asked_for(Key(run, name)):
                asked.setdefault(run, []).append(name)
    if asked:
        observed.keep({run: list(dict.fromkeys(names)) for run, names in asked.items()})


def sides_of(
    observed: Observed, pair: NetPair, name: str, alignment: Alignment
) -> tuple[Array, Array]:
    """Return two kept activations where they see the same inputs. Raises KeyError."""
    sides = observed.get(Key(pair.baseline, name)), observed.get(Key(pair.candidate, name))
    return alignment.cut(pair, name, sides)
