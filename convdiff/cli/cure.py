"""`convdiff cure`: what makes a case equal, found by trying."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import Options, options_of, packed
from convdiff.cli.searches import FRESH, of_search, say_known
from convdiff.cli.stopper import Stopper
from convdiff.cli.streams import write_err, write_out
from convdiff.errors import DRIFT, SAME, UNTESTED

if TYPE_CHECKING:
    from convdiff.case.model import Case
    from convdiff.lab.lab import Tell
    from convdiff.runtime.model import Standing
    from convdiff.search.cure.find import Cured
    from convdiff.search.ledger import Ledger

EPILOG = """\b
Example:
  convdiff cure case.yaml
  convdiff cure case.yaml --framework torch --batch 1,8
  convdiff cure case.yaml --vary TF_ENABLE_ONEDNN_OPTS=0 --threads 2,4
  convdiff cure case.yaml --python ../old-env/bin/python
"""
WHERE = of_search("channels_out", "vary", "require")


@click.command("cure", cls=Grouped, params=[*WHERE, FRESH], epilog=EPILOG)
@click.argument(
    "case", required=False, type=click.Path(path_type=Path), shell_complete=files(*CASES)
)
@packed("options", WHERE, options_of)
def command(case: Path | None, fresh: bool, options: Options) -> int:
    """Find what makes CASE equal, by trying it.

    Every switch that its framework has (variables, modes, one thread, padding) is set alone, then
    those together that are known to need each other. Of each: how many comparisons along the case's
    own lengths, batches, threads and devices still drift, how many bits change, how far off exact,
    and what it costs in time. What works is tried again on 16 random inputs and at other lengths,
    and the smallest set that does is recommended. What was run is not run again after an
    interruption. Exits 1 where the case drifts as it stands, 0 where it does not.
    """
    from convdiff.cli.session import load_all

    (loaded,) = load_all((case,) if case else (), options)
    from convdiff.case.arrays import refuse_too_big
    from convdiff.cli.progress import progress
    from convdiff.cli.repeat import sized_words
    from convdiff.cli.signals import ended, stopped_by_signals
    from convdiff.search.ledger import Ledger

    refuse_too_big(loaded)
    ends, ledger = Stopper(), Ledger(fresh=fresh)
    with progress() as tell, stopped_by_signals(ends.stopping, ends.end):
        cures, missing = _cured(loaded, options, ledger, ends, tell)
    _write(cures, missing, shlex.join(["convdiff", "run", *sized_words(loaded, options)]))
    say_known(ledger)
    return ended(ends.stopping.signal, _code(cures, missing))


def _cured(
    case: Case, options: Options, ledger: Ledger, ends: Stopper, tell: Tell
) -> tuple[list[Cured], Sequence[Standing]]:
    """Return what was found for each framework and environment, and what had to be there."""
    from convdiff.lab.session import Session
    from convdiff.search.cure.bench import Bench
    from convdiff.search.cure.find import Search
    from convdiff.search.cure.subjects import subjects

    with Session(options.interpreters(), options.timeout, options.require) as session:
        ends.watch(session)
        session.start()
        standings = session.availability(case)
        missing = [standing for standing in standings if session.missed(standing)]
    cures = []
    for subject in subjects(standings):
        if ends.stopping.signal:
            break
        bench = Bench(case, subject, options.timeout, ends.stopping, ends.watch, ledger, tell)
        say = lambda words: write_err(f"convdiff: {case.name}: {words}")  # noqa: E731
        cures.append(Search(bench, say).run())
    return cures, missing


def _write(cures: Sequence[Cured], missing: Sequence[Standing], run: str) -> None:
    from convdiff.report.console.cure import render

    for one in missing:
        write_err(f"convdiff: {one.name}: {one.reason}")
    for cured in cures:
        write_out(render(cured, run, "auto"))


def _code(cures: Sequence[Cured], missing: Sequence[Standing]) -> int:
    if missing or not cures or any(cured.today.reason for cured in cures):
        return UNTESTED
    return DRIFT if any(cured.today.drifting for cured in cures) else SAME
