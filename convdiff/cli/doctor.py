"""`convdiff doctor`: what can be tested here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from convdiff.cli.options import TIMEOUT
from convdiff.cli.reports import COLOUR
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
VERBOSE = click.Option(["-v", "--verbose"], is_flag=True, help="Show all that is known of each.")
JSON = click.Option(["--json", "as_json"], is_flag=True, help="Write JSON, with all of it.")


@click.command("doctor", params=[PYTHON, VERBOSE, JSON, COLOUR, TIMEOUT], epilog=EPILOG)
def command(
    python: tuple[str, ...], verbose: bool, as_json: bool, color: str, timeout: float
) -> int:
    """Say what can be tested here, a line a framework: version, devices, oneDNN, threads.

    Exits 125 where no framework can be run.
    """
    from convdiff.lab.checkup import check
    from convdiff.lab.pool import Pool
    from convdiff.runtime.matrix import FRAMEWORKS, interpreters

    found = {}
    with Pool(timeout) as pool:
        asked = interpreters(FRAMEWORKS, python, (), [])
        for interpreter in asked:
            pool.start(interpreter)
        for interpreter in asked:
            found[interpreter] = check(pool, interpreter)
    usable = any(checkup.usable for checkup in found.values())
    if as_json:
        write_out(_json(found))
        return SAME if usable else UNTESTED
    from convdiff.report.checkup import lines
    from convdiff.report.console.screen import rendered
    from convdiff.report.console.style import print_lines

    told = lines(found, whole=verbose)
    write_out(rendered(lambda console: print_lines(console, told), color))
    if not usable:
        write_out("nothing can be tested here: pip install tensorflow, torch or jax\n")
    return SAME if usable else UNTESTED


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
