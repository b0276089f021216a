"""`convdiff shrink`: the smallest case that still shows the same difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.files import refuse_unwritable, write_each
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import Options, options_of, packed
from convdiff.cli.searches import FRESH, of_search, say_known
from convdiff.cli.streams import write_err, write_out
from convdiff.errors import SAME, UNTESTED

if TYPE_CHECKING:
    from convdiff.result import Result
    from convdiff.search.ledger import Ledger
    from convdiff.search.shrink import Shrunk

EPILOG = """\b
Example:
  convdiff shrink case.yaml -o small.yaml
  convdiff shrink case.yaml --framework torch,jax --script report.py
  convdiff shrink case.yaml --lengths 7,9 --python ../old-env/bin/python
"""
WHERE = of_search("channels_out", "vary", "require", "strict", "budget")
OUT = click.Option(
    ["-o", "--output"],
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the case there instead of printing it.",
)
SCRIPT = click.Option(
    ["--script"],
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it as a Python script of its own, too, without convdiff, for a bug report.",
)
RUNS = click.Option(
    ["--runs"],
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    metavar="N",
    help="Cases that may be run on the way.",
)
OWN = (OUT, SCRIPT, RUNS, FRESH)


@dataclass(frozen=True)
class Asked:
    """How far a case is shrunk, and where it is written."""

    output: Path | None
    script: Path | None
    runs: int
    fresh: bool

    @property
    def files(self) -> dict[str, Path]:
        """The files that are asked for, by option."""
        named = {"--output": self.output, "--script": self.script}
        return {option: path for option, path in named.items() if path is not None}


@click.command("shrink", cls=Grouped, params=[*WHERE, *OWN], epilog=EPILOG)
@click.argument(
    "case", required=False, type=click.Path(path_type=Path), shell_complete=files(*CASES)
)
@packed("options", WHERE, options_of)
@packed("asked", OWN, lambda values: Asked(**values))
def command(case: Path | None, options: Options, asked: Asked) -> int:
    """Find the smallest case that still shows the gravest difference of CASE.

    The same verdict, along the same axis, of the same proved cause: fewer channels, taps, images
    and positions, then small integers and short decimals in place of the numbers, until no single
    step is left. Every step is run and explained; what an earlier run of it has tried is known, so
    that one that was ended goes on where it was. Exits 125 where nothing differs.
    """
    from convdiff.cli.session import load_all
    from convdiff.cli.signals import ended, stopped_by_signals
    from convdiff.lab.session import Session

    refuse_unwritable(asked.files)
    (loaded,) = load_all((case,) if case else (), options)
    with Session(options.interpreters(), options.timeout, options.require) as session:
        session.start()
        from convdiff.case.arrays import refuse_too_big
        from convdiff.cli.progress import progress
        from convdiff.pipeline import Ask
        from convdiff.search.find import shrunk
        from convdiff.search.ledger import Ledger

        refuse_too_big(loaded)
        ask = Ask(strict=options.strict, budget=options.budget)
        ledger = Ledger(fresh=asked.fresh)
        with progress() as tell, stopped_by_signals(session.stopping, session.stop):
            result, least = shrunk(loaded, session, ask, asked.runs, tell, ledger)
    if least is not None:
        _write(result, least, asked, ledger)
    elif not session.signal:
        write_err(f"convdiff: {loaded.name}: nothing to shrink: {_why(result)}")
    return ended(session.signal, SAME if least is not None else UNTESTED)


def _why(result: Result) -> str:
    """Say why there is no difference to shrink."""
    from convdiff.search.signature import gravest

    missing = [standing for standing in result.standings if not standing.available]
    if not result.cases or not result.cases[0].runtimes:
        return f"{missing[0].name}: {missing[0].reason}" if missing else "nothing was run"
    if gravest(result.cases[0].findings) is None:
        return "no two of its runs differ"
    return "the difference does not show where its two sides are run alone"


def _write(result: Result, least: Shrunk, asked: Asked, ledger: Ledger) -> None:
    """Write the case, the script, and what became of it."""
    from convdiff.report.shrunk import case_text, script_text, sentences

    fingerprints = {standing.runtime: standing.fingerprint for standing in result.standings}
    texts = {"--output": lambda: case_text(least)}
    texts["--script"] = lambda: script_text(least, fingerprints)
    written = [(option, path, texts[option]()) for option, path in asked.files.items()]
    unwritten = write_each(iter(written))
    if asked.output is None:
        write_out(case_text(least))
    for line in sentences(least):
        write_err(f"convdiff: {line}")
    say_known(ledger)
    if unwritten:
        raise unwritten[0]
