"""The reports of one run or comparison: which are asked for, and where they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convdiff.cli.files import refuse_unwritable, write_each
from convdiff.cli.signals import stopped_by_signals
from convdiff.cli.streams import write_err, write_out
from convdiff.cli.types import Choice
from convdiff.errors import ConvdiffError
from convdiff.lab.stop import Stop
from convdiff.report.formats import FORMATS, Format

if TYPE_CHECKING:
    from rich.console import Console

    from convdiff.report.commands import Commands
    from convdiff.report.net_summary import TraceSummary
    from convdiff.report.summary import Summary
    from convdiff.result import Result

STDOUT = Path("-")


def _option(row: Format) -> click.Option:
    if row.goes_to == "log":
        return click.Option([row.option], is_flag=True, help=row.help)
    dash = row.goes_to == "file or stdout"
    path = click.Path(path_type=Path, dir_okay=False, allow_dash=dash)
    metavar = "FILE|-" if dash else "FILE"
    return click.Option([row.option], type=path, metavar=metavar, help=row.help)


VERBOSE = click.Option(
    ["-v", "--verbose"],
    count=True,
    help="Show every comparison, in detail; -vv: every element, too.",
)
QUIET = click.Option(["-q", "--quiet"], is_flag=True, help="Show a line a case.")
SHOW_ALL = click.Option(
    ["--all", "show_all"], is_flag=True, hidden=True, help="Show every comparison and element: -vv."
)
DETAIL_OPTIONS = (VERBOSE, QUIET, SHOW_ALL)
"""How much is shown; --all is an older name of -vv."""
COLOUR = click.Option(
    ["--color"],
    type=Choice(["auto", "never", "always"]),
    default="auto",
    show_default=True,
    help="Colours on stdout; NO_COLOR is heeded.",
)
REPORT_OPTIONS = (
    *map(_option, FORMATS),
    COLOUR,
)


@dataclass(frozen=True)
class Reports:
    """The reports that are asked for."""

    asked: Mapping[str, Path | bool | None] = field(default_factory=dict)
    """By the format's name: its file, or whether it is wanted where it goes to the log."""
    color: str = "auto"
    verbose: int = 0
    quiet: bool = False

    @property
    def show_all(self) -> bool:
        """Whether every comparison and element is shown."""
        return self.verbose > 1

    @property
    def files(self) -> dict[str, Path]:
        """Return the reports that are written to files, by the option that asks for each."""
        return {row.option: path for row, path in self.written()}

    def refuse(self, **others: Path | None) -> None:
        """Raise ConvdiffError before any work for files that can't be written, or are one."""
        on_stdout = [row.option for row in FORMATS if self._is_on_stdout(row)]
        if len(on_stdout) > 1:
            raise ConvdiffError(f"{' and '.join(on_stdout)}: only one can have stdout")
        named = {f"--{option}": path for option, path in others.items() if path is not None}
        refuse_unwritable({**self.files, **named})

    def write(
        self,
        result: Result,
        commands: Sequence[Commands],
        nets: Sequence[TraceSummary] = (),
        *,
        sweep: bool = False,
        unnamed: str = "",
        explained: bool = False,
    ) -> None:
        """Write all of them; one that can't be written costs no other, and is raised at the end.

        commands: those of each case. nets: those beside them. unnamed: the framework that nobody
        named. explained: what is allowed was asked to be, too. What was found is all there: a
        signal that comes meanwhile changes nothing.
        """
        from convdiff.report.summary import summarise

        late = Stop()
        with stopped_by_signals(late, late.now):
            summary = summarise(result, commands, nets, unnamed=unnamed, explained=explained)
            unwritten = self._write_files(summary)
            render = lambda row: row.render(summary)  # noqa: E731
            texts = list(self.texts(lambda: self._text(summary, sweep=sweep), render))
        for write, text in texts:
            write(text)
        if unwritten:
            raise unwritten[0]

    def texts(
        self, text: Callable[[], str], render: Callable[[Format], str]
    ) -> Iterator[tuple[Callable[[str], None], str]]:
        """Yield what goes to streams, the text or a format, each with what writes it there."""
        on_stdout = [row for row in FORMATS if self._is_on_stdout(row)]
        for row in on_stdout:
            yield write_out, render(row)
        if not on_stdout:
            yield write_out, text()
        for row in FORMATS:
            if row.goes_to == "log" and self.asked.get(row.name):
                yield (_write_log if on_stdout else write_out), render(row)

    def _is_on_stdout(self, row: Format) -> bool:
        """Return whether stdout is for this format, instead of the text."""
        return row.goes_to == "file or stdout" and self.asked.get(row.name) == STDOUT

    def written(self) -> list[tuple[Format, Path]]:
        """Return the formats that are written to files."""
        written = []
        for row in FORMATS:
            path = self.asked.get(row.name)
            if isinstance(path, Path) and not self._is_on_stdout(row):
                written.append((row, path))
        return written

    def _write_files(self, summary: Summary) -> list[ConvdiffError]:
        files = self.written()
        return write_each((row.option, path, row.render(summary)) for row, path in files)

    def _text(self, summary: Summary, *, sweep: bool) -> str:
        from convdiff.report.console import print_brief, print_brief_sweep, print_run, print_sweep
        from convdiff.report.console.screen import rendered

        def print_report(console: Console) -> None:
            if self.verbose:
                whole = print_sweep if sweep else print_run
                whole(console, summary, show_all=self.show_all)
            elif sweep and not self.quiet:
                print_brief_sweep(console, summary)
            else:
                print_brief(console, summary, quiet=self.quiet)

        return rendered(print_report, self.color)


def reports_of(values: Mapping[str, Any]) -> Reports:
    """Return the reports that the options' values ask for; a command need not have all of them."""
    asked = {row.name: values.get(row.name) for row in FORMATS}
    verbose = 2 if values.get("show_all") else values.get("verbose", 0)
    return Reports(asked, values.get("color", "auto"), verbose, values.get("quiet", False))


def _write_log(text: str) -> None:
    """Write what a log's reader takes to stderr, where stdout is another program's."""
    write_err(text.removesuffix("\n"))
