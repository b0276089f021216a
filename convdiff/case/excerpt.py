"""An error of a case file as compilers show it: the message, its line of the file, a caret."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from convdiff.case.forms.misfit import MOST
from convdiff.errors import CaseError, Place, printable

LONGEST = 100
"""Columns of a terminal that an excerpt fills at most, with its indent."""
INDENT, CUT = "  ", "..."
BEFORE = 60
"""Columns left of the caret that are kept of a longer line."""


def told(error: CaseError, program: str = "", written: Callable[[str], str] = str) -> Iterator[str]:
    """Yield the lines that tell all of an error's errors, and their number where it is above 1.

    program: what stands before an error that has no line in a file. written: see `excerpt`.
    """
    for one in error.errors[:MOST]:
        yield str(one) if one.place.line else f"{program}{one}"
        yield from excerpt(one.place, written)
    count = len(error.errors)
    if count > 1:
        yield f"{count} errors" + (f" or more, of which {MOST} are shown" if count > MOST else "")


def excerpt(place: Place, written: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return the line at a place and a line with a caret below it; nothing where it is not known.

    Columns are counted as a terminal does: wide characters take two. A long line is cut around the
    caret. written: what becomes of text in the encoding of its reader, as `<=` of `≤`.
    """
    if not place.text.strip():
        return ()
    at = min(place.column - 1, len(place.text))
    left, right = place.text[max(0, at - LONGEST) : at], place.text[at : at + LONGEST]
    before, after = written(_printable(left)), written(_printable(right))
    room = LONGEST - len(INDENT)
    if len(left) + len(right) < len(place.text) or _columns(before + after) > room:
        before = _cut_before(before, whole=len(left) == at)
        whole = at + len(right) == len(place.text)
        after = _cut_after(after, room - _columns(before), whole=whole)
    return f"{INDENT}{before}{after}", f"{INDENT}{' ' * _columns(before)}^"


def _cut_before(shown: str, *, whole: bool) -> str:
    """Return what is shown left of the caret, at most `BEFORE` columns of it."""
    if whole and _columns(shown) <= BEFORE:
        return shown
    while _columns(shown) > BEFORE:
        shown = shown[1:]
    return CUT + shown


def _cut_after(shown: str, room: int, *, whole: bool) -> str:
    """Return what is shown from the caret on, at most so many columns of it."""
    if whole and _columns(shown) <= room:
        return shown
    while _columns(shown) > room - len(CUT):
        shown = shown[:-1]
    return shown + CUT


def _columns(text: str) -> int:
    """Return how many columns printable text takes; rich counts so, and takes long to import."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    marks = sum(unicodedata.category(one) in ("Mn", "Me") for one in text)
    return len(text) + wide - marks


def _printable(text: str) -> str:
    """Return text whose characters all have a width: a tab is a blank."""
    return "".join(map(_one_printable, text))


def _one_printable(character: str) -> str:
    return " " if character == "\t" else printable(character)
