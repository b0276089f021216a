"""`convdiff pad`: how far a net's input must be padded for the bits of the fixed length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.complete import CASES, MODELS, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import Options, of_run, options_of, packed
from convdiff.cli.reports import COLOUR
from convdiff.cli.trace_model import is_model, of_its_own
from convdiff.cli.types import NUMBER, RANGE, Choice
from convdiff.errors import SAME, UNTESTED

if TYPE_CHECKING:
    from convdiff.case.net_model import NetCase
    from convdiff.net.padding.result import Answer

EPILOG = """\b
Example:
  convdiff pad cases/nine_layer_net.yaml --data 20..400
  convdiff pad net.yaml --data 20..400 --fixed 2048 --value -150
  convdiff pad net.yaml --data 1..512 --framework torch,onnxruntime
  convdiff pad net.yaml --data 20..400 --format python > padded_length.py
  convdiff pad model.onnx --data 20..400 --fixed 512
"""
FORMATS = ("text", "csv", "json", "python")
WHERE = of_run("framework", "device", "threads", "vary", "python", "runtime", "timeout")
"""Where a net is run, as `run` has it."""
LENGTH = click.IntRange(min=1)


@click.command("pad", cls=Grouped, params=[*WHERE, COLOUR], epilog=EPILOG)
@click.argument("net", type=click.Path(path_type=Path), shell_complete=files(*CASES, *MODELS))
@click.option("--data", type=RANGE, required=True, help="Lengths of the data: 20..400.")
@click.option(
    "--fixed", type=LENGTH, metavar="LENGTH", help="Length to match; default: the net's longest."
)
@click.option(
    "--value", type=NUMBER, default=0.0, show_default=True, help="What the data is padded with."
)
@click.option(
    "--thorough", is_flag=True, help="Try every longer length, too, for three data lengths."
)
@click.option(
    "--format", "form", type=Choice(FORMATS), default="text", show_default=True, help="The report."
)
@packed("options", WHERE, options_of)
def command(
    net: Path,
    data: tuple[int, ...],
    fixed: int | None,
    value: float,
    thorough: bool,
    form: str,
    color: str,
    options: Options,
) -> int:
    """Find the smallest length that gives the bits of the fixed one, for each data length.

    The input is data followed by padding. On paper a length is enough once all outputs that depend
    on the data see what they see at the fixed length; whether the bits are the same is tried out on
    each runtime, and checked again on inputs that the search did not use. What it says holds for
    that runtime alone. NET is a case file with `layers:`, or a model file, which is run as layers,
    in its own framework where none is named.
    """
    from convdiff.cli.signals import ended, stopped_by_signals
    from convdiff.lab.session import Session
    from convdiff.net.padding.ask import ask, question_of

    case, options = _net_of(net, fixed, options)
    with Session(options.interpreters(), options.timeout) as session:
        session.start()
        from convdiff.cli.progress import progress

        asked = question_of(case, data, fixed, value, thorough=thorough)
        with progress() as tell, stopped_by_signals(session.stopping, session.stop):
            answer = ask(asked, case, session, options.device, tell)
    _write(answer, form, color)
    return ended(session.signal, SAME if answer.is_answered else UNTESTED)


def _net_of(path: Path, fixed: int | None, options: Options) -> tuple[NetCase, Options]:
    """Return a net, and the options that hold of it; a model's input is as long as is asked for."""
    from convdiff.case.load_net import load_net
    from convdiff.case.net_override import vary_net
    from convdiff.net.models.as_case import case_of
    from convdiff.net.models.formats import read_model

    if not is_model(path):
        return load_net(path), options
    case = case_of(read_model(path), None)
    longest = (fixed,) if fixed and fixed > case.lengths[-1] else None
    return vary_net(case, longest, (1,)), of_its_own(path, options)


def _write(answer: Answer, form: str, color: str) -> None:
    from convdiff import __version__
    from convdiff.cli.streams import write_out
    from convdiff.report.console import pad
    from convdiff.report.padding import csv, json, python

    render: dict[str, Callable[[], str]] = {
        "text": lambda: pad.render(answer, color),
        "csv": lambda: csv.render(answer),
        "json": lambda: json.render(answer, __version__),
        "python": lambda: python.render(answer),
    }
    write_out(render[form]())
