"""How a search runs a case at each of its steps."""

from __future__ import annotations

from dataclasses import dataclass

from convdiff.lab.lab import Tell
from convdiff.pipeline import Ask
from convdiff.search.ledger import Ledger
from convdiff.search.observed import Stopping
from convdiff.search.states import By


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
