"""An error of a case file as compilers show it: the message, its line of the file, a caret."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from convdiff.errors import CaseError, Place

LONGEST = 100
"""Columns of a terminal that an excerpt fills at most, with its indent."""
INDENT, CUT = "  ", "..."
BEFORE = 60
"""Columns left of the caret that are kept of a longer line."""
MOST = 20
"""Errors that are told in full."""


def told(error: CaseError) -> Iterator[str]:
    """Yield the lines that tell all of an error's errors, and their number where it is above 1."""
    for one in error.errors[:MOST]:
        yield str(one)
        yield from excerpt(one.place)
    count = len(error.errors)
    if count > 1:
        yield f"{count} errors" + (f", of which {MOST} are shown" if count > MOST else "")


def excerpt(place: Place) -> tuple[str, ...]:
    """Return the line at a place and a line with a caret below it; nothing where it is not known.

    Columns are counted as a terminal does: wide characters take two. A long line is cut around the
    caret.
    """
    if not place.text.strip():
        return ()
    at = min(place.column - 1, len(place.text))
    before = _printable(place.text[max(0, at - LONGEST) : at])
    after = _printable(place.text[at : at + LONGEST])
    room = LONGEST - len(INDENT)
    if len(before) + len(after) < len(place.text) or cell_len(before + after) > room:
        before = _cut_before(before, at)
        after = _cut_after(after, place.text[at:], room - cell_len(before))
    return f"{INDENT}{before}{after}", f"{INDENT}{' ' * cell_len(before)}^"


def _cut_before(shown: str, at: int) -> str:
    """Return what is shown left of the caret, at most `BEFORE` columns of it."""
    if len(shown) == at and cell_len(shown) <= BEFORE:
        return shown
    while cell_len(shown) > BEFORE:
        shown = shown[1:]
    return CUT + shown


def _cut_after(shown: str, text: str, room: int) -> str:
    """Return what is shown of the text from the caret on, at most so many columns of it."""
    if len(shown) == len(text) and cell_len(shown) <= room:
        return shown
    while cell_len(shown) > room - len(CUT):
        shown = shown[:-1]
    return shown + CUT


def _printable(text: str) -> str:
    """Return text whose characters all have a width: a tab is a blank."""
    return "".join(map(_one_printable, text))


def _one_printable(character: str) -> str:
    if character == "\t":
        return " "
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
