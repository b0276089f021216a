"""`convdiff explain`: the summation orders of one output, or of two and why they differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.explain_options import OPTIONS, Asked, asked_of
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import packed
from convdiff.errors import SAME, UNTESTED

if TYPE_CHECKING:
    from rich.console import Console

    from convdiff.explaining.model import ElementReport, PairReport

EPILOG = """\b
Example:
  convdiff explain
  convdiff explain cases/variable_padding.yaml --lengths 7 --index 0,0,2,0
  convdiff explain cases/variable_padding.yaml --lengths 7,9
  convdiff explain case.yaml --op manual --vary TF_ENABLE_ONEDNN_OPTS=0
  convdiff explain case.yaml --framework torch,jax --dot trees.dot
  convdiff explain case.yaml --budget 100000 --time 120
"""


@click.command("explain", cls=Grouped, params=[*OPTIONS], epilog=EPILOG)
@click.argument(
    "case", required=False, type=click.Path(path_type=Path), shell_complete=files(*CASES)
)
@packed("asked", OPTIONS, asked_of)
def command(case: Path | None, asked: Asked) -> int:
    """Reveal the order in which each output was summed, replay it, and draw it.

    The order is read from probes of the same shapes, then replayed in NumPy on the case's own
    numbers and on random ones: it counts only for elements whose bits the replay gives. Exits 125
    where a runtime is missing or no element could be explained. With two outputs, as in
    --lengths 7,9, --batch 1,8 or --framework torch,jax, the cause of their difference is told, too,
    and one element of both drawn. Without CASE, the built-in case.
    """
    from convdiff.case.load import built_in_case
    from convdiff.cli.session import load
    from convdiff.cli.signals import ended, stopped_by_signals
    from convdiff.lab.session import Session

    asked.refuse()
    loaded = load(case) if case else built_in_case()
    chosen, wanted, options = asked.case(loaded), asked.wanted(loaded), asked.options
    interpreters = options.interpreters()
    wanted.refuse_outside(chosen)
    wanted.refuse_many(sum(len(one.devices_of(chosen.devices)) for one in interpreters))
    with Session(interpreters, options.timeout) as session:
        session.start()
        from convdiff.case.arrays import refuse_too_big
        from convdiff.cli.progress import progress
        from convdiff.explaining.one import explain

        refuse_too_big(chosen)
        stop = session.stopping
        with progress() as tell, stopped_by_signals(stop, session.stop, options.time):
            report = explain(chosen, session, wanted, options.budget, tell)
    _write(report, asked)
    return ended(session.signal, SAME if report.is_explained else UNTESTED)


def _write(report: ElementReport | PairReport, asked: Asked) -> None:
    """Write the files that are asked for, and the text, or JSON in its place.

    A file that can't be written costs nothing else, and is raised at the end.
    """
    from convdiff.cli.files import write_each
    from convdiff.cli.streams import write_out
    from convdiff.report.console.screen import rendered

    unwritten = write_each(_files(report, asked))
    if asked.json_on_stdout:
        write_out(_json(report))
    else:
        write_out(
            rendered(lambda console: _print(console, report, asked), asked.options.reports.color)
        )
    if unwritten:
        raise unwritten[0]


def _files(report: ElementReport | PairReport, asked: Asked) -> Iterator[tuple[str, Path, str]]:
    """Yield the files that are asked for: option, path and text."""
    from convdiff.report import dot

    if asked.dot is not None:
        yield "--dot", asked.dot, dot.render(report)
    if asked.json is not None and not asked.json_on_stdout:
        yield "--json", asked.json, _json(report)


def _json(report: ElementReport | PairReport) -> str:
    from convdiff import __version__
    from convdiff.report import explain_json

    return explain_json.render(report, __version__)


def _print(console: Console, report: ElementReport | PairReport, asked: Asked) -> None:
    from convdiff.explaining.model import PairReport
    from convdiff.report.console.explain import print_explanation
    from convdiff.report.console.explain_pair import print_pair
    from convdiff.report.tree_rows import WHOLE

    depth = WHOLE if asked.whole else asked.depth
    if isinstance(report, PairReport):
        print_pair(console, report, depth)
    else:
        print_explanation(console, report, depth)
