"""`convdiff show`: a recording as text."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from convdiff.cli.complete import RECORDINGS, files
from convdiff.cli.reports import COLOUR

EPILOG = """\b
Example:
  convdiff show baseline.safetensors
\b
Git shows recordings in its diffs with it:
  echo '*.safetensors diff=convdiff' >> .gitattributes
  git config diff.convdiff.textconv 'convdiff show'
"""


RECORDING = click.Argument(
    ["recording"],
    type=click.Path(path_type=Path),
    metavar="RECORDING",
    shell_complete=files(*RECORDINGS),
)
ALL = click.Option(["--all", "show_all"], is_flag=True, help="Show every value.")


@click.command("show", params=[RECORDING, ALL, COLOUR], epilog=EPILOG)
def command(recording: Path, show_all: bool, color: str) -> int:
    """Render a RECORDING as text: cases, machines, orders, and a line a value.

    Imports no framework and runs nothing. A terminal gets it wrapped by words, a pipe line by line.
    """
    from convdiff.cli.streams import write_out
    from convdiff.recording.files import read_recording
    from convdiff.report.console.screen import rendered
    from convdiff.report.console.show import print_recording
    from convdiff.report.show import lines

    shown = lines(read_recording(recording), show_all=show_all)
    wrap = sys.stdout.isatty()
    write_out(rendered(lambda console: print_recording(console, shown, wrap=wrap), color))
    return 0
