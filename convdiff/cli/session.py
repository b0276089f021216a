"""One session of `run` or `sweep`: cases in, reports out, an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.case.load import built_in_case, find_cases, load_case
from convdiff.case.model import Case
from convdiff.case.vary import vary
from convdiff.cli import silence_stdout
from convdiff.cli.options import Options
from convdiff.errors import ConvdiffError
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.pool import Pool

if TYPE_CHECKING:
    from convdiff.result import Result


def load_all(paths: tuple[Path, ...], options: Options) -> list[Case]:
    """Load every case, with the command line's lengths, batches, devices and required devices."""
    cases = [load_case(path) for path in find_cases(paths)] if paths else [built_in_case()]
    return [vary(case, options.lengths, options.batch, _devices(case, options)) for case in cases]


def _devices(case: Case, options: Options) -> tuple[str, ...]:
    """Return the devices to run on; what is required is run, whether or not the case names it."""
    asked = options.device or case.devices
    unnamed = (device for device in options.require if not {device, device[:3]} & set(asked))
    return (*asked, *unnamed)


def run_session(cases: Sequence[Case], options: Options, command: str) -> int:
    """Run the cases, write the reports, return the exit code."""
    _refuse_unwritable(options.json)
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
        request = Request(tuple(asked), frozenset(options.require), options.strict, most)
        with progress() as report_progress:
            result = examine(cases, request, pool, report_progress)
        text = _json(result) if options.json == Path("-") else _console(result, options, command)
    try:
        if options.json and options.json != Path("-"):
            _write_atomically(options.json, _json(result))
    finally:  # a report that can't be written costs no other
        _print(text)
    for missing in result.missing_required:
        click.echo(f"convdiff: {missing.runtime.id} is required: {missing.reason}", err=True)
    if result.interrupted:
        click.echo("convdiff: interrupted", err=True)
    return result.exit_code


def _json(result: Result) -> str:
    from convdiff.report.json import render

    return render(result)


def _console(result: Result, options: Options, command: str) -> str:
    import io

    from rich.console import Console

    from convdiff.cli.repeat import repeat_command
    from convdiff.report.console import print_run, print_sweep

    colours = _wants_colour(options.color)
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=colours,
        color_system="standard" if colours else None,
        no_color=not colours,
        width=_width(),
        highlight=False,
        emoji=False,
    )
    printer: Callable[..., None] = print_sweep if command == "sweep" else print_run
    repeat = [repeat_command(case, options, command) for case in result.cases]
    printer(console, result, repeat, show_all=options.show_all)
    lines = buffer.getvalue().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _wants_colour(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def _width() -> int:
    import shutil

    return max(60, shutil.get_terminal_size((80, 24)).columns)


def _print(text: str) -> None:
    """Write to stdout; a reader that has gone (`| head`) changes neither verdict nor exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()


def _refuse_unwritable(path: Path | None) -> None:
    if path is None or path == Path("-"):
        return
    folder = path.parent
    if not folder.is_dir():
        raise ConvdiffError(f"--json {path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise ConvdiffError(f"--json {path}: the folder {folder} is not writable")


def _write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all; through a link, and to a device as is."""
    temporary = None
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():  # /dev/null, a named pipe
            target.write_text(text, encoding="utf-8")
            return
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise ConvdiffError(f"--json {path}: {error.strerror}") from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
