"""One session of `run` or `sweep`: cases in, reports out, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.case.load import built_in_case, find_cases, load_case
from convdiff.case.model import Case
from convdiff.case.vary import vary
from convdiff.case.yaml_source import MAX_BYTES
from convdiff.cli.files import refuse_unwritable, write_atomically
from convdiff.cli.options import Options
from convdiff.cli.stdout import write_out
from convdiff.errors import ConvdiffError
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.pool import Pool

if TYPE_CHECKING:
    from convdiff.result import Result

SLOW_BYTES = 2**18
"""A case file above takes seconds to read."""


def load_all(paths: tuple[Path, ...], options: Options) -> list[Case]:
    """Load every case, with the command line's lengths, batches, devices and required devices."""
    cases = [_load(path) for path in find_cases(paths)] if paths else [built_in_case()]
    return [vary(case, options.lengths, options.batch, _devices(case, options)) for case in cases]


def _load(path: Path) -> Case:
    """Load a case; a large file takes a while, and so says what would not."""
    if path.is_file() and SLOW_BYTES < path.stat().st_size <= MAX_BYTES:
        size = path.stat().st_size / 2**20
        click.echo(f"convdiff: reading {size:.1f} MB of YAML; .npy arrays load at once", err=True)
    return load_case(path)


def _devices(case: Case, options: Options) -> tuple[str, ...]:
    """Return the devices to run on; what is required is run, whether or not the case names it."""
    asked = options.device or case.devices
    unnamed = (device for device in options.require if not {device, device[:3]} & set(asked))
    return (*asked, *unnamed)


def run_session(cases: Sequence[Case], options: Options, command: str) -> int:
    """Run the cases, write the reports, return the exit code."""
    refuse_unwritable(options.report_files)
    asked = interpreters(options.framework, options.python, options.threads or (), options.vary)
    with Pool(options.timeout) as pool:
        for interpreter in asked:
            pool.start(interpreter)  # before NumPy and rich are imported here: they overlap
        from convdiff.case.arrays import refuse_too_big
        from convdiff.cli.progress import progress
        from convdiff.pipeline import Request, examine

        for case in cases:
            refuse_too_big(case)
        most = sys.maxsize if options.show_all else 10
        budget = options.budget if options.explain else 0
        request = Request(tuple(asked), frozenset(options.require), options.strict, most, budget)
        with progress() as report_progress:
            result = examine(cases, request, pool, report_progress)
        text = _json(result) if options.json == Path("-") else _console(result, options, command)
    unwritten = _write_files(result, options, command)
    write_out(text)
    if options.github and options.json == Path("-"):
        click.echo(_github(result), nl=False, err=True)
    elif options.github:
        write_out(_github(result))
    if unwritten:
        raise unwritten[0]
    for missing in result.missing_required:
        click.echo(f"convdiff: {missing.runtime.id} is required: {missing.reason}", err=True)
    if result.interrupted:
        click.echo("convdiff: interrupted", err=True)
    return result.exit_code


def _write_files(result: Result, options: Options, command: str) -> list[ConvdiffError]:
    """Write the reports that are files; one that can't be written costs no other."""
    renderings = {
        "--json": lambda: _json(result),
        "--junit": lambda: _junit(result),
        "--markdown": lambda: _markdown(result, options, command),
    }
    unwritten = []
    for option, path in options.report_files.items():
        try:
            write_atomically(option, path, renderings[option]())
        except ConvdiffError as error:
            unwritten.append(error)
    return unwritten


def _json(result: Result) -> str:
    from convdiff.report.json import render

    return render(result)


def _junit(result: Result) -> str:
    from convdiff.report.junit import render

    return render(result)


def _markdown(result: Result, options: Options, command: str) -> str:
    from convdiff.report.markdown import render

    return render(result, _again(result, options, command))


def _github(result: Result) -> str:
    from convdiff.report.github import render

    return render(result)


def _again(result: Result, options: Options, command: str) -> list[str]:
    from convdiff.cli.repeat import repeat_command

    return [repeat_command(case, options, command) for case in result.cases]


def _console(result: Result, options: Options, command: str) -> str:
    from convdiff.cli.screen import rendered
    from convdiff.report.console import print_run, print_sweep

    print_report = print_sweep if command == "sweep" else print_run
    again = _again(result, options, command)
    return rendered(
        lambda console: print_report(console, result, again, show_all=options.show_all),
        options.color,
    )
