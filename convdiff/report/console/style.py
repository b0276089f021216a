"""Colours: rounding is calm, a bug is red. Plain text says the same without them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from convdiff.report.marks import Grid, Line, Mark, Span
from convdiff.result import Outcome

MARKS: Mapping[Mark, str] = {
    "": "",
    "good": "color(28)",
    "calm": "color(31)",
    "odd": "color(130)",
    "erratic": "color(163)",
    "grave": "bold color(196)",
    "faint": "dim",
    "strong": "bold",
    "warning": "color(130)",
}
"""Of the 256 colours, those that can be read on black and on white: 4 to 1 or more on both."""
OUTCOMES: Mapping[Outcome, str] = {
    "ok": f"bold {MARKS['good']}",
    "drift": MARKS["grave"],
    "untested": f"bold {MARKS['warning']}",
    "error": f"bold {MARKS['warning']}",
}
LEAST = 16
"""Columns that are left of a name that is cut."""
INDENT = 4
"""Columns that a text is to the right of its name, where it stands below it."""
HEAT = "▁▂▃▄▅▆▇█"


def coloured(spans: Iterable[Span]) -> Text:
    """Return marked text in its colours."""
    spans = tuple(spans)
    if len(spans) == 1:  # the whole text has the colour, and so has what fills its column
        return Text(spans[0].text, style=MARKS[spans[0].mark])
    return Text.assemble(*((span.text, MARKS[span.mark]) for span in spans))


def ruling(spans: Sequence[Span]) -> Text:
    """Return a verdict and its marks; what fills the column has the verdict's colour."""
    text = coloured(spans[:1])
    for span in spans[1:]:
        text.append(span.text, style=MARKS[span.mark])
    return text


def print_lines(console: Console, lines: Iterable[Line]) -> None:
    """Print labels with what is said beside them."""
    print_pairs(console, [(coloured([line.label]), coloured(line.spans)) for line in lines])


def print_pairs(console: Console, rows: Sequence[tuple[Text, Text]]) -> None:
    """Print pairs with the second column's lines under each other; in the first line, if narrow."""
    longest = max((name.cell_len for name, _ in rows), default=0)
    if longest > console.width // 2:
        for name, text in rows:
            console.print(name)
            console.print(Padding(text, (0, 0, 0, INDENT)))
    elif rows:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column()
        for name, text in rows:
            grid.add_row(name, text)
        console.print(grid)


def print_grid(console: Console, grid: Grid, *, cuts: bool = False) -> None:
    """Print a table of marked cells, the first column to the left.

    Where it is wider than the console, each cell has a line of its own: a number that is cut says
    another one. cuts: names in the first column are cut in their middle before that.
    """
    table = _table(grid)
    over = width_of(console, table) - console.width
    if over > 0 and cuts:
        table = _table(_with_short_names(grid, over))
    if width_of(console, table) <= console.width:
        console.print(table)
    else:
        _print_tall(console, grid)


def _table(grid: Grid) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1), header_style="dim")
    table.add_column(grid.header[0], no_wrap=True)
    for name in grid.header[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in grid.rows:
        table.add_row(*(coloured([cell]) for cell in row))
    return table


def _with_short_names(grid: Grid, over: int) -> Grid:
    """Return a grid whose first column is so many narrower, as far as LEAST lets it."""
    widest = max(max((len(row[0].text) for row in grid.rows), default=0) - over, LEAST)
    rows = ((replace(row[0], text=_cut(row[0].text, widest)), *row[1:]) for row in grid.rows)
    return replace(grid, rows=tuple(rows))


def _cut(name: str, width: int) -> str:
    """Return a name with what is too much of it cut out of its middle."""
    if len(name) <= width:
        return name
    end = width // 2
    return f"{name[: width - end - 1]}…{name[-end:]}"


def _print_tall(console: Console, grid: Grid) -> None:
    """Print a table's cells below each other, each beside its name."""
    rows = [list(_named_cells(grid, row)) for row in grid.rows]
    label = max((len(name) for row in rows for name, _ in row), default=0)
    for first, cells in zip(grid.rows, rows, strict=True):
        if first[0].text:
            console.print(Text.assemble((f"{grid.header[0]} ", "dim"), coloured([first[0]])))
        for name, cell in cells:
            console.print(Text.assemble((f"  {name:{label}}  ", "dim"), coloured([cell])))


def _named_cells(grid: Grid, row: Sequence[Span]) -> Iterator[tuple[str, Span]]:
    """Yield a row's cells after the first, but for empty ones, each with its name."""
    names, cells = grid.header[1:], row[1:]
    if grid.names_within:
        names, cells = (cells[0].text, *names[2:]), cells[1:]
    for name, cell in zip(names, cells, strict=True):
        if cell.text:
            yield name, cell


def width_of(console: Console, table: Table) -> int:
    """Return how many columns a table takes where it has as many as it likes."""
    endless = console.options.update(width=1 << 16)
    return Measurement.get(console, endless, table).maximum


def heat(columns: Sequence[int], width: int, mark: Mark) -> Text:
    """Draw ulps along the length, a character a position, several in one where space is short.

    mark: the verdict's, which is what the colour means.

    A dot is equal bits; the bar's height is the logarithm of the ulps.
    """
    step = max(1, -(-len(columns) // width))
    strip = Text()
    for start in range(0, len(columns), step):
        worst = max(columns[start : start + step])
        strip.append(_bar(worst), style=MARKS[mark if worst else "faint"])
    return strip


def _bar(ulp: int) -> str:
    if not ulp:
        return "·"
    return HEAT[min(len(HEAT), ulp.bit_length()) - 1]
