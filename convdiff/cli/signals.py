"""Ctrl-C, SIGTERM, SIGHUP and `--time`: what is worked on stops, and what was done is shown."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from convdiff.cli.streams import write_err
from convdiff.errors import ENDED, ENDINGS, SIGNALS, TIME_OVER

if TYPE_CHECKING:
    from convdiff.lab.stop import Stop


class EndedError(KeyboardInterrupt):
    """A signal that ends the program where it stands."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end_by_signals() -> None:
    """Raise EndedError wherever a signal comes. One that is ignored, as nohup has it, stays so."""
    for number in _heeded():
        signal.signal(number, _end)


def ignore_signals() -> None:
    """Let no signal change an exit code that is known."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stopped_by_signals(
    stop: Stop, end: Callable[[int], object], seconds: float | None = None
) -> Iterator[None]:
    """Stop the work at the first signal, in its own computations, too; a second one ends it all.

    end: called with the first one's number: it has to set `stop.signal`. seconds: after so many it
    is stopped in the same way, by TIME_OVER.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.signal and number == TIME_OVER:
            return
        if stop.signal:
            _end(number, frame)
        end(number)
        stop.raise_if_computing()

    before = {number: signal.signal(number, handle) for number in (*_heeded(), TIME_OVER)}
    signal.setitimer(signal.ITIMER_REAL, seconds or 0.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


def ended(number: int, code: int) -> int:
    """Return the exit code: of the signal that ended the work, which is said, or else `code`."""
    if not number:
        return code
    write_err(f"convdiff: {ENDINGS[number]}")
    return code if number == TIME_OVER else ENDED + number


def _heeded() -> list[int]:
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise EndedError(number)
