"""`convdiff doctor`: what can be tested here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.files import refuse_unwritable, write_atomically
from convdiff.cli.options import TIMEOUT
from convdiff.cli.reports import STDOUT
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
PYTHON = click.Option(
    ["--python"], multiple=True, metavar="PATH", help="Another environment's interpreter."
)
VERBOSE = click.Option(["-v", "--verbose"], count=True, help="Show all that is known of each.")
JSON = click.Option(
    ["--json"],
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    is_flag=False,
    flag_value="-",
    metavar="[FILE|-]",
    help="Write JSON, with all of it; without FILE, instead of the text.",
)
SHOWN = ("version", "devices", "oneDNN", "threads", "absent")
"""What is shown of a framework in its line."""


@click.command("doctor", params=[PYTHON, VERBOSE, JSON, TIMEOUT], epilog=EPILOG)
def command(python: tuple[str, ...], verbose: int, json: Path | None, timeout: float) -> int:
    """Say what can be tested here, a line a framework: version, devices, oneDNN, threads.

    Exits 125 where no framework can be run.
    """
    files = {} if json in (None, STDOUT) else {"--json": json}
    refuse_unwritable(files)
    found = _checkups(python, timeout)
    for option, path in files.items():
        write_atomically(option, path, _json(found))
    write_out(_json(found) if json == STDOUT else _text(found, verbose=verbose > 0))
    return SAME if _is_usable(found) else UNTESTED


def _checkups(python: tuple[str, ...], timeout: float) -> dict[Interpreter, Checkup]:
    """Ask every framework of every interpreter what it can do."""
    from convdiff.lab.checkup import check
    from convdiff.lab.pool import Pool
    from convdiff.runtime.matrix import FRAMEWORKS, interpreters

    with Pool(timeout) as pool:
        asked = interpreters(FRAMEWORKS, python, (), [])
        for interpreter in asked:
            pool.start(interpreter)
        return {interpreter: check(pool, interpreter) for interpreter in asked}


def _is_usable(found: Mapping[Interpreter, Checkup]) -> bool:
    return any(checkup.usable for checkup in found.values())


def _text(found: Mapping[Interpreter, Checkup], *, verbose: bool) -> str:
    write = _whole if verbose else _line
    text = "".join(write(interpreter, checkup) for interpreter, checkup in found.items())
    nothing = "nothing can be tested here: pip install tensorflow, torch or jax\n"
    return text if _is_usable(found) else text + nothing


def _line(interpreter: Interpreter, checkup: Checkup) -> str:
    """Return a framework's line; a version without where and how it was built."""
    rows = dict(checkup.rows)
    parts = []
    for name in SHOWN:
        if name in rows:
            named = name in ("oneDNN", "threads")
            value = rows[name].partition(" (")[0] if checkup.usable else rows[name]
            parts.append(f"{name} {value}" if named else value)
    colour = "green" if checkup.usable else "yellow"
    name = click.style(f"{interpreter.framework:12}", fg=colour)
    label = f"{interpreter.label}  " if interpreter.label else ""
    return f"{name if sys.stdout.isatty() else click.unstyle(name)} {label}{', '.join(parts)}\n"


def _whole(interpreter: Interpreter, checkup: Checkup) -> str:
    rows = "".join(f"  {name:<10} {value}\n" for name, value in checkup.rows)
    return f"{interpreter.framework}  ({interpreter.python})\n{rows}"


def _json(found: Mapping[Interpreter, Checkup]) -> str:
    import json

    frameworks = [
        {
            "framework": interpreter.framework,
            "python": interpreter.python,
            "usable": checkup.usable,
            **{name.lower(): value for name, value in checkup.rows if name != "python"},
        }
        for interpreter, checkup in found.items()
    ]
    return json.dumps({"schema_version": 1, "frameworks": frameworks}, indent=2) + "\n"
