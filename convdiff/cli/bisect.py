"""`convdiff bisect`: the release, the setting or the size at which a case changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from convdiff.cli.bisect_options import OPTIONS, Asked, asked_of
from convdiff.cli.complete import CASES, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import packed
from convdiff.cli.searches import say_known
from convdiff.cli.stopper import Stopper
from convdiff.cli.streams import write_out
from convdiff.errors import ConvdiffError

EPILOG = """\b
Example:
  convdiff bisect --requires 'tensorflow==1.0..2.21'
  convdiff bisect --lengths 5,9 --requires 'tensorflow==1.0..2.21' --scan
  convdiff bisect case.yaml --good-env 'A=1 B=2' --bad-env 'A=0 B=3 C=4'
  convdiff bisect case.yaml --lengths 7..20000 --framework torch
  convdiff bisect --requires 'tensorflow==1.0..2.21' --find-fix
"""


@click.command("bisect", cls=Grouped, params=[*OPTIONS], epilog=EPILOG)
@click.argument(
    "case", required=False, type=click.Path(path_type=Path), shell_complete=files(*CASES)
)
@packed("asked", OPTIONS, asked_of)
def command(case: Path | None, asked: Asked) -> int:
    """Find where CASE changes: between two releases, two environments, or two sizes.

    With --requires 'PACKAGE==FIRST..LAST' the last patch of each minor release is a step, installed
    when it is asked; what is compared is what the case shows there: the verdicts along its own axes
    and their proved causes. With --good-env and --bad-env the fewest variables that change the
    bits are found. Else the sizes of --lengths, --batch or --channels are the line, and the bits of
    the outputs that all of them have are compared; where they change at a product of sizes, other
    shapes confirm it. Both ends come first; exits 1 where they differ, 0 where they agree, and then
    says what is between them, untried; 125 where they are not what --good and --bad say. What an
    earlier run has tried is known.
    """
    from convdiff.cli.session import load_all

    asked.refuse()
    _refuse_model(case)
    plain = replace(asked.options, requires=())
    (loaded,) = load_all((case,) if case else (), plain)
    from convdiff.cli.bisect_searches import search
    from convdiff.cli.progress import progress
    from convdiff.cli.signals import ended, stopped_by_signals

    ends = Stopper()
    with progress() as tell, stopped_by_signals(ends.stopping, ends.end):
        stepping = asked.stepping(ends.watch, tell)
        lines, code = search(loaded, asked, stepping)
    write_out("".join(f"{line}\n" for line in lines))
    say_known(stepping.ledger)
    return ended(ends.stopping.signal, code)


def _refuse_model(case: Path | None) -> None:
    """Raise ConvdiffError for a model file, with how one of its layers becomes a case."""
    from convdiff.cli.trace_model import is_model

    if case is not None and is_model(case):
        how = f"convdiff extract {case} --layer NAME -o case.yaml writes a case of one layer"
        raise ConvdiffError(
            f"{case}: a model, and bisect runs one convolution; {how} (convdiff inspect {case} "
            "lists them)"
        )
