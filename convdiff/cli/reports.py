"""The reports of one run or comparison: which are asked for, and where they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.files import refuse_unwritable, write_atomically
from convdiff.cli.stdout import write_out
from convdiff.errors import ConvdiffError

if TYPE_CHECKING:
    from convdiff.result import Result

REPORT_OPTIONS = (
    click.option(
        "--json",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        metavar="FILE|-",
        help="Write the JSON report; - is stdout, instead of the text.",
    ),
    click.option(
        "--junit",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write a JUnit XML report, for the test views of CI servers.",
    ),
    click.option(
        "--markdown",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write a report in GitHub's Markdown, below 1 MiB: $GITHUB_STEP_SUMMARY.",
    ),
    click.option(
        "--github", is_flag=True, help="Annotate the case files in a GitHub workflow's log."
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "never", "always"]),
        default="auto",
        show_default=True,
        help="Colours on stdout; NO_COLOR is heeded.",
    ),
)


@dataclass(frozen=True)
class Reports:
    """The reports that are asked for."""

    json: Path | None
    junit: Path | None
    markdown: Path | None
    github: bool
    color: str
    show_all: bool

    @property
    def files(self) -> dict[str, Path]:
        """Return the reports that are written to files, by the option that asks for each."""
        asked = {
            "--json": None if self._on_stdout else self.json,
            "--junit": self.junit,
            "--markdown": self.markdown,
        }
        return {option: path for option, path in asked.items() if path is not None}

    def refuse(self, **others: Path | None) -> None:
        """Raise ConvdiffError before any work for files that can't be written, or are one."""
        named = {f"--{option}": path for option, path in others.items() if path is not None}
        refuse_unwritable({**self.files, **named})

    def write(self, result: Result, again: Sequence[str], *, sweep: bool = False) -> None:
        """Write all of them; one that can't be written costs no other, and is raised at the end.

        again: the command that repeats each case.
        """
        unwritten = self._write_files(result, again)
        if self._on_stdout:
            write_out(_json(result))
        else:
            write_out(self._text(result, again, sweep=sweep))
        if self.github:
            from convdiff.report.github import render

            if self._on_stdout:
                click.echo(render(result), nl=False, err=True)
            else:
                write_out(render(result))
        if unwritten:
            raise unwritten[0]

    @property
    def _on_stdout(self) -> bool:
        """Whether stdout is for JSON, instead of the text."""
        return self.json == Path("-")

    def _write_files(self, result: Result, again: Sequence[str]) -> list[ConvdiffError]:
        renderings: dict[str, Callable[[], str]] = {
            "--json": lambda: _json(result),
            "--junit": lambda: _junit(result),
            "--markdown": lambda: _markdown(result, again),
        }
        unwritten = []
        for option, path in self.files.items():
            try:
                write_atomically(option, path, renderings[option]())
            except ConvdiffError as error:
                unwritten.append(error)
        return unwritten

    def _text(self, result: Result, again: Sequence[str], *, sweep: bool) -> str:
        from convdiff.cli.screen import rendered
        from convdiff.report.console import print_run, print_sweep

        print_report = print_sweep if sweep else print_run
        return rendered(
            lambda console: print_report(console, result, again, show_all=self.show_all),
            self.color,
        )


def _json(result: Result) -> str:
    from convdiff.report.json import render

    return render(result)


def _junit(result: Result) -> str:
    from convdiff.report.junit import render

    return render(result)


def _markdown(result: Result, again: Sequence[str]) -> str:
    from convdiff.report.markdown import render

    return render(result, again)
