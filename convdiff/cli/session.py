"""One session of `run` or `sweep`: cases in, reports out, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from convdiff.case.in_hand import refuse_in_hand
from convdiff.case.load import STDIN, built_in_case, find_cases, load_case, stdin_case
from convdiff.case.model import Case
from convdiff.case.override import vary
from convdiff.case.yaml_source import MAX_BYTES, decoded
from convdiff.cli.nets import AskedNet, asked_net, traced_nets
from convdiff.cli.options import Options
from convdiff.cli.recordings import keep_observations, open_options_baseline, refuse_options
from convdiff.cli.signals import stopped_by_signals
from convdiff.cli.streams import write_err
from convdiff.errors import ENDINGS, CaseError, CaseErrors, ConvdiffError, Place
from convdiff.lab.session import Session

if TYPE_CHECKING:
    from convdiff.pipeline import Ask
    from convdiff.recording.baseline import Baseline
    from convdiff.report.net_summary import TraceSummary
    from convdiff.result import Result

T = TypeVar("T")
SLOW_BYTES = 2**18
"""A case file above takes seconds to read."""


def load_all(paths: tuple[Path, ...], options: Options) -> list[Case]:
    """Load every case, with the command line's lengths, batches and devices."""
    cases = _each(find_cases(paths), load) if paths else [built_in_case()]
    return [_varied(case, options) for case in cases]


def load_with_nets(paths: tuple[Path, ...], options: Options) -> tuple[list[Case], list[AskedNet]]:
    """Load every case, and the nets among them. Raises CaseError with the errors of all."""
    if not paths:
        return load_all((), options), []
    loaded = _each(find_cases(paths), lambda path: asked_net(path, options) or load(path))
    cases = [_varied(one, options) for one in loaded if isinstance(one, Case)]
    return cases, [one.varied() for one in loaded if isinstance(one, AskedNet)]


def _varied(case: Case, options: Options) -> Case:
    return vary(case, options.lengths, options.batch, options.device, options.channels_out)


def _each(paths: Sequence[Path], read: Callable[[Path], T]) -> list[T]:
    """Read each of some files. Raises CaseError with the errors of all."""
    made, errors = [], CaseErrors()
    for path in paths:
        with errors.gathering():
            made.append(read(path))
    errors.refuse()
    return made


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
    cases: Sequence[Case],
    options: Options,
    command: str,
    *,
    whole: bool = False,
    nets: Sequence[AskedNet] = (),
) -> int:
    """Run the cases, trace the nets, write the reports and recordings, return the exit code.

    whole: the cases are all that there are, so that a baseline's others have no claim any more.
    """
    options.reports.refuse(save=options.save)
    refuse_options(options, cases)
    with Session(options.interpreters(), options.timeout, options.require) as session:
        baseline = open_options_baseline(options)
        session.start()  # before NumPy and rich are imported here: they overlap
        from convdiff.cli.progress import progress
        from convdiff.pipeline import run

        _refuse_too_big(cases)
        stop, quiet = session.stopping, options.reports.quiet
        stopped = stopped_by_signals(stop, session.stop, options.time)
        with progress(quiet=quiet) as tell, stopped:
            result = run(cases, session, _ask(options, baseline), tell)
            traced = tuple(traced_nets(nets, session, tell))
            kept, unrecorded = _kept(result, options, baseline)
    result = replace(result, unrecorded=unrecorded)
    result = result if not nets else _with_nets(result, traced, len(nets), session.signal)
    if baseline is not None and whole:
        names = [case.name for case in cases]
        result = replace(result, unclaimed=tuple(baseline.unclaimed(names)))
    _report(result, options, command, traced)
    for line in (*kept, *_unheld(nets, options), *_afterwords(result, options)):
        write_err(f"convdiff: {line}")
    return result.exit_code


def _report(result: Result, options: Options, command: str, nets: Sequence[TraceSummary]) -> None:
    """Write the reports, with the commands that go on from each case."""
    from convdiff.cli.commands import commands_of

    options.reports.write(
        result,
        [commands_of(case, options, command) for case in result.cases],
        nets,
        sweep=command == "sweep",
        unnamed=options.unnamed_framework,
        explained=options.explain is True,
    )


def _refuse_too_big(cases: Sequence[Case]) -> None:
    """Raise CaseError with all cases that memory does not hold."""
    from convdiff.case.arrays import refuse_too_big

    errors = CaseErrors()
    for case in cases:
        with errors.gathering():
            refuse_too_big(case)
    errors.refuse()


def _with_nets(result: Result, traced: Sequence[TraceSummary], asked: int, signal: int) -> Result:
    """Return a result with what was found of the nets beside the cases; asked: how many."""
    outcomes = tuple(net.result.outcome for net in traced)
    missing = chain(result.missing_required, *(net.result.missing for net in traced))
    once = tuple({one.runtime: one for one in missing}.values())
    unbegun = result.unbegun + asked - len(traced)
    return replace(result, nets=outcomes, missing_required=once, unbegun=unbegun, signal=signal)


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


def _unheld(nets: Sequence[AskedNet], options: Options) -> Iterator[str]:
    """Yield which nets are in no recording, where one is written or compared with."""
    if options.save is not None or options.baseline is not None:
        for net in nets:
            file = net.case.file
            yield f"{file}: a net, not recorded here; its own: convdiff trace {file} --save FILE"


def _afterwords(result: Result, options: Options) -> Iterator[str]:
    """Yield what is said on stderr after all reports."""
    from convdiff.case.words import few

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
