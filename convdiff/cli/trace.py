"""`convdiff trace`: the layers of a net on two sides, and where a difference enters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convdiff.case.net_override import vary_net
from convdiff.cli.complete import CASES, MODELS, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import Options, of_run, options_of, packed
from convdiff.cli.trace_model import (
    OF_MODELS,
    ModelOptions,
    is_model,
    of_its_own,
    runs_as_it_is,
    trace_file,
    write_own,
)
from convdiff.cli.traced import TraceOptions, summary_of, trace_in
from convdiff.errors import ConvdiffError
from convdiff.report.formats import FORMATS, Format

if TYPE_CHECKING:
    from rich.console import Console

    from convdiff.case.net_model import NetCase
    from convdiff.net.trace.model import TraceResult
    from convdiff.net.trace.recording import NetRecording
    from convdiff.report.net_summary import TraceSummary

EPILOG = """\b
Example:
  convdiff trace cases/nine_layer_net.yaml --python ../old-env/bin/python
  convdiff trace net.yaml --lengths 452..515 --vary TF_ENABLE_ONEDNN_OPTS=0
  convdiff trace net.yaml --framework tensorflow,torch --lengths 516
  convdiff trace net.yaml --threads 1,4 --until relu_4 --keep activations/
  convdiff trace net.yaml --lengths 452,516 --save before.safetensors
  convdiff trace net.yaml --lengths 452,516 --baseline before.safetensors
  convdiff trace model.onnx --framework torch --lengths 16..64
  convdiff trace model.onnx --python a/bin/python --python b/bin/python
"""
_SHARED = (
    *("lengths", "batch", "threads", "device", "framework", "kernel", "runtime", "vary", "python"),
    *(
        "require",
        "pairwise",
        "strict",
        "budget",
        "timeout",
        "time",
        "verbose",
        "quiet",
        "color",
    ),
    *(row.name for row in FORMATS),
)
"""Options of `run` that mean the same here."""


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
_RECORD = (
    click.Option(
        ["--save"],
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE.safetensors",
        help="Record what the runs give: a digest of every layer, and bits.",
    ),
    click.Option(
        ["--baseline"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        shell_complete=files(".safetensors"),
        help="What --save recorded, as one side.",
    ),
)
TRACE_OPTIONS = (
    *_OWN,
    *OF_MODELS,
    *_RECORD,
    *of_run(*_SHARED),
)


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


def traced(path: Path, options: Options, span: int = 0) -> int | None:
    """Trace what a path is if it is a net or a model, and return the exit code, or None.

    span: how many lengths, where nothing is named to vary; without one a model has two batches.
    """
    from convdiff.cli.nets import net_at

    if is_model(path):
        options = of_its_own(path, options)
        as_it_is = len(options.interpreters()) == 2 and not (options.lengths or options.batch)
        of_model = ModelOptions(as_layers=not as_it_is)
        return _trace_model(path, options, TraceOptions(of_model), span)
    net = net_at(path)
    return None if net is None else trace_net(_spanned(net, options, span), options, TraceOptions())


def _spanned(case: NetCase, options: Options, span: int) -> NetCase:
    """Return a net with what is compared where nothing is named and it has one length."""
    from convdiff.cli.nets import lengths_from_least

    if not span or options.names_an_axis or len(case.lengths) > 1:
        return case
    return vary_net(case, lengths_from_least(case, span))


def _trace_model(model: Path, options: Options, own: TraceOptions, span: int | None = None) -> int:
    """Trace a model file; span: see `traced`, None for nothing but what is named."""
    from convdiff.case.net_model import NetCase
    from convdiff.cli.nets import with_batches

    options = of_its_own(model, options)
    options.reports.refuse()
    if runs_as_it_is(model, options, own.of_model):
        _refuse_of_layers(options, own)
    found = trace_file(model, options, own.of_model)
    if not isinstance(found, NetCase):
        return write_own(found, options, own.of_model)
    if span is not None:
        found = _spanned(found, options, span) if span else with_batches(found, options)
    return trace_net(found, options, own)


def trace_net(case: NetCase, options: Options, own: TraceOptions) -> int:
    """Trace a net, write the reports, and return the exit code."""
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.session import Session

    options.reports.refuse(save=options.save)
    _refuse_others(options)
    case = vary_net(case, options.lengths, options.batch, options.device)
    with Session(options.interpreters(), options.timeout, options.require) as session:
        session.start()
        from convdiff.cli.progress import progress

        stop, quiet = session.stopping, options.reports.quiet
        with progress(quiet=quiet) as tell, stopped_by_signals(stop, session.stop, options.time):
            result = trace_in(session, case, options, own, tell)
    _write(result, options, own)
    return result.exit_code


def _refuse(asked: Mapping[str, object], why: str) -> None:
    """Raise ConvdiffError for the first of some options that is given."""
    for option, value in asked.items():
        if value:
            raise ConvdiffError(f"{option} {why}")


def _refuse_of_layers(options: Options, own: TraceOptions) -> None:
    """Raise ConvdiffError for what is asked for and is not there of a file that runs as it is."""
    sizes = {"--lengths": options.lengths, "--batch": options.batch}
    kept = {"--save": options.save, "--baseline": options.baseline, "--keep": own.keep}
    _refuse(
        {**sizes, **kept, "--layers": own.layers, "--until": own.until},
        "is of nets with layers, and this file runs as it is; --as-layers rebuilds it",
    )


def _refuse_others(options: Options) -> None:
    """Raise ConvdiffError for what is asked for and is not there of a net."""
    from convdiff.recording.net_header import refuse_suffix

    of_cases = {"--whole": options.whole_reference, "--channels-out": options.channels_out}
    _refuse(of_cases, "is of a case with one convolution, and a net has no such thing")
    if options.changes_baseline:
        raise ConvdiffError("a net's baseline is recorded by --save FILE.safetensors")
    if options.save is not None:
        refuse_suffix(options.save)


def _write(result: TraceResult, options: Options, own: TraceOptions) -> None:
    """Write the reports, and on stderr what is missing."""
    from convdiff.cli.files import write_each
    from convdiff.cli.streams import write_err
    from convdiff.errors import ENDINGS

    reports, summary = options.reports, summary_of(result, options, own)
    render = partial(_rendered, summary)
    unwritten = write_each((row.option, path, render(row)) for row, path in reports.written())
    for write, text in reports.texts(lambda: _text(summary, options), render):
        write(text)
    if options.save is not None:
        write_err(f"convdiff: {_saved(result, result.recording, options.save)}")
    for missing in result.missing:
        write_err(f"convdiff: {missing.name} is required: {missing.reason}")
    if result.signal:
        write_err(f"convdiff: {ENDINGS[result.signal]}")
    if unwritten:
        raise unwritten[0]


def _saved(result: TraceResult, recording: NetRecording | None, path: Path) -> str:
    """Write a recording, if a run gave anything, and say what it holds. Raises RecordingError."""
    from convdiff import __version__
    from convdiff.case.words import plural
    from convdiff.net.trace.recording import write_net_recording

    if recording is None:
        return f"{path}: nothing was recorded, and it was not written"
    write_net_recording(path, result.case.name, recording, __version__)
    held = "all their bits" if recording.holds_all else "the bits of some"
    layers = plural(len(result.case.net.layers), "layer")
    return f"recorded {plural(len(recording.runs), 'run')} of {layers}, {held}: {path}"


def _rendered(summary: TraceSummary, row: Format) -> str:
    """Return a report: a net's own, or else that which `run` has of nets and cases alike."""
    from convdiff.report import trace_markdown

    own: Mapping[str, Callable[[TraceSummary], str]] = {
        "json": _json,
        "markdown": trace_markdown.render,
    }
    return own[row.name](summary) if row.name in own else _of_run(row, summary)


def _of_run(row: Format, summary: TraceSummary) -> str:
    from convdiff.report.summary import summarise
    from convdiff.result import Result

    trace = summary.result
    result = Result((), (), trace.missing, signal=trace.signal, nets=(trace.outcome,))
    return row.render(summarise(result, (), (summary,)))


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
