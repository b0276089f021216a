"""`convdiff doctor`: what can be tested here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.files import refuse_unwritable, write_atomically
from convdiff.cli.options import TIMEOUT
from convdiff.cli.reports import COLOUR, STDOUT
from convdiff.cli.shared import shared
from convdiff.cli.streams import write_out
from convdiff.errors import SAME, UNTESTED

if TYPE_CHECKING:
    from convdiff.lab.checkup import Checkup
    from convdiff.runtime.model import Interpreter

EPILOG = """\b
Example:
  convdiff doctor
  convdiff doctor --python ../old-env/bin/python
"""
PYTHON = shared("python", "Another environment's interpreter.")
VERBOSE = click.Option(["-v", "--verbose"], count=True, help="Show all that is known of each.")
JSON = click.Option(
    ["--json"],
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    is_flag=False,
    flag_value="-",
    metavar="[FILE|-]",
    help="Write JSON, with all of it; without FILE, instead of the text.",
)


@click.command("doctor", params=[PYTHON, VERBOSE, JSON, COLOUR, TIMEOUT], epilog=EPILOG)
def command(
    python: tuple[str, ...], verbose: int, json: Path | None, color: str, timeout: float
) -> int:
    """Say what can be tested here, a line a framework: version, devices, oneDNN, threads.

    Exits 125 where no framework can be run.
    """
    files = {} if json in (None, STDOUT) else {"--json": json}
    refuse_unwritable(files)
    checkups: dict[Interpreter, Checkup] = {}
    for interpreter, checkup in _checkups(python, timeout):
        checkups[interpreter] = checkup
        if json != STDOUT:  # each as it comes: importing a framework takes seconds
            write_out(_told(interpreter, checkup, verbose > 0, color))
    for option, path in files.items():
        write_atomically(option, path, _json(checkups))
    usable = any(checkup.usable for checkup in checkups.values())
    if json == STDOUT:
        write_out(_json(checkups))
    elif not usable:
        write_out("nothing can be tested here: pip install tensorflow, torch or jax\n")
    return SAME if usable else UNTESTED


def _checkups(python: tuple[str, ...], timeout: float) -> Iterator[tuple[Interpreter, Checkup]]:
    """Ask every framework of every interpreter what it can do."""
    from convdiff.lab.checkup import check
    from convdiff.lab.pool import Pool
    from convdiff.runtime.matrix import FRAMEWORKS, interpreters

    with Pool(timeout) as pool:
        asked = interpreters(FRAMEWORKS, python, (), [])
        for interpreter in asked:
            pool.start(interpreter)
        for interpreter in asked:
            yield interpreter, check(pool, interpreter)


def _told(interpreter: Interpreter, checkup: Checkup, whole: bool, color: str) -> str:
    from convdiff.report.checkup import lines
    from convdiff.report.console.screen import rendered
    from convdiff.report.console.style import print_lines

    report = lines(interpreter, checkup, whole=whole)
    return rendered(lambda console: print_lines(console, report), color)


def _json(checkups: Mapping[Interpreter, Checkup]) -> str:
    import json

    frameworks = [
        {
            "framework": interpreter.framework,
            "python": interpreter.python,
            "usable": checkup.usable,
            **{name.lower(): value for name, value in checkup.rows if name != "python"},
        }
        for interpreter, checkup in checkups.items()
    ]
    return json.dumps({"schema_version": 1, "frameworks": frameworks}, indent=2) + "\n"
