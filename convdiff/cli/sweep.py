"""`convdiff sweep`: one case over a matrix."""

from __future__ import annotations

from pathlib import Path

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import MATRIX_OPTIONS, Options, matrix_options

EPILOG = """\b
Example:
  convdiff sweep --lengths 5..64
  convdiff sweep case.yaml --lengths 7..20 --threads 1,2
  convdiff sweep case.yaml --vary TF_ENABLE_ONEDNN_OPTS=1,0
  convdiff sweep case.yaml --lengths 5..2000 --time 120
"""

SPAN = 60
"""Lengths swept when neither the command line nor the case names several."""


@click.command("sweep", cls=Grouped, params=[*MATRIX_OPTIONS], epilog=EPILOG)
@click.argument(
    "case", required=False, type=click.Path(path_type=Path), shell_complete=files(*CASES)
)
@matrix_options
def command(case: Path | None, options: Options) -> int:
    """Run one case over a matrix of lengths, batches, threads, devices, settings, interpreters.

    One row a value, a heat strip of output positions, and the safe lengths: those whose outputs
    are bit-identical to the longest one's. Without CASE, the built-in case. With nothing named to
    vary: the case's own lengths, or 60 from the filter's width on where it has only one.
    A net, or a model file, is traced (convdiff trace); the 60 are those that give an output.
    """
    from dataclasses import replace

    from convdiff.cli.session import load_all, run_session
    from convdiff.cli.trace import traced
    from convdiff.errors import ConvdiffError

    code = None if case is None else traced(case, options, SPAN)
    if code is not None:
        return code
    if case is not None and case.is_dir():
        raise ConvdiffError(f"{case}: a folder; sweep takes one case, `convdiff run` all of them")
    cases = load_all((case,) if case else (), options)
    if not options.names_an_axis and len(cases[0].lengths) == 1:
        from convdiff.case.override import vary

        first = cases[0].conv.axes[-1].least
        cases = [vary(cases[0], tuple(range(first, first + SPAN)))]
        options = replace(options, lengths=cases[0].lengths)
    return run_session(cases, options, "sweep")
