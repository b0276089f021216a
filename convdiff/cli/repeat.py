"""The command that repeats a case's worst comparison, and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from convdiff.case.model import Case
from convdiff.case.ranges import write_range
from convdiff.cli.options import DEFAULT_FRAMEWORK, Options
from convdiff.report.headline import worst_finding
from convdiff.result import CaseResult


def repeat_command(case: CaseResult, options: Options, command: str) -> str:
    """Return the shell command: the worst comparison's lengths, batches and settings."""
    finding = worst_finding(case.findings)
    words = ["convdiff", "run" if finding else command]
    if not case.case.built_in:
        words.append(case.case.file)
    lengths, batches = case.case.lengths, case.case.batches
    if finding:
        cells = finding.comparison.cells
        lengths = tuple(sorted({cell.length for cell in cells}))
        batches = tuple(sorted({cell.batch for cell in cells}))
    elif case.died:
        lengths = _of_deaths(case) or lengths
    if options.lengths or lengths != case.case.lengths:
        words += sized("--lengths", lengths)
    words += sized("--batch", batches if options.batch else ())
    words += sized("--channels-out", options.channels_out)
    return shlex.join([*words, *asked_words(options)])


def search_words(case: CaseResult, options: Options) -> str:
    """Return what `convdiff cure` and `shrink` are given for all of a case, as a shell has it.

    With a space before it.
    """
    asked = replace(options, baseline=None, pairwise=False, strict=False, whole_reference=False)
    words = [*sized_words(case.case, asked), *asked_words(asked)]
    return "".join(f" {word}" for word in map(shlex.quote, words))


def sized_words(case: Case, options: Options) -> list[str]:
    """Return a case's file, unless it is built in, and the options that say at which sizes."""
    words = [] if case.built_in else [case.file]
    words += sized("--lengths", options.lengths)
    words += sized("--batch", options.batch)
    return words + sized("--channels-out", options.channels_out)


def sized(option: str, values: Sequence[int] | None) -> list[str]:
    """Return an option with its sizes as one word; nothing where there are none."""
    return [option, write_range(tuple(values)).replace(" ", "")] if values else []


def _of_deaths(case: CaseResult) -> tuple[int, ...]:
    """Return the lengths at which a worker died, with the one that others are held against."""
    died = {failure.cell.length for failure in case.failures if failure.died}
    return tuple(sorted({*died, case.case.lengths[-1]})) if died else ()


def asked_words(options: Options) -> list[str]:
    """Return the options that say where and how the case is run."""
    framework = () if options.framework == DEFAULT_FRAMEWORK else options.framework or ()
    words = sized("--threads", options.threads)
    words += joined("--framework", framework)
    words += joined("--device", options.device or ())
    for option, values in _repeated(options).items():
        for value in values:
            words += [option, value]
    words += joined("--require", options.require)
    if options.baseline and not options.changes_baseline:
        words += ["--baseline", str(options.baseline)]
    flags = {
        "--pairwise": options.pairwise,
        "--strict": options.strict,
        "--whole": options.whole_reference,
    }
    return words + [flag for flag, is_set in flags.items() if is_set]


def joined(option: str, values: Sequence[object]) -> list[str]:
    """Return an option with its values as one word; nothing where there are none."""
    return [option, ",".join(map(str, values))] if values else []


def _repeated(options: Options) -> dict[str, Sequence[str]]:
    """Return the options that are given once a value."""
    return {
        "--kernel": options.kernel,
        "--runtime": options.runtime,
        "--vary": [f"{name}={','.join(values)}" for name, values in options.vary],
        "--python": options.python,
        "--requires": options.requires,
        "--exclude-newer": [options.exclude_newer] if options.exclude_newer else [],
    }
