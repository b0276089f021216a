"""`convdiff shrink`: the smallest case that still shows the same difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.files import refuse_unwritable, write_each
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import MATRIX_OPTIONS, Options, packed
from convdiff.cli.shared import shared
from convdiff.cli.streams import write_err, write_out
from convdiff.errors import ENDED, SAME, SIGNALS, UNTESTED

if TYPE_CHECKING:
    from convdiff.result import Result
    from convdiff.search.shrink import Shrunk

EPILOG = """\b
Example:
  convdiff shrink case.yaml -o small.yaml
  convdiff shrink case.yaml --framework torch,jax --script report.py
  convdiff shrink case.yaml --lengths 7,9 --python ../old-env/bin/python
"""
MATRIX = (
    "lengths",
    "batch",
    "channels_out",
    "threads",
    "device",
    "framework",
    "kernel",
    "runtime",
    "vary",
    "python",
    "requires",
    "exclude_newer",
    "require",
    "strict",
    "budget",
    "timeout",
)
"""The options of `run` that say what is compared."""
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
FRESH = shared("fresh", "Run every step, whatever is known of earlier runs.")
SHARED = tuple(option for option in MATRIX_OPTIONS if option.name in MATRIX)


@dataclass(frozen=True)
class Asked:
    """What is shrunk, and where it is written."""

    options: Options
    output: Path | None
    script: Path | None
    runs: int
    fresh: bool

    @property
    def files(self) -> dict[str, Path]:
        """The files that are asked for, by option."""
        named = {"--output": self.output, "--script": self.script}
        return {option: path for option, path in named.items() if path is not None}


def _asked_of(values: Mapping[str, Any]) -> Asked:
    options = Options(**{name: values[name] for name in MATRIX})
    return Asked(options, values["output"], values["script"], values["runs"], values["fresh"])


OPTIONS = (*SHARED, OUT, SCRIPT, RUNS, FRESH)


@click.command("shrink", cls=Grouped, params=[*OPTIONS], epilog=EPILOG)
@click.argument(
    "case", required=False, type=click.Path(path_type=Path), shell_complete=files(*CASES)
)
@packed("asked", OPTIONS, _asked_of)
def command(case: Path | None, asked: Asked) -> int:
    """Find the smallest case that still shows the gravest difference of CASE.

    The same verdict, along the same axis, of the same proved cause: fewer channels, taps, images
    and positions, then small integers and short decimals in place of the numbers, until no single
    step is left. Every step is run and explained; what an earlier run of it has tried is known, so
    that one that was ended goes on where it was. Exits 125 where nothing differs.
    """
    from convdiff.cli.session import load_all
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.session import Session
    from convdiff.report.known import known_words

    options = asked.options
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
        _write(result, least, asked, known_words(ledger.known))
    elif not session.signal:
        write_err(f"convdiff: {loaded.name}: nothing to shrink: {_why(result)}")
    if session.signal:
        write_err(f"convdiff: {SIGNALS[session.signal]}")
        return ENDED + session.signal
    return SAME if least is not None else UNTESTED


def _why(result: Result) -> str:
    """Say why there is no difference to shrink."""
    from convdiff.search.signature import gravest

    missing = [standing for standing in result.standings if not standing.available]
    if not result.cases or not result.cases[0].runtimes:
        return f"{missing[0].name}: {missing[0].reason}" if missing else "nothing was run"
    if gravest(result.cases[0].findings) is None:
        return "no two of its runs differ"
    return "the difference does not show where its two sides are run alone"


def _write(result: Result, least: Shrunk, asked: Asked, known: Sequence[str]) -> None:
    """Write the case, the script, and what became of it."""
    from convdiff.report.shrunk import case_text, script_text, sentences

    fingerprints = {one.runtime: one.fingerprint for one in result.standings}
    texts = {"--output": lambda: case_text(least)}
    texts["--script"] = lambda: script_text(least, fingerprints)
    written = [(option, path, texts[option]()) for option, path in asked.files.items()]
    unwritten = write_each(iter(written))
    if asked.output is None:
        write_out(case_text(least))
    for line in (*sentences(least), *known):
        write_err(f"convdiff: {line}")
    if unwritten:
        raise unwritten[0]
