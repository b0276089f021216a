"""One session of `run` or `sweep`: cases in, reports out, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convdiff.case.in_hand import refuse_in_hand
from convdiff.case.load import STDIN, built_in_case, find_cases, load_case, stdin_case
from convdiff.case.load_net import load_any
from convdiff.case.model import Case
from convdiff.case.net_model import NetCase
from convdiff.case.override import vary
from convdiff.case.yaml_source import MAX_BYTES, decoded
from convdiff.cli.options import Options
from convdiff.cli.recordings import keep_observations, open_options_baseline, refuse_options
from convdiff.cli.signals import stopped_by_signals
from convdiff.cli.streams import write_err
from convdiff.errors import ENDINGS, CaseError, CaseErrors, ConvdiffError, Place
from convdiff.lab.session import Session

if TYPE_CHECKING:
    from convdiff.pipeline import Ask
    from convdiff.recording.baseline import Baseline
    from convdiff.result import Result

SLOW_BYTES = 2**18
"""A case file above takes seconds to read."""


def load_all(paths: tuple[Path, ...], options: Options) -> list[Case]:
    """Load every case, with the command line's lengths, batches and devices."""
    cases = _load_all(_without_nets(paths)) if paths else [built_in_case()]
    asked = (options.lengths, options.batch, options.device, options.channels_out)
    return [vary(case, *asked) for case in cases]


def net_at(path: Path) -> NetCase | None:
    """Return the net that a file is, or None where it is none. Raises CaseError for a bad one."""
    if not path.is_file() or path.stat().st_size > MAX_BYTES or b"layers" not in path.read_bytes():
        return None
    loaded = load_any(path)
    return loaded if isinstance(loaded, NetCase) else None


def _without_nets(paths: tuple[Path, ...]) -> list[Path]:
    """Return the case files named, without the nets of a folder, of which stderr is told."""
    kept = []
    for path in find_cases(paths):
        if path not in paths and net_at(path) is not None:
            write_err(f"convdiff: {path}: a net, compared by convdiff trace {path}")
        else:
            kept.append(path)
    if not kept:
        raise ConvdiffError("no cases but nets: convdiff trace compares the layers of one")
    return kept


def _load_all(paths: Sequence[Path]) -> list[Case]:
    """Load cases. Raises CaseError with the errors of all."""
    cases, errors = [], CaseErrors()
    for path in paths:
        with errors.gathering():
            cases.append(load(path))
    errors.refuse()
    return cases


def load(path: Path) -> Case:
    """Load a case, of stdin where it is `-`; a large file says what would load at once."""
    if str(path) == "-":
        return _of_stdin()
    refuse_in_hand(path)
    if path.is_file() and SLOW_BYTES < path.stat().st_size <= MAX_BYTES:
        size = path.stat().st_size / 2**20
        write_err(f"convdiff: reading {size:.1f} MB of YAML; .npy arrays load at once")
    return load_case(path)


def _of_stdin() -> Case:
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise CaseError(Place(STDIN), "over 10 MB; keep arrays in .npy files")
    return stdin_case(decoded(data, STDIN))


def run_session(
    cases: Sequence[Case], options: Options, command: str, *, whole: bool = False
) -> int:
    """Run the cases, write the reports and recordings, return the exit code.

    whole: the cases are all that there are, so that a baseline's others have no claim any more.
    """
    options.reports.refuse(save=options.save)
    refuse_options(options, cases)
    with Session(options.interpreters(), options.timeout, options.require) as session:
        baseline = open_options_baseline(options)
        session.start()  # before NumPy and rich are imported here: they overlap
        from convdiff.case.arrays import refuse_too_big
        from convdiff.cli.progress import progress
        from convdiff.pipeline import run

        errors = CaseErrors()
        for case in cases:
            with errors.gathering():
                refuse_too_big(case)
        errors.refuse()
        stop, quiet = session.stopping, options.reports.quiet
        stopped = stopped_by_signals(stop, session.stop, options.time)
        with progress(quiet=quiet) as tell, stopped:
            result = run(cases, session, _ask(options, baseline), tell)
            kept, unrecorded = _kept(result, options, baseline)
    result = replace(result, unrecorded=unrecorded)
    if baseline is not None and whole:
        names = [case.name for case in cases]
        result = replace(result, unclaimed=tuple(baseline.unclaimed(names)))
    _report(result, options, command)
    for line in (*kept, *_afterwords(result, options)):
        write_err(f"convdiff: {line}")
    return result.exit_code


def _report(result: Result, options: Options, command: str) -> None:
    from convdiff.cli.explain_command import explain_command
    from convdiff.cli.repeat import repeat_command

    options.reports.write(
        result,
        [repeat_command(case, options, command) for case in result.cases],
        sweep=command == "sweep",
        unnamed=options.unnamed_framework,
        explain=[explain_command(case, options) for case in result.cases],
        explained=options.explain is True,
    )


def _kept(result: Result, options: Options, baseline: Baseline | None) -> tuple[list[str], str]:
    """Write the recordings before the reports, which are to say why that failed.

    Returns a line on each that was written, and why another one was not.
    """
    kept: list[str] = []
    try:
        kept += keep_observations(result, options, baseline)
    except ConvdiffError as error:
        return kept, str(error)
    return kept, ""


def _ask(options: Options, baseline: Baseline | None) -> Ask:
    """Return what the options ask of every case."""
    from convdiff.pipeline import Ask

    return Ask(
        strict=options.strict,
        most_elements=sys.maxsize if options.show_all else 10,
        budget=0 if options.explain is False else options.budget,
        explain_up_to=options.explained_up_to,
        baseline=None if options.update_baseline else baseline,
        record=options.records,
        adding=options.add_to_baseline,
        updating=options.update_baseline,
        pairwise=options.pairwise,
        whole=options.whole_reference,
    )


def _afterwords(result: Result, options: Options) -> Iterator[str]:
    """Yield what is said on stderr after all reports."""
    from convdiff.report.sentences import few

    for case in result.cases:
        if case.unclaimed and not (options.lengths or options.batch):
            what = f"{len(case.unclaimed):,} entries that it does not ask for: "
            yield f"{options.baseline} has, of {case.case.name}, {what}{few(case.unclaimed)}"
    if result.unclaimed:
        yield f"{options.baseline} has cases that no file claims: {few(result.unclaimed)}"
    for missing in result.missing_required:
        yield f"{missing.name} is required: {missing.reason}"
    if result.unrecorded:
        yield result.unrecorded
    if result.signal:
        yield ENDINGS[result.signal]
