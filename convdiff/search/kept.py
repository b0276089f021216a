"""The steps of one search on a session's runtimes: run once, told apart by what decides them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.lab.session import Session
from convdiff.runtime.model import Standing
from convdiff.search.deciding import case_facts, key_of, runtime_facts
from convdiff.search.ledger import PASSING, Ledger, Value
from convdiff.search.states import State, read, told

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Kept:
    """A ledger, and what decides of the runtimes that are asked."""

    ledger: Ledger
    session: Session
    runtimes: object | None
    """None where it can't be told, so that all is run."""

    @classmethod
    def of(cls, ledger: Ledger, standings: Sequence[Standing], session: Session) -> Kept:
        """Ask the runtimes that are there; before cells are run, which makes them load more."""
        facts = [runtime_facts(one, session.pool) for one in standings if one.available]
        return cls(ledger, session, None if None in facts else facts)

    def step(
        self,
        kind: str,
        case: Case,
        tensors: Tensors,
        asked: Sequence[object],
        work: Callable[[], Value | None],
    ) -> Value | None:
        """Return what a step on a case gives: see `Ledger.step`.

        asked: what else decides it, as `key_of` takes it. What a signal cut short, or a worker died
        of, is not kept.
        """
        key = None
        if self.runtimes is not None:
            key = key_of(kind, self.runtimes, case_facts(case, tensors), *asked)
        return self.ledger.step(key, partial(self._whole, work))

    def _whole(self, work: Callable[[], Value | None]) -> Value | None:
        deaths = self.session.pool.deaths
        value = work()
        if value is None or self.session.signal:
            return None
        return {**value, PASSING: self.session.pool.deaths > deaths}

    def states(
        self,
        kind: str,
        case: Case,
        tensors: Tensors,
        state_of: Callable[[T], State | None],
        asked: Sequence[object] = (),
    ) -> Callable[[T], State | None]:
        """Return what says the state of each thing on a line, run only where it is not known.

        One that could not be tried, whose state is None, is tried again.
        """

        def work(one: T) -> Value | None:
            state = state_of(one)
            return None if state is None else told(state)

        def state(one: T) -> State | None:
            value = self.step(kind, case, tensors, [one, *asked], partial(work, one))
            return None if value is None else read(value)

        return state
