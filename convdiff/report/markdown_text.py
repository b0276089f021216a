"""GitHub-flavoured Markdown that no text can break: lines of text, tables, code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

LONGEST = 300
"""Characters of a text; a table's cell holds no essay."""
LONGEST_BLOCK = 20_000

SPECIAL = re.compile(r"[\\`*\[\]<>&|~$#]|(?<!\w)_|_(?!\w)")
"""What Markdown or HTML would read as more than text."""


def text(words: str) -> str:
    """Write what is said as one line that is text and no more, in a table and in HTML too."""
    shown = words if len(words) <= LONGEST else words[:LONGEST] + "…"
    return SPECIAL.sub(lambda match: f"&#{ord(match[0])};", _printable(shown))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    for row in (header, *rows):
        yield f"| {' | '.join(map(text, row))} |"
        if row is header:
            yield "| --- " * len(header) + "|"
    yield ""


def block(code: str, language: str = "text") -> Iterator[str]:
    """Yield a code block that nothing in it ends; none where there is nothing."""
    if code:
        shown = code if len(code) <= LONGEST_BLOCK else code[:LONGEST_BLOCK] + "\n…"
        shown = "\n".join(map(_printable, shown.split("\n")))
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", shown + "``")))
        yield f"{fence}{language}\n{shown}\n{fence}\n"


def _printable(line: str) -> str:
    """Return a line with a space for each of its other spaces, and a sign for what is no text."""
    spaced = "".join(" " if c.isspace() else c for c in line)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in spaced)
