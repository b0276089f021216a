"""`convdiff trace`: the layers of a net on two sides, and where a difference enters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convdiff.cli.complete import CASES, MODELS, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import MATRIX_OPTIONS, Options, options_of, packed
from convdiff.cli.trace_model import (
    OF_MODELS,
    ModelOptions,
    is_model,
    of_its_own,
    trace_file,
    write_own,
)
from convdiff.errors import ConvdiffError

if TYPE_CHECKING:
    from rich.console import Console

    from convdiff.case.net_model import NetCase
    from convdiff.net.trace.model import TraceResult
    from convdiff.report.trace_summary import TraceSummary

EPILOG = """\b
Example:
  convdiff trace cases/nine_layer_net.yaml --python ../old-env/bin/python
  convdiff trace net.yaml --lengths 452..515 --vary TF_ENABLE_ONEDNN_OPTS=0
  convdiff trace net.yaml --framework tensorflow,torch --lengths 516
  convdiff trace net.yaml --threads 1,4 --until relu_4 --keep activations/
  convdiff trace model.onnx --framework torch --lengths 16..64
  convdiff trace model.onnx --python a/bin/python --python b/bin/python
"""
_SHARED = (
    *("lengths", "batch", "threads", "device", "framework", "kernel", "runtime", "vary", "python"),
    *(
        "require",
        "strict",
        "budget",
        "timeout",
        "time",
        "verbose",
        "quiet",
        "json",
        "markdown",
        "color",
    ),
)
"""Options of `run` that mean the same here."""
FORMATS = ("json", "markdown")
"""Reports of a net."""


@dataclass(frozen=True)
class TraceOptions:
    """What the command line asks of a net besides what it asks of a case."""

    of_model: ModelOptions = field(default_factory=ModelOptions)

    layers: str = ""
    until: str = ""
    keep: Path | None = None


_OWN = (
    click.Option(
        ["--layers"],
        default="",
        metavar="REGEX",
        help="Look at the layers whose names match this alone.",
    ),
    click.Option(["--until"], default="", metavar="NAME", help="Look at no layer after this one."),
    click.Option(
        ["--keep"],
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="Write the activations of the pair that is shown, an .npz a side.",
    ),
)
TRACE_OPTIONS = (*_OWN, *OF_MODELS, *(one for one in MATRIX_OPTIONS if one.name in _SHARED))


def _asked(values: Mapping[str, Any]) -> tuple[Options, TraceOptions]:
    own = {str(option.name): values[str(option.name)] for option in _OWN}
    return options_of(values), TraceOptions(ModelOptions.of(values), **own)


@click.command("trace", cls=Grouped, params=[*TRACE_OPTIONS], epilog=EPILOG)
@click.argument("net", type=click.Path(path_type=Path), shell_complete=files(*CASES, *MODELS))
@packed("asked", TRACE_OPTIONS, _asked)
def command(net: Path, asked: tuple[Options, TraceOptions]) -> int:
    """Compare the layers of a net on two sides, and say where a difference enters.

    NET is a case file with `layers`, or a model file, which is read as data. Its lengths, batches,
    runtimes, threads and settings are compared as those of a case are, with all activations where
    both sides see the same inputs. A layer is entered where all that it reads is equal and its
    output is not; that layer is run alone with its real input, judged and explained. The outputs
    are those of the net with nothing looked at; whether looking changes them is said.

    An ONNX file in onnxruntime alone is run as it is, with all of its operators, on two sides.
    """
    from convdiff.case.load_net import load_net

    options, own = asked
    if is_model(net):
        return _trace_model(net, options, own)
    if own.of_model.names_any:
        raise ConvdiffError(f"{net}: is a case; {', '.join(MODELS)} have the options of a model")
    return trace_net(load_net(net), options, own)


def traced(path: Path, options: Options) -> int | None:
    """Trace what a path is if it is a net or a model, and return the exit code, or None."""
    from convdiff.cli.session import net_at

    if is_model(path):
        return _trace_model(path, options, TraceOptions())
    net = net_at(path)
    return None if net is None else trace_net(net, options, TraceOptions())


def _trace_model(model: Path, options: Options, own: TraceOptions) -> int:
    from convdiff.case.net_model import NetCase

    options = of_its_own(model, options)
    options.reports.refuse()
    found = trace_file(model, options, own.of_model)
    if isinstance(found, NetCase):
        return trace_net(found, options, own)
    return write_own(found, options)


def trace_net(case: NetCase, options: Options, own: TraceOptions) -> int:
    """Trace a net, write the reports, and return the exit code."""
    from convdiff.case.net_override import vary_net
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.session import Session

    options.reports.refuse()
    _refuse_others(options)
    case = vary_net(case, options.lengths, options.batch, options.device)
    with Session(options.interpreters(), options.timeout, options.require) as session:
        session.start()
        from convdiff.cli.progress import progress
        from convdiff.net.trace.run import TraceAsk, trace
        from convdiff.pipeline import Ask

        examine = Ask(
            strict=options.strict,
            budget=0 if options.explain is False else options.budget,
            explain_up_to=float("inf"),
        )
        ask = TraceAsk(own.layers, own.until, own.keep, examine=examine)
        stop, quiet = session.stopping, options.reports.quiet
        with progress(quiet=quiet) as tell, stopped_by_signals(stop, session.stop, options.time):
            result = trace(case, session, ask, tell)
    _write(result, options, own)
    return result.exit_code


def _refuse_others(options: Options) -> None:
    """Raise ConvdiffError for what is asked for and is not there of a net."""
    for name, value in options.reports.asked.items():
        if value and name not in FORMATS:
            raise ConvdiffError(f"--{name}: a net has the reports --json and --markdown")
    if options.records or options.baseline:
        raise ConvdiffError("a net has no recordings: --save and --baseline go with cases")


def _write(result: TraceResult, options: Options, own: TraceOptions) -> None:
    """Write the reports, and on stderr what is missing."""
    from convdiff.cli.files import write_each
    from convdiff.cli.reports import STDOUT
    from convdiff.cli.streams import write_err, write_out
    from convdiff.errors import ENDINGS
    from convdiff.report.trace_summary import summarise_trace

    reports = options.reports
    again, pad = _again(result, options, own), _pad(result, options)
    summary = summarise_trace(result, again, pad, whole=reports.verbose > 0)
    unwritten = write_each(_files(summary, options))
    if reports.asked.get("json") == STDOUT:
        write_out(_json(summary))
    else:
        write_out(_text(summary, options))
    for missing in result.missing:
        write_err(f"convdiff: {missing.name} is required: {missing.reason}")
    if result.signal:
        write_err(f"convdiff: {ENDINGS[result.signal]}")
    if unwritten:
        raise unwritten[0]


def _files(summary: TraceSummary, options: Options) -> Iterator[tuple[str, Path, str]]:
    """Yield the reports that are written to files: option, path and text."""
    from convdiff.report import trace_markdown

    renders = {"--json": _json, "--markdown": trace_markdown.render}
    for option, path in options.reports.files.items():
        yield option, path, renders[option](summary)


def _json(summary: TraceSummary) -> str:
    from convdiff import __version__
    from convdiff.report import trace_json

    return trace_json.render(summary, __version__)


def _text(summary: TraceSummary, options: Options) -> str:
    from convdiff.report.console.screen import rendered
    from convdiff.report.console.trace import print_trace

    def print_report(console: Console) -> None:
        print_trace(console, summary, quiet=options.reports.quiet)

    return rendered(print_report, options.reports.color)


def _pad(result: TraceResult, options: Options) -> str:
    """Return the command that says how far to pad on the same runtimes; "" where it can't ask."""
    import shlex

    from convdiff.cli.repeat import asked_words

    if options.kernel or is_model(Path(result.case.file)):
        return ""
    asked = replace(options, pairwise=False, strict=False, whole_reference=False, require=())
    return shlex.join(["convdiff", "pad", result.case.file, *asked_words(asked)])


def _again(result: TraceResult, options: Options, own: TraceOptions) -> str:
    """Return the command that repeats the pair that is shown."""
    import shlex

    from convdiff.case.ranges import write_range
    from convdiff.cli.repeat import asked_words

    words = ["convdiff", "trace", result.case.file]
    if result.pairs:
        pair = result.pairs[result.shown].pair
        lengths = tuple(sorted({pair.baseline.length, pair.candidate.length}))
        words += ["--lengths", write_range(lengths).replace(" ", "")]
    if options.batch:
        words += ["--batch", write_range(options.batch).replace(" ", "")]
    words += ["--layers", own.layers] if own.layers else []
    words += ["--until", own.until] if own.until else []
    return shlex.join([*words, *asked_words(replace(options, pairwise=False))])
