"""`convdiff compare`: two recordings, or two outputs of a case, without running anything."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.case.layout import LAYOUTS
from convdiff.case.model import Allowance
from convdiff.cli.complete import CASES, OUTPUTS, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import STRICT, TIME, packed
from convdiff.cli.reports import DETAIL_OPTIONS, REPORT_OPTIONS, Reports, reports_of
from convdiff.cli.streams import write_err
from convdiff.cli.types import ALLOWANCE, Choice
from convdiff.errors import ENDINGS, ConvdiffError

if TYPE_CHECKING:
    from convdiff.comparing import Asked
    from convdiff.lab.watch import Watch
    from convdiff.result import Result

EPILOG = """\b
Example:
  convdiff compare there.json here.json
  convdiff compare there.json here.json --expect ulps:2
  convdiff compare gpu.safetensors cpu.safetensors --expect rounding
  convdiff compare theirs.npy mine.npy --case case.yaml
  convdiff compare there.safetensors here.safetensors --explain --time 60
"""


OPTIONS = (
    click.Option(
        ["--expect"], type=ALLOWANCE, help="What may differ; default: what B's cases expect."
    ),
    click.Option(
        ["--case"],
        type=click.Path(path_type=Path),
        shell_complete=files(*CASES),
        metavar="CASE",
        help="The case that A and B are outputs of, as .npy or .npz#member; the longest length.",
    ),
    click.Option(
        ["--layout"],
        type=Choice(LAYOUTS),
        help="With --case: how A and B lie.  [default: as the case's arrays]",
    ),
    STRICT,
    *DETAIL_OPTIONS,
    click.Option(
        ["--explain/--no-explain"],
        default=None,
        help="Replay the recorded orders of large cells too, or of none.  [default: of small ones]",
    ),
    TIME,
    *REPORT_OPTIONS,
)

READ = files(*OUTPUTS)
REPLAYS = {True: float("inf"), False: 0.0}
"""Products of a cell up to which its orders are replayed, where that is asked for or refused."""


@click.command("compare", cls=Grouped, params=[*OPTIONS], epilog=EPILOG)
@click.argument("a", type=click.Path(path_type=Path), metavar="A", shell_complete=READ)
@click.argument("b", type=click.Path(path_type=Path), metavar="B", shell_complete=READ)
@packed("reports", (*DETAIL_OPTIONS, *REPORT_OPTIONS), reports_of)
def command(
    a: Path,
    b: Path,
    expect: Allowance | None,
    case: Path | None,
    layout: str | None,
    strict: bool,
    explain: bool | None,
    time: float | None,
    reports: Reports,
) -> int:
    """Compare recording B with recording A, and say why they differ as far as files can tell.

    Cells are aligned by case, operation, length and batch; one without a counterpart is compared
    with the longest. With --case, A and B are two outputs of that case, whoever computed them.
    Imports no framework and runs nothing.
    """
    reports.refuse()
    from convdiff.comparing import Asked
    from convdiff.plan.cost import REPLAYED
    from convdiff.report.commands import Commands

    elements = sys.maxsize if reports.show_all else 10
    replays = REPLAYED if explain is None else REPLAYS[explain]
    asked = Asked(expect, strict, elements, replays, replays if explain else None)
    again = ["convdiff", "compare", str(a), str(b)]
    if case is not None and explain:
        raise ConvdiffError("--explain: outputs from files have no orders to replay")
    if case is not None:
        again += ["--case", str(case)]
    if layout is not None:
        again += ["--layout", layout]
        if case is None:
            raise ConvdiffError("--layout: recordings say it themselves; it goes with --case")
    result = _compared(a, b, case, asked, time, quiet=reports.quiet, layout=layout)
    reports.write(result, [Commands(shlex.join(again))] * len(result.cases))
    if result.signal:
        write_err(f"convdiff: {ENDINGS[result.signal]}")
    return result.exit_code


def _compared(
    a: Path,
    b: Path,
    case: Path | None,
    asked: Asked,
    time: float | None,
    *,
    quiet: bool,
    layout: str | None,
) -> Result:
    """Compare two recordings, or two outputs of a case, as far as no signal ends it."""
    from convdiff.cli.progress import progress
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.stop import Stop
    from convdiff.lab.watch import Watch

    stop = Stop()
    with progress("reading", quiet=quiet) as tell, stopped_by_signals(stop, stop.now, time):
        watch = Watch(tell, stop)
        if case is None:
            return _recordings(a, b, asked, watch)
        return _outputs(a, b, case, layout, asked, watch)


def _recordings(a: Path, b: Path, asked: Asked, watch: Watch) -> Result:
    """Compare two recordings."""
    from convdiff.comparing import compare_recordings
    from convdiff.lab.lab import NotAsked
    from convdiff.recording.files import read_recording
    from convdiff.result import Result

    sides = []
    for path, name in zip((a, b), _names(a, b), strict=True):
        recording = watch.compute(f"reading {name}", partial(read_recording, path, name))
        if isinstance(recording, NotAsked):
            return Result((), (), signal=watch.stop.signal)
        sides.append(recording)
    return compare_recordings(sides[0], sides[1], asked, watch)


def _outputs(
    a: Path, b: Path, case: Path, layout: str | None, asked: Asked, watch: Watch
) -> Result:
    """Compare two outputs of a case."""
    from convdiff.cli.session import load
    from convdiff.comparing import compare_outputs
    from convdiff.recording.outputs import Output

    pairs = zip(_names(a, b), (a, b), strict=True)
    sides = [Output(name, *_member(path), layout) for name, path in pairs]
    return compare_outputs(load(case), sides[0], sides[1], asked, watch)


def _member(path: Path) -> tuple[Path, str | None]:
    """Split name.npz#member, which is no file of that name. Raises ConvdiffError for no array."""
    name, _, member = (str(path), "", "") if path.exists() else str(path).partition("#")
    if Path(name).suffix not in (".npy", ".npz"):
        raise ConvdiffError(f"{path}: --case compares two outputs, *.npy or *.npz#member")
    return Path(name), member or None


def _names(a: Path, b: Path) -> tuple[str, str]:
    """Return what the recordings are called: their file names, if these tell them apart."""
    names = (str(a), str(b)) if a.name == b.name else (a.name, b.name)
    return names if names[0] != names[1] else (names[0], f"{names[1]} again")
