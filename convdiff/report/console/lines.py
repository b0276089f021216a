"""Lines on the console: wrapped at its width, or cut at it, with a label or without."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from convdiff.report.console.style import MARKS, coloured
from convdiff.report.marks import Line

GLUE = "\ue000"
"""Stands for a space where no line may end; as wide, and not white."""
TOGETHER = re.compile(r"≤ \S+( ulp| off)?|T ≡ 0 mod \d+")
COPIED = ("accept", "draw", "pad", "report", "try")
"""Lines that are copied, or have a place to click on, and so stay whole."""
LABEL = 9
"""Columns of a label."""


def print_wrapped(console: Console, text: Text) -> None:
    """Print a text in lines of the console's width."""
    for part in wrapped(console, text, console.width):
        console.print(part, soft_wrap=True)


def print_again(console: Console, command: str) -> None:
    """Print the command that repeats what was told."""
    again = Text(f"  {'again':{LABEL - 2}}{command}", style=MARKS["faint"])
    console.print(again, soft_wrap=True)


def print_labelled(console: Console, one: Line, *, cut: bool) -> None:
    """Print a label and what is said beside it; cut: in one line, however narrow."""
    label = Text(f"{one.label.text:{LABEL}}", style=MARKS[one.label.mark] or "bold")
    text = coloured(one.spans)
    name = one.label.text.strip()
    if name in COPIED:
        console.print(Text.assemble(label, text), soft_wrap=True)
        return
    if name == "order":  # its notation is no sentence
        console.print(Text.assemble(label, text), no_wrap=True, overflow="ellipsis", crop=True)
        return
    if cut:
        print_cut(console, Text.assemble(label, text))
        return
    for part in wrapped(console, text, max(20, console.width - LABEL)):
        console.print(Text.assemble(label, part), soft_wrap=True)
        label = Text(" " * LABEL)


def wrapped(console: Console, text: Text, width: int) -> list[Text]:
    """Return a text in lines; what belongs to a number stays beside it."""
    text.plain = TOGETHER.sub(lambda match: match[0].replace(" ", GLUE), text.plain)
    lines = [*text.wrap(console, width)]
    for line in lines:
        line.plain = line.plain.replace(GLUE, " ")
    return lines


def print_cut(console: Console, text: Text) -> None:
    """Print a text in one line; what is too long is cut after a clause, where one fits."""
    if text.cell_len > console.width:
        at = max(text.plain.rfind(mark, 0, console.width - 2) for mark in ("; ", ", "))
        if at > console.width // 2:
            text = Text.assemble(text[: at + 1], " …")
    console.print(text, no_wrap=True, overflow="ellipsis", crop=True)
