"""Ctrl-C and SIGTERM while a session works: it stops, and what was done is shown."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from convdiff.lab.session import Session

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals(session: Session) -> Iterator[None]:
    """Stop the session at the first signal; a second one interrupts as Ctrl-C does."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if session.signal:
            raise KeyboardInterrupt
        session.stop(number)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
