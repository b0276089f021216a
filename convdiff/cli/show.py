"""`convdiff show`: a recording as text."""

from __future__ import annotations

from pathlib import Path

import click

EPILOG = """\b
Example:
  convdiff show baseline.safetensors
\b
Git shows recordings in its diffs with it:
  echo '*.safetensors diff=convdiff' >> .gitattributes
  git config diff.convdiff.textconv 'convdiff show'
"""


@click.command("show", epilog=EPILOG)
@click.argument("recording", type=click.Path(path_type=Path), metavar="RECORDING")
@click.option("--all", "show_all", is_flag=True, help="Show every value.")
def command(recording: Path, show_all: bool) -> int:
    """Render a RECORDING as text: cases, machines, orders, and a line a value.

    Imports no framework and runs nothing.
    """
    from convdiff.cli.streams import write_out
    from convdiff.recording.files import read_recording
    from convdiff.report.show import lines

    found = read_recording(recording)
    write_out("".join(f"{line}\n" for line in lines(found, show_all=show_all)))
    return 0
