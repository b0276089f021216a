"""A value that is not what it must be: where it is, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convdiff.errors import close_word

Path = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists."""

LONGEST_VALUE = 40
"""Characters of a value that a message repeats."""
CLOSE = 0.5
"""How like a known word another must be to be taken for a slip of it, as difflib counts."""
OTHER_WORDS = {"accept": "expect", "accepts": "expect", "allow": "expect"}
"""What people call a key after a report's words, and what it is called here."""
MOST = 20
"""Errors of a command that are told; of one mapping or list one more is gathered, to say so."""


class MisfitError(ValueError):
    """A value that is not what it must be: the way to it, and what is wrong."""

    others: tuple[MisfitError, ...] = ()
    """What else is wrong in the same document and does not depend on this."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words
        self.path: Path = ()

    @property
    def all(self) -> tuple[MisfitError, ...]:
        """Return this error and the others."""
        return (self, *self.others)

    def under(self, key: str | int) -> MisfitError:
        """Return the error, and the others, as seen from outside of a mapping or list."""
        for error in self.all:
            error.path = (key, *error.path)
        return self

    def __str__(self) -> str:
        """Say where and what, in one line."""
        return f"{dotted(self.path)!r}: {self.words}" if self.path else self.words


class UnexpectedError(MisfitError):
    """A value of another kind than the one that is expected."""

    def __init__(self, wanted: str, value: Any, hint: str = "") -> None:
        super().__init__(f"expected {wanted}, found {shown(value)}{hint}")
        self.wanted = wanted


class MissingKeyError(MisfitError):
    """A mapping without a key that it must have."""

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(f"has no {name!r}")
        self.noun = noun

    def __str__(self) -> str:
        """Say what lacks which key."""
        return f"{dotted(self.path) or self.noun} {self.words}"


class UnknownKeyError(MisfitError):
    """A key that a mapping may not have; the last of the path."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(near(name, known) or f"known keys: {', '.join(known)}")
        self.name, self.known = name, known
        self.under(name)

    def __str__(self) -> str:
        """Say which key, where, and what was meant."""
        outside = dotted(self.path[:-1])
        inside = f" in {outside!r}" if outside else ""
        return f"unknown key {self.name!r}{inside}; {self.words}"


class Misfits:
    """Gathers what is wrong with the parts of a value, up to one more than `MOST`."""

    def __init__(self) -> None:
        self._all: list[MisfitError] = []

    @property
    def are_many(self) -> bool:
        """Return whether no more are gathered."""
        return len(self._all) > MOST

    def add(self, error: MisfitError) -> None:
        """Gather an error and its others."""
        self._all += error.all
        error.others = ()

    def refuse(self) -> None:
        """Raise the first, with the others, if there is any."""
        if self._all:
            first, *others = self._all
            first.others = tuple(others)
            raise first


def slip_of(word: str, known: Sequence[str]) -> str:
    """Return the known word of which this may be a slip, or that is called so elsewhere; or ""."""
    other = OTHER_WORDS.get(word.lower())
    return other if other and other in known else close_word(word, known, CLOSE)


def near(word: str, known: Sequence[str]) -> str:
    """Return a question that names the word of which this may be a slip, or nothing."""
    slip = slip_of(word, known)
    return f"did you mean {slip!r}?" if slip else ""


def dotted(path: Path) -> str:
    """Write a path: expect.length, devices.0."""
    return ".".join(map(str, path))


def shown(value: Any) -> str:
    """Write a value as messages do, cut where it is long."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return cut(text)


def cut(text: str) -> str:
    """Return what a message repeats of a text."""
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "…"
