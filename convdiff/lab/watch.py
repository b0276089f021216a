"""Who watches this process's own long computations: told what they are, and able to stop them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

from convdiff.lab.lab import NotAsked, Tell
from convdiff.lab.pace import Pace, Work
from convdiff.lab.stop import Stop, StoppedError

T = TypeVar("T")


def silent(_what: str, _done: int, _of: int, _left: float | None) -> None:
    """Tell nobody."""


@dataclass
class Watch:
    """Somebody who is told, and a stop."""

    teller: Tell = silent
    stop: Stop = field(default_factory=Stop)
    pace: Pace | None = None
    """That of the stage that is worked on."""

    def tell(self, what: str) -> None:
        """Tell what is being done, how far the stage is, and what time is left of it."""
        if self.pace is None:
            self.teller(what, 0, 0, None)
        else:
            self.teller(what, self.pace.done, self.pace.of, self.pace.left())

    def compute(self, what: str, work: Callable[[], T]) -> T | NotAsked:
        """Return what a computation gives, or why not once stopped: within a moment.

        what: told before. work: see `Stop.raising`.
        """
        self.tell(what)
        try:
            with self.stop.raising():
                return work()
        except StoppedError:
            return NotAsked(self.stop.reason)

    def paced(self, items: Sequence[T], work_of: Callable[[T], Work]) -> Iterator[T]:
        """Yield the items of a stage, each as the one before it has been worked on."""
        works = [work_of(item) for item in items]
        before, self.pace = self.pace, Pace(works)
        try:
            for item, work in zip(items, works, strict=True):
                start = perf_counter()
                yield item
                self.pace.did(work, perf_counter() - start)
        finally:
            self.pace = before
