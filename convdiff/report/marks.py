"""Text with marks: what a report says, before a presenter colours, escapes or wraps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from convdiff.diagnose.verdicts import VERDICTS, Tone, Verdict

Mark = Tone | Literal["", "strong", "warning"]


@dataclass(frozen=True)
class Span:
    """A piece of text that is marked as a whole."""

    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Line:
    """What is said, and the label that stands before it."""

    label: Span
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """What is said, without its marks."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True)
class Grid:
    """A table: the first column to the left, the others to the right."""

    header: tuple[str, ...]
    rows: tuple[tuple[Span, ...], ...]
    names_within: bool = False
    """Each row's second cell names its third, whatever the header says."""

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The rows without their marks."""
        return [tuple(span.text for span in row) for row in self.rows]

    @property
    def width(self) -> int:
        """The columns that it takes, two between neighbours."""
        columns = zip(self.header, *self.texts, strict=True)
        return sum(max(map(len, column)) + 2 for column in columns)

    def without(self, column: int) -> Grid:
        """Return the table with a column less."""
        header = (*self.header[:column], *self.header[column + 1 :])
        rows = [(*row[:column], *row[column + 1 :]) for row in self.rows]
        return replace(self, header=header, rows=tuple(rows))


def line(label: str | Span, *parts: str | Span) -> Line:
    """Make a line of texts and spans."""
    return Line(_span(label), tuple(_span(part) for part in parts))


def verdict_span(verdict: Verdict) -> Span:
    """Return a verdict, marked by how grave it is."""
    return Span(verdict, VERDICTS[verdict].tone)


def _span(part: str | Span) -> Span:
    return part if isinstance(part, Span) else Span(part)
