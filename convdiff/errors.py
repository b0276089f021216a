"""The errors that a user can cause; each is printed as one line and decides the exit code."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

SAME, DRIFT, USAGE, UNTESTED = 0, 1, 2, 125
"""The exit codes: within `expect`, drift, bad usage or input, could not test; ended by a signal it
is `ENDED` and the signal's number, as shells say it."""
ENDED = 128
SIGNALS: Mapping[int, str] = {
    signal.SIGHUP: "hung up",
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
}
"""What ends a command early, and how that is called; what was done is shown."""
TIME_OVER = signal.SIGALRM
"""What ends it when `--time` is over; the exit code is then that of what was compared."""
ENDINGS: Mapping[int, str] = {**SIGNALS, TIME_OVER: "--time is over"}


LONGEST_MESSAGE = 400
"""Characters; what a message quotes may be as long as the file."""


class ConvdiffError(Exception):
    """A mistake that the user can mend; its text is one line, whatever it quotes."""

    exit_code = USAGE

    def __init__(self, message: str) -> None:
        super().__init__("".join(map(printable, readable(message))))


def readable(text: str, errors: str = "replace") -> str:
    """Return text with the bytes of a file's name that the locale could not decode as UTF-8.

    errors: what becomes of those that are none.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", errors)
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text


def meant(word: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Return "; did you mean X?" where one of the known words is much like this one, else ""."""
    near = close_word(word, known, aliases=aliases)
    return f"; did you mean {near}?" if near else ""


def close_word(
    word: str,
    known: Iterable[str],
    likeness: float = 0.6,
    aliases: Mapping[str, str] | None = None,
) -> str:
    """Return the known word of which this may be a slip, whatever the letters' case, else "".

    likeness: as `difflib.get_close_matches` takes it, 0 to 1. aliases: other words for known ones.
    """
    if aliases and word.lower() in aliases:
        return aliases[word.lower()]
    spelt: dict[str, str] = {}
    for one in known:
        spelt.setdefault(one.lower(), one)
    near = difflib.get_close_matches(word.lower(), spelt, 3, likeness)
    swapped = [one for one in near if sorted(one) == sorted(word.lower())]
    return spelt[[*swapped, *near][0]] if near else ""


@dataclass(frozen=True)
class Place:
    """A position in a file, 1-based as editors count."""

    file: str
    line: int = 0
    column: int = 0
    text: str = field(default="", compare=False, repr=False)
    """The whole line, where the file has been read: it may not be there to be read again."""

    def __str__(self) -> str:
        """Write the place as editors and compilers do: file:line:column."""
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class CaseError(ConvdiffError):
    """A case file that can't be used: where, what was found, what was expected.

    The text is that of the first error; `errors` are all that do not depend on each other.
    """

    def __init__(self, place: Place, message: str) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = message[:LONGEST_MESSAGE] + "…"
        super().__init__(f"{place}: {message}")
        self.place, self.message = place, message
        self.others: tuple[CaseError, ...] = ()

    @property
    def errors(self) -> tuple[CaseError, ...]:
        """Return this error and the others, in the order in which they are told."""
        return (self, *self.others)


class CaseErrors:
    """Gathers errors that do not depend on each other."""

    def __init__(self) -> None:
        self._all: list[CaseError] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def add(self, error: CaseError) -> None:
        """Gather an error and its others."""
        self._all += error.errors
        error.others = ()

    def add_all(self, others: CaseErrors) -> None:
        """Gather what another has gathered."""
        self._all += others._all

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Gather the error, if there is one, instead of raising it."""
        try:
            yield
        except CaseError as error:
            self.add(error)

    def refuse(self) -> None:
        """Raise the first, with the others, if there is any."""
        if self._all:
            first, *others = self._all
            first.others = tuple(others)
            raise first

    def sort(self) -> None:
        """Bring the errors of one file into the order of its lines."""
        self._all.sort(key=lambda error: (error.place.line, error.place.column))


def printable(character: str) -> str:
    """Return a character, or a sign in place of one that commands a terminal."""
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
