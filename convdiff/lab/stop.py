"""A signal's stop: noted, and raised out of this process's own computations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convdiff.errors import ENDINGS, TIME_OVER


class StoppedError(BaseException):
    """A signal cut a computation short. No `except Exception` on its way out may catch it."""


class Stop:
    """Whether a signal has ended the work."""

    def __init__(self) -> None:
        self.signal = 0
        """Its number, once one came."""
        self._raises = False

    @property
    def reason(self) -> str:
        """Why what is not asked any more is not."""
        return ENDINGS[TIME_OVER] if self.signal == TIME_OVER else "interrupted"

    def now(self, signal: int) -> None:
        """Note the signal that ends the work."""
        self.signal = signal

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Let `raise_if_computing` cut the block short. Raises StoppedError, at once if stopped.

        For what changes nothing that outlives it, since it may end anywhere.
        """
        before = self._raises
        if self.signal:
            raise StoppedError
        self._raises = True
        try:
            yield
        finally:
            self._raises = before

    def raise_if_computing(self) -> None:
        """Raise StoppedError within `raising`; for the signal's handler, in the main thread."""
        if self._raises:
            raise StoppedError
