"""GitHub-flavoured Markdown that no text can break: lines of text, tables, code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from convdiff.errors import printable

LONGEST = 300
"""Characters of a text; a table's cell holds no essay."""
LONGEST_BLOCK = 20_000

SPECIAL = re.compile(r"[\\`*\[\]<>&|~$#]|(?<!\w)_|_(?!\w)")
"""What Markdown or HTML would read as more than text."""


def text(words: str) -> str:
    """Write what is said as one line that is text and no more, in a table and in HTML too."""
    if len(words) > LONGEST:
        words = words[:LONGEST] + "…"
    return SPECIAL.sub(lambda match: f"&#{ord(match[0])};", _printable(words))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    for row in (header, *rows):
        yield f"| {' | '.join(map(text, row))} |"
        if row is header:
            yield "| --- " * len(header) + "|"
    yield ""


def block(code: str, language: str = "text") -> Iterator[str]:
    """Yield a code block that nothing in it ends; none where there is nothing."""
    if len(code) > LONGEST_BLOCK:
        code = code[:LONGEST_BLOCK] + "\n…"
    if code:
        shown = "\n".join(map(_printable, code.split("\n")))
        longest = max(map(len, re.findall("`+", shown + "``")))
        fence = "`" * max(3, longest + 1)
        yield f"{fence}{language}\n{shown}\n{fence}\n"


def _printable(line: str) -> str:
    """Return a line with a space for each of its other spaces, and a sign for what is no text."""
    return "".join(map(printable, re.sub(r"\s", " ", line)))
