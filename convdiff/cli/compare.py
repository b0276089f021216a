"""`convdiff compare`: two recordings, without running anything."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from convdiff.case.model import Allowance
from convdiff.cli.reports import REPORT_OPTIONS, Reports

EPILOG = """\b
Example:
  convdiff compare there.json here.json
  convdiff compare there.json here.json --expect ulps:2
  convdiff compare gpu.safetensors cpu.safetensors --expect rounding
"""


class AllowanceType(click.ParamType[Any]):
    """What may differ, as a case file's `expect` says it, and ulps:N."""

    name = "bitwise|ulps:N|rounding|anything"

    def convert(self, value: Any, param: Any, ctx: Any) -> Allowance:
        """Parse an allowance."""
        if isinstance(value, Allowance):
            return value
        if value in ("bitwise", "rounding", "anything"):
            return Allowance(value)
        found = re.fullmatch(r"ulps:\s*(\d{1,18})", value)
        if not found:
            self.fail(f"{value!r} is not one of {self.name}", param, ctx)
        return Allowance("ulps", int(found[1]))


def _with_reports(function: Any) -> Any:
    for option in reversed(REPORT_OPTIONS):
        function = option(function)
    return function


@click.command("compare", epilog=EPILOG)
@click.argument("a", type=click.Path(path_type=Path), metavar="A")
@click.argument("b", type=click.Path(path_type=Path), metavar="B")
@click.option(
    "--expect", type=AllowanceType(), help="What may differ; default: what B's cases expect."
)
@click.option("--strict", is_flag=True, help="Tell −0 from +0, and one NaN from another.")
@click.option("--all", "show_all", is_flag=True, help="Show every comparison and element.")
@click.option(
    "--explain/--no-explain",
    default=None,
    help="Replay the recorded orders of large cells too, or of none.  [default: of small ones]",
)
@_with_reports
def command(
    a: Path,
    b: Path,
    expect: Allowance | None,
    strict: bool,
    show_all: bool,
    explain: bool | None,
    **files: Any,
) -> int:
    """Compare recording B with recording A, and say why they differ as far as files can tell.

    Cells are aligned by case, operation, length and batch; one without a counterpart is compared
    with the longest. Imports no framework and runs nothing.
    """
    reports = Reports(show_all=show_all, **files)
    reports.refuse()
    from convdiff.comparing import Asked, compare_recordings
    from convdiff.plan.cost import REPLAYED
    from convdiff.recording.files import read_recording

    names = (str(a), str(b)) if a.name == b.name else (a.name, b.name)
    if names[0] == names[1]:
        names = (names[0], f"{names[1]} again")
    recordings = [read_recording(path, name) for path, name in zip((a, b), names, strict=True)]
    asked = Asked(
        expect,
        strict,
        sys.maxsize if show_all else 10,
        REPLAYED if explain is None else float("inf") if explain else 0,
    )
    result = compare_recordings(recordings[0], recordings[1], asked)
    again = shlex.join(["convdiff", "compare", str(a), str(b)])
    reports.write(result, [again] * len(result.cases))
    return result.exit_code
