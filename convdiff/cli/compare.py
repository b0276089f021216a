"""`convdiff compare`: two recordings, without running anything."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from convdiff.case.model import Allowance
from convdiff.cli.options import STRICT, packed
from convdiff.cli.reports import REPORT_OPTIONS, SHOW_ALL, Reports, reports_of
from convdiff.cli.types import ALLOWANCE

EPILOG = """\b
Example:
  convdiff compare there.json here.json
  convdiff compare there.json here.json --expect ulps:2
  convdiff compare gpu.safetensors cpu.safetensors --expect rounding
"""


OPTIONS = (
    click.Option(
        ["--expect"], type=ALLOWANCE, help="What may differ; default: what B's cases expect."
    ),
    STRICT,
    SHOW_ALL,
    click.Option(
        ["--explain/--no-explain"],
        default=None,
        help="Replay the recorded orders of large cells too, or of none.  [default: of small ones]",
    ),
    *REPORT_OPTIONS,
)

REPLAYS = {True: float("inf"), False: 0.0}
"""Products of a cell up to which its orders are replayed, where that is asked for or refused."""


@click.command("compare", params=[*OPTIONS], epilog=EPILOG)
@click.argument("a", type=click.Path(path_type=Path), metavar="A")
@click.argument("b", type=click.Path(path_type=Path), metavar="B")
@packed("reports", (SHOW_ALL, *REPORT_OPTIONS), reports_of)
def command(
    a: Path,
    b: Path,
    expect: Allowance | None,
    strict: bool,
    explain: bool | None,
    reports: Reports,
) -> int:
    """Compare recording B with recording A, and say why they differ as far as files can tell.

    Cells are aligned by case, operation, length and batch; one without a counterpart is compared
    with the longest. Imports no framework and runs nothing.
    """
    reports.refuse()
    from convdiff.comparing import Asked, compare_recordings
    from convdiff.plan.cost import REPLAYED
    from convdiff.recording.files import read_recording

    name_a, name_b = _names(a, b)
    elements = sys.maxsize if reports.show_all else 10
    replays = REPLAYED if explain is None else REPLAYS[explain]
    asked = Asked(expect, strict, elements, replays, replays if explain else None)
    result = compare_recordings(read_recording(a, name_a), read_recording(b, name_b), asked)
    again = shlex.join(["convdiff", "compare", str(a), str(b)])
    reports.write(result, [again] * len(result.cases))
    return result.exit_code


def _names(a: Path, b: Path) -> tuple[str, str]:
    """Return what the recordings are called: their file names, if these tell them apart."""
    names = (str(a), str(b)) if a.name == b.name else (a.name, b.name)
    return names if names[0] != names[1] else (names[0], f"{names[1]} again")
