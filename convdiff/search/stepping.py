"""How a search runs a case at each of its steps."""

from __future__ import annotations

from dataclasses import dataclass

from convdiff.case.model import Case
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.pipeline import Ask, run
from convdiff.search.ledger import Ledger
from convdiff.search.observed import Stopping
from convdiff.search.states import By, State, shown


@dataclass(frozen=True)
class Stepping:
    """What is the same at every step."""

    by: By
    ask: Ask
    timeout: float
    """Seconds of silence that a worker may keep."""
    stopping: Stopping
    """Called with each session, so that a signal ends it."""
    tell: Tell
    ledger: Ledger

    def shown_by(self, case: Case, session: Session) -> State | None:
        """Return what a case shows on a session's runtimes; None where nothing was compared."""
        result = run([case], session, self.ask, self.tell)
        return shown(result.cases[0]) if result.cases else None
