"""The search: each switch alone, the named pairs, then a union, made as small as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from convdiff.case.model import Case
from convdiff.case.words import one_or_many
from convdiff.lab.stop import StoppedError
from convdiff.search.cure.bench import Bench, Subject
from convdiff.search.cure.cost import Cost
from convdiff.search.cure.padded import multiple_of
from convdiff.search.cure.recheck import Recheck
from convdiff.search.cure.setting import applicable
from convdiff.search.cure.switches import SWITCHES, Switch
from convdiff.search.cure.today import Today, today
from convdiff.search.cure.trial import Trial, plan_along
from convdiff.search.cure.tried import Trying
from convdiff.search.reduce import reduce

MOST = 64
"""Sets of switches that are tried while a union is made smaller."""
PADDING = 10.0
"""How many switches padding counts for: it changes the program that calls, and not a setting."""


@dataclass(frozen=True)
class Attempt:
    """Switches that were set together, and what was seen."""

    switches: tuple[Switch, ...]
    trial: Trial
    recheck: Recheck | None = None
    """Made where nothing drifts any more."""
    cost: Cost | None = None
    """None where its time is not known, too."""
    pads: tuple[tuple[int, int], ...] = ()
    """Lengths and what they are padded to."""

    @property
    def name(self) -> str:
        """What is set."""
        return " and ".join(switch.name for switch in self.switches)

    @property
    def multiple(self) -> int:
        """Of what the lengths are the next multiples that are padded to; 0 where they are not."""
        return multiple_of(dict(self.pads))

    @property
    def is_padded(self) -> bool:
        """Whether one of its switches pads."""
        return any(switch.pads for switch in self.switches)

    @property
    def is_cure(self) -> bool:
        """Whether nothing drifts, on the case's input and on others."""
        return self.trial.is_equal and self.recheck is not None and self.recheck.within.is_equal


@dataclass(frozen=True)
class Cured:
    """What a search found for one subject."""

    case: Case
    subject: Subject
    today: Trial
    attempts: tuple[Attempt, ...] = ()
    best: Attempt | None = None
    """What is recommended; None where nothing that was tried makes it equal."""
    interrupted: bool = False


@dataclass
class Search:
    """One search; what was tried so far is there whenever it is cut short."""

    bench: Bench
    say: Callable[[str], None]
    switches: Sequence[Switch] = SWITCHES
    attempts: list[Attempt] = field(default_factory=list)
    _today: Today | None = None
    _most: int = 0
    """Sets of switches that may be tried before a union is."""

    def run(self) -> Cured:
        """Return what was found."""
        try:
            self._today = today(self.bench)
            if self._today.trial.drifting:
                self._search(self._today)
        except StoppedError:
            return self._result(interrupted=True)
        return self._result(interrupted=False)

    def _result(self, *, interrupted: bool) -> Cured:
        today = self._today.trial if self._today else Trial(reason="interrupted")
        cures = [attempt for attempt in self.attempts if attempt.is_cure]
        best = min(cures, key=_weight, default=None)
        bench = self.bench
        return Cured(bench.case, bench.subject, today, tuple(self.attempts), best, interrupted)

    def _search(self, now: Today) -> None:
        bench = self.bench
        here = applicable(
            self.switches, bench.case, bench.subject.runtimes, bench.subject.fingerprints
        )
        names = {one.name for one in here}
        pairs = sum(len(names.intersection(one.pairs)) for one in here)
        self._most = len(here) + pairs
        self.say(self._budget(len(here), pairs, now))
        for switch in here:
            self._attempt((switch,))
        for pair in list(self._pairs(here)):
            self._attempt(pair)
        cures = [attempt for attempt in self.attempts if attempt.is_cure]
        if all(attempt.is_padded for attempt in cures):  # settings alone are no cure
            self._reduce_union(self._helping(here, padding=False))
        if not any(attempt.is_cure for attempt in self.attempts):
            self._reduce_union(self._helping(here, padding=True))

    def _budget(self, switches: int, pairs: int, now: Today) -> str:
        """Say how much is tried, and about how long that takes."""
        bench = self.bench
        cells = len(plan_along(bench.case, bench.subject.runtimes, now.axes).cells)
        seconds = (switches + pairs) * (bench.starting + cells * now.trial.seconds)
        minutes = max(1, round(seconds / 60))
        sets = (
            f"{switches} switches and up to {pairs} {one_or_many(pairs, 'pair', 'pairs')} of them"
        )
        return f"{sets}, {cells:,} cells each: about {minutes} min, and more for each that works"

    def _pairs(self, here: Sequence[Switch]) -> Iterator[tuple[Switch, ...]]:
        """Yield the named pairs of which neither makes it equal alone, and both can be set."""
        cures = {attempt.switches[0] for attempt in self.attempts if attempt.is_cure}
        failed = {attempt.switches[0] for attempt in self.attempts if attempt.trial.reason}
        by_name = {one.name: one for one in here if one not in cures | failed}
        for one in by_name.values():
            for other in [by_name[name] for name in one.pairs if name in by_name]:
                if not one.slots & other.slots:
                    yield one, other

    def _attempt(self, switches: Sequence[Switch]) -> Attempt:
        """Try some switches together; nothing is tried twice."""
        ordered = tuple(sorted(switches, key=self.switches.index))
        for one in self.attempts:
            if one.switches == ordered:
                return one
        assert self._today is not None, "a search begins with it"
        what = " and ".join(one.name for one in ordered)
        self.bench.tell(f"{self.bench.case.name}: {what}", len(self.attempts), self._most, None)
        attempt = self._made(ordered, self._today)
        self.attempts.append(attempt)
        return attempt

    def _made(self, switches: tuple[Switch, ...], today: Today) -> Attempt:
        trying = Trying(self.bench, switches, today, self._equal_unpadded(switches, today))
        trial = trying.trial()
        if not trial.is_equal:
            return Attempt(switches, trial)
        recheck, cost = trying.recheck(), trying.cost()
        pads = tuple(sorted(trying.pads.lengths.items()))
        known = cost if isinstance(cost, Cost) else None
        return Attempt(switches, trial, recheck, known, pads)

    def _equal_unpadded(self, switches: tuple[Switch, ...], today: Today) -> tuple[int, ...]:
        """Return the lengths with equal bits where the same is set and nothing padded."""
        rest = tuple(switch for switch in switches if not switch.pads)
        if rest == switches or not rest:
            return today.trial.equal
        return self._attempt(rest).trial.equal

    def _reduce_union(self, some: Sequence[Switch]) -> None:
        """Set several at once; where that is a cure, take away what it does not need."""
        if len(some) > 1 and self._attempt(some).is_cure:
            reduce(frozenset(some), _fewer, lambda one: one, self._cures, MOST)

    def _cures(self, switches: frozenset[Switch]) -> bool:
        return self._attempt(tuple(switches)).is_cure

    def _helping(self, here: Sequence[Switch], *, padding: bool) -> list[Switch]:
        """Return the switches that changed bits, of those that exclude each other the best.

        Of a named pair that changed bits only together, both.
        """
        together = set[Switch]()
        for attempt in self.attempts:
            if attempt.trial.changed:
                together.update(attempt.switches)
        useful = [one for one in here if one in together and (padding or not one.pads)]
        chosen: list[Switch] = []
        for one in sorted(useful, key=self._left):
            if not any(one.slots & other.slots for other in chosen):
                chosen.append(one)
        return chosen

    def _left(self, switch: Switch) -> int:
        """Return how many comparisons drift with a switch alone."""
        return self._attempt((switch,)).trial.drifting


def _fewer(switches: frozenset[Switch]) -> Iterable[frozenset[Switch]]:
    """Yield a set of switches without each of its members in turn."""
    for switch in sorted(switches, key=lambda one: one.name, reverse=True):
        if len(switches) > 1:
            yield switches - {switch}


def _weight(attempt: Attempt) -> tuple[float, float]:
    """Return what the cheapest of several cures has least of: switches, then time."""
    padding = sum(1 for switch in attempt.switches if switch.pads)
    time = attempt.cost.median if attempt.cost else float("inf")
    return len(attempt.switches) + PADDING * padding, time
