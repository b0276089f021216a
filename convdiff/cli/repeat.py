"""The command that repeats a case's worst comparison, and nothing else."""

from __future__ import annotations

import shlex

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
        cells = (finding.comparison.baseline, finding.comparison.candidate)
        lengths = tuple(sorted({cell.length for cell in cells}))
        batches = tuple(sorted({cell.batch for cell in cells}))
    words += ["--lengths", write_range(lengths).replace(" ", "")]
    if options.batch:
        words += ["--batch", write_range(batches).replace(" ", "")]
    return shlex.join([*words, *_asked(options)])


def _asked(options: Options) -> list[str]:
    """Return the options that say where and how the case is run."""
    words: list[str] = []
    if options.threads:
        words += ["--threads", write_range(options.threads).replace(" ", "")]
    if options.framework and options.framework != DEFAULT_FRAMEWORK:
        words += ["--framework", ",".join(options.framework)]
    if options.device:
        words += ["--device", ",".join(map(str, options.device))]
    several = {
        "--kernel": options.kernel,
        "--runtime": options.runtime,
        "--vary": [f"{name}={','.join(values)}" for name, values in options.vary],
        "--python": options.python,
    }
    words += [word for option, values in several.items() for v in values for word in (option, v)]
    if options.require:
        words += ["--require", ",".join(map(str, options.require))]
    if options.baseline and not (options.update_baseline or options.add_to_baseline):
        words += ["--baseline", str(options.baseline)]
    flags = {"--pairwise": options.pairwise, "--strict": options.strict}
    return words + [flag for flag, given in flags.items() if given]
