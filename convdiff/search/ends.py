"""The two ends of a line as a person names them: which was good, and which was bad."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from convdiff.errors import ConvdiffError, meant
from convdiff.search.history import History
from convdiff.search.states import State, is_good

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Ends(Generic[T]):
    """What is said of a line's ends before any of them was tried."""

    good: str | None = None
    bad: str | None = None
    find_fix: bool = False
    """The older end is the bad one."""

    @property
    def are_named(self) -> bool:
        """Whether anything is said of them."""
        return self.good is not None or self.bad is not None or self.find_fix

    @property
    def words(self) -> tuple[str, str]:
        """What the first and the last of the line are, where they are named."""
        return ("bad", "good") if self.find_fix else ("good", "bad")

    @property
    def given(self) -> tuple[str | None, str | None]:
        """The first and the last of the line, as far as they are named."""
        return (self.bad, self.good) if self.find_fix else (self.good, self.bad)

    def cut(self, line: Sequence[T]) -> list[T]:
        """Return a line from one end to the other.

        Raises ConvdiffError for an end that is not on it, that stands on the other side, or is
        both ends.
        """
        (start, stop), (one, other) = self.given, (f"--{word}" for word in self.words)
        first = 0 if start is None else list(line).index(chosen(line, start, one))
        last = len(line) - 1 if stop is None else list(line).index(chosen(line, stop, other))
        if first == last and self.are_named:
            raise ConvdiffError(f"{one} and {other}: {line[first]} is both ends")
        if first > last:
            hint = "" if self.find_fix else "; --find-fix looks for what made it good"
            raise ConvdiffError(f"{one} comes after {other}{hint}")
        return list(line[first : last + 1])


def chosen(line: Sequence[T], text: str, option: str) -> T:
    """Return the one of a line that a text names: a size, a release, or the minor one of it.

    Raises ConvdiffError where there is none, or there are several.
    """
    names = {str(one): one for one in line}
    if text in names:
        return names[text]
    within = [one for name, one in names.items() if name.startswith(f"{text}.")]
    if len(within) == 1:
        return within[0]
    several = f"of {_span(line)}"
    if within:
        several = f"it may be {', '.join(map(str, within))}"
    raise ConvdiffError(f"{option} {text}: none of the line, {several}{meant(text, names)}")


def _span(line: Sequence[T]) -> str:
    return f"{line[0]} to {line[-1]}" if line else "none"


def contradiction(ends: Ends[T], history: History[T], words: Callable[[State], str]) -> str:
    """Return what the two ends show that is not what was said of them; "" where they do.

    words: says what a state is. States of bits are neither good nor bad: they must differ.
    """
    if not ends.are_named or len(history.states) < 2:
        return ""
    sides = [history.states[0], history.states[-1]]
    for (one, state), word in zip(sides, ends.words, strict=True):
        good = is_good(state)
        if good is not None and good is not (word == "good"):
            return f"{one} is taken for {word}, and shows {words(state)}"
    if sides[0][1] == sides[1][1]:
        both = f"{sides[0][0]}, taken for {ends.words[0]}, and {sides[1][0]}, for {ends.words[1]}"
        return f"{both}, show the same"
    return ""
