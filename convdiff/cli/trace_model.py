"""`convdiff trace MODEL`: a model file as layers, or an ONNX file as it is in its own runtimes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convdiff.cli.complete import MODELS
from convdiff.cli.options import Options, values_of
from convdiff.cli.reports import STDOUT
from convdiff.cli.streams import write_err, write_out
from convdiff.cli.types import BACK
from convdiff.errors import ConvdiffError

if TYPE_CHECKING:
    from rich.console import Console

    from convdiff.case.net_model import NetCase
    from convdiff.net.models.model import Model
    from convdiff.net.models.own_found import OwnTrace


@dataclass(frozen=True)
class ModelOptions:
    """What the command line asks of a model file alone."""

    given: Path | None = None
    back: Mapping[str, str] = field(default_factory=dict)
    steps: int = 1
    trust_model: bool = False
    as_layers: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ModelOptions:
        """Return what the values of OF_MODELS say, by the options' names."""
        own = values_of(OF_MODELS, values)
        return cls(**{**own, "back": dict(own["back"])})

    @property
    def names_any(self) -> bool:
        """Whether anything is asked that only a model file has."""
        return self != ModelOptions()


OF_MODELS = (
    click.Option(
        ["--input", "given"],
        type=click.Path(path_type=Path),
        metavar="FILE.npy",
        help="A model's input as its file has it (.npz: by name, a step each); drawn without.",
    ),
    click.Option(
        ["--back"],
        type=BACK,
        multiple=True,
        help="An ONNX model's state: what the next step reads. May be repeated.",
    ),
    click.Option(
        ["--steps"],
        type=click.IntRange(1, 10_000),
        default=1,
        help="Steps, where no input says it.",
    ),
    click.Option(
        ["--trust-model"], is_flag=True, help="Run operators that are none of ONNX' own, too."
    ),
    click.Option(["--as-layers"], is_flag=True, help="Rebuild an ONNX model in onnxruntime, too."),
)


def is_model(path: Path) -> bool:
    """Return whether a path is a model's, by its ending or as a SavedModel."""
    return path.suffix.lower() in MODELS or (path / "saved_model.pb").exists()


def of_its_own(model: Path, options: Options) -> Options:
    """Return options that name the format's own framework where none is named."""
    from convdiff.net.models.formats import format_of

    row = format_of(model)
    if row is None or not options.unnamed_framework:
        return options
    return replace(options, framework=(row.framework,))


def runs_as_it_is(model: Path, options: Options, of_model: ModelOptions) -> bool:
    """Return whether a file is not rebuilt: an ONNX file in onnxruntime alone."""
    return _is_in_its_own(model, options) and not of_model.as_layers


def _is_in_its_own(model: Path, options: Options) -> bool:
    from convdiff.net.models.formats import format_of

    row = format_of(model)
    frameworks = {one.partition(":")[0] for one in options.frameworks}
    return row is not None and row.name == "ONNX" and frameworks == {"onnxruntime"}


def trace_file(model: Path, options: Options, of_model: ModelOptions) -> NetCase | OwnTrace:
    """Return a model as a case with layers, or what its own runtimes make of the file.

    Raises ModelError.
    """
    from convdiff.net.models.as_case import case_of
    from convdiff.net.models.formats import read_model

    if runs_as_it_is(model, options, of_model):
        return trace_own(model, options, of_model)
    read = read_model(model)
    case = case_of(read, of_model.given)
    if _is_in_its_own(model, options):
        write_err(f"convdiff: {fidelity_line(read, case, options)}")
    return case


def trace_own(model: Path, options: Options, of_model: ModelOptions) -> OwnTrace:
    """Run an ONNX file in two of its own runtimes. Raises ModelError, ConvdiffError."""
    from convdiff.case.device import Device
    from convdiff.cli.progress import progress
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.session import Session
    from convdiff.lab.watch import Watch
    from convdiff.net.models.feeds import feeds_of
    from convdiff.net.models.formats import read_model
    from convdiff.net.models.own_run import Side, refuse_untrusted
    from convdiff.net.models.own_trace import OwnTracing
    from convdiff.pipeline import Ask
    from convdiff.runtime.model import Runtime

    read_model(model)
    untrusted = refuse_untrusted(model, trusted=of_model.trust_model)
    feeds = feeds_of(model, of_model.given, of_model.back, of_model.steps)
    asked = options.interpreters()
    if len(asked) != 2:
        raise ConvdiffError(
            "an ONNX file runs as it is on two sides: name two with --python, --threads, --vary "
            "or --runtime, or rebuild it with --as-layers"
        )
    one, other = (Runtime(interpreter, Device("cpu")) for interpreter in asked)
    data = model.read_bytes()
    with Session(asked, options.timeout) as session:
        session.start()
        stop, quiet = session.stopping, options.reports.quiet
        with progress(quiet=quiet) as tell, stopped_by_signals(stop, session.stop):
            sides = Side(session.pool, asked[0], data), Side(session.pool, asked[1], data)
            ask, watch = Ask(budget=options.budget, strict=options.strict), Watch(tell, stop)
            found = OwnTracing(model, sides, session, ask, watch).run(feeds, (one, other))
    return replace(found, untrusted=untrusted)


def write_own(trace: OwnTrace, options: Options, of_model: ModelOptions) -> int:
    """Write the reports of a file in its own runtimes, and return the exit code."""
    from convdiff.cli.files import write_atomically
    from convdiff.report.own_trace import own_trace_json

    for name in options.reports.asked:
        if options.reports.asked[name] and name != "json":
            raise ConvdiffError(f"--{name}: a file in its own runtimes has the report --json")
    whole = json.dumps(own_trace_json(trace), indent=2) + "\n"
    for option, path in options.reports.files.items():
        write_atomically(option, path, whole)
    to_stdout = options.reports.asked.get("json") == STDOUT
    write_out(whole if to_stdout else _text(trace, options, of_model))
    return trace.exit_code


def _text(trace: OwnTrace, options: Options, of_model: ModelOptions) -> str:
    from convdiff.report.console.own_trace import print_own
    from convdiff.report.console.screen import rendered
    from convdiff.report.own_trace import summarise_own

    summary = summarise_own(trace, _again(trace, options, of_model))

    def print_report(console: Console) -> None:
        print_own(console, summary, quiet=options.reports.quiet)

    return rendered(print_report, options.reports.color)


def _again(trace: OwnTrace, options: Options, of_model: ModelOptions) -> str:
    """Return the command that repeats a trace."""
    from convdiff.cli.repeat import asked_words

    words = ["convdiff", "trace", trace.file, *asked_words(options)]
    words += ["--input", str(of_model.given)] if of_model.given else []
    for output, given in of_model.back.items():
        words += ["--back", f"{output}={given}"]
    words += ["--steps", str(of_model.steps)] if of_model.steps > 1 else []
    words += ["--trust-model"] if of_model.trust_model else []
    return shlex.join(words)


def fidelity_line(model: Model, case: NetCase, options: Options) -> str:
    """Say whether the rebuilt net gives the bits that the file itself gives."""
    from convdiff.case.device import Device
    from convdiff.lab.session import Session
    from convdiff.net.models.fidelity import fidelity_of
    from convdiff.net.subject import subject_of
    from convdiff.runtime.model import Runtime

    asked = options.interpreters()
    with Session(asked, options.timeout) as session:
        runtime = Runtime(asked[0], Device("cpu"))
        found = fidelity_of(model, subject_of(case), runtime, session)
    if found.reason:
        return f"{case.name}: whether the layers give the file's bits is not known: {found.reason}"
    if found.differing:
        share = f"{found.differing:,} of {found.elements:,} values"
        return f"{case.name}: rebuilt as layers, {share} have other bits than the file gives"
    return f"{case.name}: rebuilt as layers, all {found.elements:,} values have the file's own bits"
