"""What a session records: `--save`, and the baseline that it is held against."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convdiff.case.model import Case
from convdiff.cli.options import Options
from convdiff.errors import ConvdiffError

if TYPE_CHECKING:
    from convdiff.recording.baseline import Baseline
    from convdiff.recording.model import RecordedCase
    from convdiff.result import Result


def refuse_options(options: Options, cases: Sequence[Case]) -> None:
    """Raise ConvdiffError before any work for options that can't go together, or be recorded."""
    _refuse_pairs(options)
    if options.save is None and options.baseline is None:
        return
    _refuse_overwriting(options)
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConvdiffError(
            f"two cases are called {twice[0]!r}: a recording tells them apart by 'name'"
        )
    if options.save is not None:
        _refuse_file(options.save, cases)


def _refuse_pairs(options: Options) -> None:
    """Raise ConvdiffError for options that need each other, or rule each other out."""
    if options.explain is False and options.explain_up_to is not None:
        raise ConvdiffError("give --explain-up-to or --no-explain, not both")
    if options.changes_baseline and options.baseline is None:
        raise ConvdiffError("--update-baseline and --add-to-baseline need --baseline FILE|FOLDER")
    if options.update_baseline and options.add_to_baseline:
        raise ConvdiffError("give --update-baseline or --add-to-baseline, not both")


def _refuse_file(path: Path, cases: Sequence[Case]) -> None:
    """Raise ConvdiffError where a file's format does not hold so many values."""
    from convdiff.recording.files import refuse_suffix
    from convdiff.recording.json_file import MOST_VALUES

    refuse_suffix(path)
    values = sum(map(_outputs, cases))
    if path.suffix == ".json" and values > MOST_VALUES:
        raise ConvdiffError(
            f"--save {path}: {values:,} values are too many for .json; use .safetensors"
        )


def _refuse_overwriting(options: Options) -> None:
    """Raise ConvdiffError where a report or a recording would end in the baseline."""
    if options.baseline is None:
        return
    baseline = options.baseline.resolve()
    others = {**options.reports.files, **({"--save": options.save} if options.save else {})}
    for option, path in others.items():
        if baseline in (path.resolve(), path.resolve().parent):
            raise ConvdiffError(
                f"{option} {path} would overwrite the baseline, or be taken for one; "
                "name another file"
            )


def open_options_baseline(options: Options) -> Baseline | None:
    """Return the baseline that is asked for. Raises NoBaselineError unless it is being made."""
    if options.baseline is None:
        return None
    from convdiff.recording.baseline import open_baseline

    return open_baseline(options.baseline, making=options.changes_baseline)


def keep_observations(result: Result, options: Options, baseline: Baseline | None) -> Iterator[str]:
    """Write what was observed to where it is asked for, and yield a line on each."""
    recorded = [case.recorded for case in result.cases if case.recorded is not None]
    recorded = [case for case in recorded if case.entries]
    if options.save is not None:
        yield _saved(options.save, recorded)
    if baseline is not None and options.changes_baseline:
        if result.interrupted:
            yield f"{baseline.path} is left as it was: {result.ended}"
        else:
            yield _kept(baseline, recorded, only_missing=options.add_to_baseline)


def _saved(path: Path, recorded: Sequence[RecordedCase]) -> str:
    from convdiff.recording.files import write_recording
    from convdiff.recording.model import Recording

    if not recorded:
        return f"nothing was observed; {path} is not written"
    write_recording(path, Recording({case.case.name: case for case in recorded}))
    cells = sum(len(case.entries) for case in recorded)
    return f"{path}: {cells:,} cells recorded"


def _kept(baseline: Baseline, recorded: Sequence[RecordedCase], *, only_missing: bool) -> str:
    from convdiff.recording.baseline import keep

    if not recorded:
        return f"nothing was observed; {baseline.path} is left as it was"
    done = keep(baseline.path, recorded, only_missing=only_missing)
    counts = [f"{done.new:,} new"]
    counts += [] if only_missing else [f"{done.changed:,} changed"]
    counts += [f"{done.dropped:,} on other inputs dropped"] if done.dropped else []
    return f"{baseline.path}: {', '.join(counts)}"


def _outputs(case: Case) -> int:
    """Return how many values a case's outputs have at least, over all cells of one runtime."""
    conv = case.conv
    return sum(
        math.prod(conv.output_shape(batch, case.height, length))
        for batch in case.batches
        for length in case.lengths
    )
