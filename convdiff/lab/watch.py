"""Who watches this process's own long computations: told what they are, and able to stop them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from convdiff.lab.lab import NotAsked, Tell
from convdiff.lab.stop import Stop, StoppedError

T = TypeVar("T")


def silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Watch:
    """Somebody who is told, and a stop."""

    tell: Tell = silent
    stop: Stop = field(default_factory=Stop)

    def compute(self, what: str, work: Callable[[], T], done: int = 0, of: int = 0) -> T | NotAsked:
        """Return what a computation gives, or why not once stopped: within a moment.

        what, done, of: told before, as `Tell` has them. work: see `Stop.raising`.
        """
        self.tell(what, done, of)
        try:
            with self.stop.raising():
                return work()
        except StoppedError:
            return NotAsked(self.stop.reason)
