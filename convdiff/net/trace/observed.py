"""Who answers for a net's runs: workers, and what they gave, in a file and as digests."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from convdiff.compare.difference import differs
from convdiff.lab.lab import Tell
from convdiff.lab.nets import Activations, NetRun, Observe, Subject, Watched, observe_net
from convdiff.lab.session import Session
from convdiff.lab.store import Store
from convdiff.net.shares import shares
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.watched import Part, array_of, digest_of, keys_of, watched_of, whole
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits
from convdiff.worker.ops.net_shapes import shapes

SHARE = 64 * 2**20
"""Bytes of activations that are here at a time."""


@dataclass(frozen=True)
class Key:
    """What a whole activation is kept by."""

    run: NetRun
    name: str
    alone: bool = False
    """Whether nothing but the net's outputs was looked at."""


class Observed:
    """Runs a net as often as is asked for; its activations are kept in a file, never all held.

    What did not come is a reason for its run, in `failures`, and nothing more is asked of that run.
    `observe` is what frameworks are asked for: see `convdiff.lab.nets.Observe`. Runs of a recording
    are held beside the others, and never run.
    """

    def __init__(self, subject: Subject, session: Session, tell: Tell) -> None:
        self.subject, self.failures = subject, dict[NetRun, NoBits]()
        self.observe: Observe = "all"
        self.seconds = dict[NetRun, float]()
        self.unlike = dict[NetRun, set[str]]()
        """Layers that a run gives with other bits when it is run again."""
        self.looked_apart = dict[NetRun, set[str]]()
        """Layers whose bits are not those of their digests, which are the same when run again."""
        self._asked = dict[NetRun, dict[Part, Watched]]()
        self._made = dict[NetRun, dict[Part, bytes]]()
        self._session, self._tell = session, tell
        self._store: Store[Key] = Store()
        self._held = dict[NetRun, Mapping[str, bytes]]()
        self._same = dict[Key, Key]()
        self._asked_for = set[Key]()
        """Activations that were asked for, whether they came or are not fetched."""

    def close(self) -> None:
        """Give back what it keeps."""
        self._store.close()

    def look_less(self) -> None:
        """Look no more at what a framework may fuse otherwise; what was looked at is forgotten."""
        self.observe = "safe"
        self._same.clear()
        self._store.drop(lambda key: not (key.alone or key.run in self._held))
        for known in (self.unlike, self.looked_apart, self._asked, self._made, self._asked_for):
            known.clear()

    def hold(
        self,
        run: NetRun,
        layers: Mapping[str, bytes],
        bits: Mapping[str, Array],
        unobserved: Mapping[str, Array],
    ) -> None:
        """Keep what a recorded run gave: digests and bits by layer, and the outputs alone."""
        self._held[run] = layers
        for alone, arrays in ((False, bits), (True, unobserved)):
            for name, array in arrays.items():
                self._store.put(Key(run, name, alone), array)

    def share(self, recorded: NetRun, run: NetRun, names: Sequence[str]) -> None:
        """Take for a recorded run's activations those of another one, which have their digests."""
        self._same.update((Key(recorded, name), Key(run, name)) for name in names)

    def get(self, key: Key) -> Array:
        """Return an activation that was kept, (batch, rows, length, channels). Raises KeyError."""
        activation = self._store.get(self._same.get(key, key))
        if isinstance(activation, NoBits):
            raise KeyError(key)
        return activation

    def sides(self, pair: NetPair, name: str, *, alone: bool = False) -> tuple[Array, Array]:
        """Return what was kept of both runs of a pair. Raises KeyError."""
        one, other = (self.get(Key(run, name, alone)) for run in pair.runs)
        return one, other

    def has(self, key: Key) -> bool:
        """Return whether an activation was kept."""
        return not isinstance(self._store.get(self._same.get(key, key)), NoBits)

    def was_asked_for(self, key: Key) -> bool:
        """Return whether a whole activation is there, or did not come when it was asked for."""
        return key in self._asked_for or self.has(key)

    def is_kept(self, pair: NetPair, name: str, *, alone: bool = False) -> bool:
        """Return whether an activation of both runs of a pair was kept."""
        return all(self.has(Key(run, name, alone)) for run in pair.runs)

    def answered(self, run: NetRun) -> bool:
        """Return whether a run gave its outputs."""
        return all(self.has(Key(run, name)) for name in self.subject.net.outputs)

    def run_alone(self, runs: Sequence[NetRun]) -> None:
        """Run each with nothing looked at but the outputs, and keep those."""
        for run, outputs in self._outputs(runs, "unobserved"):
            for name, bits in outputs.items():
                self._store.put(Key(run, name, alone=True), bits)

    def run_alone_once(self, runs: Iterable[NetRun]) -> None:
        """Run those so that were not yet."""
        self.run_alone([run for run in runs if not self.was_alone(run)])

    def was_alone(self, run: NetRun) -> bool:
        """Return whether a run's outputs are known with nothing looked at."""
        return self.has(Key(run, self.subject.net.outputs[0], alone=True))

    def _outputs(
        self, runs: Sequence[NetRun], what: str
    ) -> Iterator[tuple[NetRun, dict[str, Array]]]:
        """Yield what runs give with nothing looked at but the outputs."""
        names = self.subject.net.outputs
        watched = whole(names)
        for run, given in self._runs(runs, lambda _: watched, "outputs", what):
            yield run, {name: array_of(given[name]) for name in names}

    def keep(self, wanted: Mapping[NetRun, Iterable[str]]) -> None:
        """Run each and keep whole activations, as far as they are seen, some MB at a time."""
        left = {}
        for run, names in wanted.items():
            self._asked_for.update(Key(run, name) for name in names)
            if run not in self._held:
                left[run] = self._shares(run, names)
        while left:
            watched = {run: whole(several[0]) for run, several in left.items()}
            for run, given in self._runs(list(left), watched.__getitem__, self.observe, "bits"):
                for name, value in given.items():
                    self._store.put(Key(run, name), array_of(value))
                    self._hold_against_digests(run, name, array_of(value))
            left = {run: several[1:] for run, several in left.items() if len(several) > 1}

    def _hold_against_digests(self, run: NetRun, name: str, bits: Array) -> None:
        """Note an activation that has not the bits whose digests were made."""
        for part, one in self._asked.get(run, {}).items():
            made = self._made.get(run, {}).get(part)
            if part.name == name and made is not None and made != digest_of(bits, one):
                self.looked_apart.setdefault(run, set()).add(name)

    def _shares(self, run: NetRun, names: Iterable[str]) -> list[list[str]]:
        """Return names in shares whose activations together take so much memory at most."""
        _, rows, _, channels = self.subject.input_nhwc.shape
        net = self.subject.net
        extents = shapes(net, rows, run.length, channels, net.depth)
        item = run.batch * self.subject.input_nhwc.dtype.itemsize
        sizes = ((name, math.prod(extents[name]) * item) for name in names)
        return list(shares(sizes, SHARE)) or [[]]

    def looked(
        self, wanted: Mapping[NetRun, Collection[Part]], *, strict: bool
    ) -> Iterator[tuple[NetRun, Mapping[Part, bytes]]]:
        """Run each, keep its outputs, and yield the digests of the parts that are seen.

        Those of recorded runs are those of whole activations, and come first.
        """
        self._asked |= {run: watched_of(parts, strict) for run, parts in wanted.items()}
        for run, parts in wanted.items():
            if run in self._held:
                held = self._held[run]
                known = {part: held[part.name] for part in parts if part.name in held}
                yield run, self._noted(run, known)
        for run, outputs, made in self._layers(list(wanted), "layers"):
            for name, bits in outputs.items():
                self._store.put(Key(run, name), bits)
            yield run, self._noted(run, made)

    def _noted(self, run: NetRun, made: Mapping[Part, bytes]) -> Mapping[Part, bytes]:
        """Return all digests of a run that were made so far."""
        known = self._made.setdefault(run, {})
        known.update(made)
        return known

    def rerun(self, runs: Sequence[NetRun], times: int, *, strict: bool) -> None:
        """Run each as it was, so often, and note the layers and outputs that have other bits."""
        for run, outputs, made in self._layers([*runs] * times, "once more"):
            others = {part.name for part, one in made.items() if self._made[run][part] != one}
            self._note_unlike(run, outputs, alone=False, strict=strict)
            self.unlike[run] |= others
        alone = [run for run in runs if self.was_alone(run)]
        for run, outputs in self._outputs(alone * times, "once more"):
            self._note_unlike(run, outputs, alone=True, strict=strict)

    def _note_unlike(
        self, run: NetRun, outputs: Mapping[str, Array], *, alone: bool, strict: bool
    ) -> None:
        """Note the outputs that are not those that were kept."""
        unlike = self.unlike.setdefault(run, set())
        for name, one in outputs.items():
            if differs(one, self.get(Key(run, name, alone)), strict).any():
                unlike.add(name)

    def _layers(
        self, runs: Sequence[NetRun], what: str
    ) -> Iterator[tuple[NetRun, dict[str, Array], dict[Part, bytes]]]:
        """Yield the outputs of runs, and the digests of the parts that were asked for and seen."""
        outputs = whole(self.subject.net.outputs)
        rows = {run: [*outputs, *self._asked[run].values()] for run in runs}
        for run, given in self._runs(runs, rows.__getitem__, self.observe, what):
            keys, made = keys_of(rows[run]), dict[Part, bytes]()
            for part, one in self._asked[run].items():
                digest = given.get(keys[one])
                if isinstance(digest, bytes):
                    made[part] = digest
            yield run, {one.name: array_of(given[keys[one]]) for one in outputs}, made

    def _runs(
        self,
        runs: Sequence[NetRun],
        watched: Callable[[NetRun], Sequence[Watched]],
        observe: Observe,
        what: str,
    ) -> Iterator[tuple[NetRun, Activations]]:
        """Yield what runs give that gave anything so far; keep the reasons of the others."""
        asked = [run for run in runs if run not in self.failures and run not in self._held]
        pool = self._session.pool
        answers = observe_net(self.subject, asked, watched, pool, observe=observe)
        for number, (run, activations, seconds) in enumerate(answers, 1):
            named = f"{self.subject.name}: {what}, length {run.length}"
            self._tell(named, number, len(asked), None)
            self.seconds[run] = self.seconds.get(run, 0.0) + seconds
            if isinstance(activations, NoBits):
                self.failures[run] = activations
            else:
                yield run, activations
