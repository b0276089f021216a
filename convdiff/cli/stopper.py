"""Stops whichever session a search is at, and those that come after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convdiff.lab.stop import Stop

if TYPE_CHECKING:
    from convdiff.lab.session import Session


class Stopper:
    """A search has one session after the other."""

    def __init__(self) -> None:
        self.stopping = Stop()
        self._session: Session | None = None

    def watch(self, session: Session) -> None:
        """Note the session that is at work now."""
        self._session = session
        if self.stopping.signal:
            session.stop(self.stopping.signal)

    def end(self, signal: int) -> None:
        """Stop it; to be called by a signal's handler."""
        self.stopping.now(signal)
        if self._session is not None:
            self._session.stop(signal)
