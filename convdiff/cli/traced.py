"""A net traced in a session that has begun, as the options ask, and summed up for reports."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convdiff.cli.options import Options
from convdiff.cli.trace_model import ModelOptions, is_model
from convdiff.errors import ConvdiffError

if TYPE_CHECKING:
    from convdiff.case.net_model import NetCase
    from convdiff.lab.lab import Tell
    from convdiff.lab.session import Session
    from convdiff.net.trace.model import TraceResult
    from convdiff.net.trace.recording import NetRecording
    from convdiff.report.net_summary import TraceSummary


@dataclass(frozen=True)
class TraceOptions:
    """What the command line asks of a net besides what it asks of a case."""

    of_model: ModelOptions = field(default_factory=ModelOptions)

    layers: str = ""
    until: str = ""
    keep: Path | None = None


def trace_in(
    session: Session, case: NetCase, options: Options, own: TraceOptions, tell: Tell
) -> TraceResult:
    """Trace a net in a session that has begun."""
    from convdiff.net.trace.run import TraceAsk, trace
    from convdiff.pipeline import Ask

    against = _recorded(options.baseline, options)
    examine = Ask(
        strict=options.strict,
        budget=0 if options.explain is False else options.budget,
        explain_up_to=float("inf"),
        pairwise=options.pairwise,
    )
    ask = TraceAsk(
        own.layers, own.until, own.keep, against, save=options.save is not None, examine=examine
    )
    return trace(case, session, ask, tell)


def _recorded(path: Path | None, options: Options) -> NetRecording | None:
    """Read the recording that is asked for. Raises ConvdiffError where it is not as strict."""
    from convdiff.net.trace.recording import read_net_recording

    if path is None:
        return None
    recording = read_net_recording(path)
    if recording.strict != options.strict:
        asked = "without" if options.strict else "with"
        raise ConvdiffError(f"{path}: was recorded {asked} --strict; trace it so, too")
    return recording


def summary_of(result: TraceResult, options: Options, own: TraceOptions) -> TraceSummary:
    """Return what reports tell of a trace."""
    from convdiff.report.trace_summary import summarise_trace

    again, pad = _again(result, options, own), _pad(result, options)
    return summarise_trace(result, again, pad, whole=options.reports.verbose > 0)


def _pad(result: TraceResult, options: Options) -> str:
    """Return the command that says how far to pad on the same runtimes; "" where it can't ask."""
    import shlex

    from convdiff.cli.repeat import asked_words

    if options.kernel or is_model(Path(result.case.file)):
        return ""
    asked = replace(options, pairwise=False, strict=False, whole_reference=False, require=())
    asked = replace(asked, baseline=None)
    return shlex.join(["convdiff", "pad", result.case.file, *asked_words(asked)])


def _again(result: TraceResult, options: Options, own: TraceOptions) -> str:
    """Return the command that repeats the pair that is shown."""
    import shlex

    from convdiff.cli.repeat import asked_words, sized

    words = ["convdiff", "trace", result.case.file]
    if result.pairs:
        pair = result.pairs[result.shown].pair
        lengths = tuple(sorted({pair.baseline.length, pair.candidate.length}))
        words += sized("--lengths", lengths)
    words += sized("--batch", options.batch)
    words += ["--input", str(own.of_model.given)] if own.of_model.given else []
    is_onnx = result.case.file.endswith(".onnx")  # which else is run as it is
    words += ["--as-layers"] if own.of_model.as_layers and is_onnx else []
    words += ["--layers", own.layers] if own.layers else []
    words += ["--until", own.until] if own.until else []
    return shlex.join([*words, *asked_words(options)])
