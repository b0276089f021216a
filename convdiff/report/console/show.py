"""`convdiff show` on the console: in colours, and on a terminal wrapped by words."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from convdiff.report.console.parts import print_legend
from convdiff.report.console.style import MARKS, coloured
from convdiff.report.marks import Line

NARROWEST = 24
"""Columns beside a label; where there are fewer, what is said goes on below it."""
INDENT = 6
STYLES = {mark: Style.parse(style) for mark, style in MARKS.items()}


def print_recording(console: Console, lines: Iterable[Line], *, wrap: bool) -> None:
    """Print a recording's lines; without `wrap`, as a line diff takes them, each as it is."""
    for line in lines:
        if wrap and cell_len(line.label.text + line.text) > console.width:
            _print_wrapped(
                console, Text(line.label.text, MARKS[line.label.mark]), coloured(line.spans)
            )
        else:
            console.file.write(f"{_painted(console, line)}\n")
    if console.color_system:
        print_legend(console)


def _painted(console: Console, one: Line) -> str:
    """Return a line in its colours, without what a layout costs: a recording has a line a value."""
    system = ColorSystem.EIGHT_BIT if console.color_system else None
    spans = (one.label, *one.spans)
    return "".join(STYLES[span.mark].render(span.text, color_system=system) for span in spans)


def _print_wrapped(console: Console, label: Text, text: Text) -> None:
    """Print a line, and what has no room in it below, beside the label where it is short."""
    indent = label.cell_len
    if console.width - indent < NARROWEST:
        console.print(label, soft_wrap=True)
        label, indent = Text(" " * INDENT), INDENT
    for part in text.wrap(console, console.width - indent) or [Text()]:
        console.print(Text.assemble(label, part), soft_wrap=True)
        label = Text(" " * indent)
