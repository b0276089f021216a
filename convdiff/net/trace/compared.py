"""Two runs of a net compared: by digests first, then by the bits of the layers that matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from convdiff.compare.difference import Difference, differs, measure
from convdiff.lab.nets import NetRun, Observe
from convdiff.net.field import aligned
from convdiff.net.trace.growth import WORST
from convdiff.net.trace.observed import Key, Observed, Part
from convdiff.net.trace.pairs import NetPair, runs_of
from convdiff.net.trace.status import Differs, Sources, statuses
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

    def part(self, pair: NetPair, name: str) -> Part | None:
        """Return the part of an activation that holds all such columns, or None without any."""
        columns = np.flatnonzero(self.of(pair, name))
        if not len(columns):
            return None
        images = min(pair.baseline.batch, pair.candidate.batch)
        return Part(name, (int(columns[0]), int(columns[-1]) + 1), images)

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
    observe: Observe
    strict: bool


def differences_of_outputs(
    observed: Observed, pair: NetPair, alignment: Alignment, *, strict: bool
) -> dict[str, Difference]:
    """Measure the outputs of two runs with nothing looked at, where they see the same inputs."""
    measured = {}
    for name in observed.subject.net.outputs:
        if alignment.part(pair, name) is None:
            continue
        sides = tuple(observed.get(Key(run, name, True)) for run in (pair.baseline, pair.candidate))
        a, b = alignment.cut(pair, name, (sides[0], sides[1]))
        measured[name] = measure(a, b, strict, WORST)
    return measured


def compare_layers(
    observed: Observed, pairs: Sequence[NetPair], alignment: Alignment, watching: Watching
) -> dict[NetPair, Differs]:
    """Return for each pair which layers differ, of those that are looked at.

    Digests of all, then the bits of those where a difference enters, until these do differ: a
    digest tells −0 from +0, and columns that see other inputs lie between others in few nets.
    """
    parts = {pair: {name: alignment.part(pair, name) for name in watching.names} for pair in pairs}
    wanted: dict[NetRun, list[Part]] = {run: [] for run in runs_of(pairs)}
    for pair in pairs:
        asked = [part for part in parts[pair].values() if part is not None]
        wanted[pair.baseline] += asked
        wanted[pair.candidate] += asked
    made = observed.digests(
        {run: list(dict.fromkeys(asked)) for run, asked in wanted.items()}, watching.observe
    )
    found: dict[NetPair, Differs] = {}
    for pair in pairs:
        if pair.baseline in observed.failures or pair.candidate in observed.failures:
            continue
        found[pair] = _by_digest(pair, parts[pair], made)
    return _confirmed(observed, found, alignment, watching)


def _by_digest(
    pair: NetPair, parts: Mapping[str, Part | None], made: Mapping[tuple[NetRun, Part], bytes]
) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for name, part in parts.items():
        if part is None:
            found[name] = None
        elif (pair.baseline, part) in made and (pair.candidate, part) in made:
            found[name] = made[pair.baseline, part] != made[pair.candidate, part]
    return found


def _confirmed(
    observed: Observed,
    found: Mapping[NetPair, Differs],
    alignment: Alignment,
    watching: Watching,
) -> dict[NetPair, Differs]:
    """Return which layers differ once the bits of all entries were looked at."""
    confirmed, sources = dict(found), sources_of(observed.subject.net)
    known: set[tuple[NetPair, str]] = set()
    while True:
        new = [
            (pair, name)
            for pair, differing in confirmed.items()
            for name in entered_of(sources, differing)
        ]
        new = [one for one in new if one not in known]
        if not new:
            return confirmed
        known.update(new)
        keep(observed, new, watching.observe)
        for pair, name in new:
            a, b = sides_of(observed, pair, name, alignment)
            if not differs(a, b, watching.strict).any():
                confirmed[pair] = {**confirmed[pair], name: False}


def sources_of(net: Net) -> Sources:
    """Return what each layer of a net reads."""
    return {layer.name: layer.sources for layer in net.layers}


def entered_of(sources: Sources, differing: Differs) -> list[str]:
    """Return the layers where a difference enters."""
    return [name for name, one in statuses(sources, differing).items() if one == "entered"]


def keep(observed: Observed, wanted: Iterable[tuple[NetPair, str]], observe: Observe) -> None:
    """Have the whole activations of some layers of some pairs, those that are not there yet."""
    asked: dict[NetRun, list[str]] = {}
    for pair, name in wanted:
        for run in (pair.baseline, pair.candidate):
            if not observed.has(Key(run, name)):
                asked.setdefault(run, []).append(name)
    if asked:
        observed.keep({run: list(dict.fromkeys(names)) for run, names in asked.items()}, observe)


def sides_of(
    observed: Observed, pair: NetPair, name: str, alignment: Alignment
) -> tuple[Array, Array]:
    """Return two kept activations where they see the same inputs. Raises KeyError."""
    sides = observed.get(Key(pair.baseline, name)), observed.get(Key(pair.candidate, name))
    return alignment.cut(pair, name, sides)
