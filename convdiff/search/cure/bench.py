"""Runs plans of a case with switches set, each set in processes of its own, none of them twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.model import Case
from convdiff.errors import UNTESTED, ConvdiffError
from convdiff.lab.lab import NotAsked, Tell
from convdiff.lab.live import LiveLab
from convdiff.lab.session import Session
from convdiff.lab.stop import Stop, StoppedError
from convdiff.lab.watch import Watch
from convdiff.numerics.array import Array
from convdiff.pipeline import Ask, examine
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Plan
from convdiff.result import CaseResult
from convdiff.runtime.model import Runtime, Standing
from convdiff.search.cure.padded import Pads
from convdiff.search.cure.setting import Fingerprints, interpreters_of, set_on
from convdiff.search.cure.switches import Switch
from convdiff.search.deciding import case_facts, key_of, runtime_facts
from convdiff.search.ledger import Ledger

Outputs = Mapping[Cell, Array]


class AbsentError(ConvdiffError):
    """A runtime is not there, with some switches set or without."""

    exit_code = UNTESTED


@dataclass(frozen=True)
class Subject:
    """The runtimes of one framework in one environment, which differ in threads and devices."""

    runtimes: tuple[Runtime, ...]
    fingerprints: Fingerprints

    @property
    def name(self) -> str:
        """What they have in common."""
        first = self.runtimes[0]
        interpreter, devices = first.interpreter, {runtime.device for runtime in self.runtimes}
        if len(self.runtimes) > 1:
            interpreter = replace(interpreter, threads=None)
        return interpreter.describe(first.device if len(devices) == 1 else None)


@dataclass(frozen=True)
class Open:
    """A session whose runtimes are there, with switches set."""

    session: Session
    standings: tuple[Standing, ...]

    @property
    def runtimes(self) -> list[Runtime]:
        """Its runtimes; those that switches made alike once."""
        return list(dict.fromkeys(standing.runtime for standing in self.standings))


@dataclass(frozen=True)
class Followed:
    """What came of a plan."""

    result: CaseResult
    outputs: Outputs
    """Of the case's own op on the first run of its input."""
    seconds: float
    """What a cell took, on average."""
    is_restless: bool
    """Whether a cell that was run again gave other bits."""


@dataclass
class Bench:
    """Of one case and one subject. Raises StoppedError once a signal came."""

    case: Case
    subject: Subject
    timeout: float
    stopping: Stop
    watching: Callable[[Session], None]
    """Called with each session, so that a signal ends it."""
    ledger: Ledger
    tell: Tell

    def __post_init__(self) -> None:
        self.case = replace(self.case, lock_order=False)
        watch = Watch(self.tell, self.stopping)
        making = watch.compute(f"{self.case.name}: making its arrays", self._make)
        if isinstance(making, NotAsked):
            raise StoppedError
        self.tensors: Tensors = making
        self.starting = 0.0
        """Seconds until the last session stood."""

    def _make(self) -> Tensors:
        return make_tensors(self.case)

    @contextmanager
    def opened(self, switches: Sequence[Switch]) -> Iterator[Open]:
        """Yield a session with switches set. Raises AbsentError where a runtime is not there."""
        runtimes = [set_on(runtime, switches) for runtime in self.subject.runtimes]
        begun = perf_counter()
        with Session(interpreters_of(runtimes), self.timeout) as session:
            self.watching(session)
            session.start()
            standings = session.availability(self.case)
            self.refuse_stopped(session)
            for standing in standings:
                if not standing.available:
                    raise AbsentError(standing.reason or f"{standing.name} is not there")
            self.starting = perf_counter() - begun
            yield Open(session, tuple(standings))

    def refuse_stopped(self, session: Session) -> None:
        """Raise StoppedError where a signal came."""
        if session.signal or self.stopping.signal:
            raise StoppedError

    def follow(
        self,
        opened: Open,
        plan: Plan,
        tensors: Tensors,
        pads: Pads | None = None,
        *,
        again: bool = False,
    ) -> Followed:
        """Follow a plan from its cells to its findings; no order is looked for.

        again: run the case's own op a second time, too.
        """
        session, case = opened.session, plan.case
        fingerprints = {standing.runtime: standing.fingerprint for standing in opened.standings}
        watch = Watch(self.tell, self.stopping)
        run = (pads or Pads()).observe
        lab = LiveLab(case, tensors, session, fingerprints, 0, watch, run=run)
        with closing(lab):
            result = examine(plan, lab, tensors, Ask(budget=0))
            bits = {cell: lab.bits(cell) for cell in own_cells(plan)}
            seconds = dict(lab.log.seconds)
            is_restless = again and any(map(lab.is_restless, bits))
        self.refuse_stopped(session)
        outputs = {cell: one for cell, one in bits.items() if not isinstance(one, NoBits)}
        mean = sum(seconds.values()) / max(len(seconds), 1)
        return Followed(result, outputs, mean, is_restless)

    def step(
        self,
        kind: str,
        opened: Open,
        parts: Sequence[object],
        work: Callable[[], Mapping[str, Any]],
    ) -> tuple[Mapping[str, Any], str]:
        """Return what a step gives, run only where the ledger has none, and its key.

        parts: all that decides it, besides the case and its runtimes. The key is "" where nobody
        can tell what decides it.
        """
        facts = [runtime_facts(standing, opened.session.pool) for standing in opened.standings]
        key = None
        if None not in facts:
            key = key_of(f"cure {kind}", case_facts(self.case, self.tensors), facts, *parts)
        value = self.ledger.step(key, work)
        assert value is not None, "work gives something, or raises"
        return value, key or ""


def own_cells(plan: Plan) -> list[Cell]:
    """Return a plan's convolutions on the case's own input."""
    op = plan.case.conv.op
    return [cell for cell in plan.cells if cell.is_first_run and cell.op == op]
