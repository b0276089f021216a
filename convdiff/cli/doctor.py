"""`convdiff doctor`: what can be tested here."""

from __future__ import annotations

import click

from convdiff.cli.options import TIMEOUT
from convdiff.errors import SAME, UNTESTED

EPILOG = """\b
Example:
  convdiff doctor
  convdiff doctor --python ../old-env/bin/python
"""
PYTHON = click.Option(
    ["--python"], multiple=True, metavar="PATH", help="Another environment's interpreter."
)


@click.command("doctor", params=[PYTHON, TIMEOUT], epilog=EPILOG)
def command(python: tuple[str, ...], timeout: float) -> int:
    """Say what can be tested here: frameworks, devices, ISA, settings in force.

    Exits 125 where no framework can be run.
    """
    from convdiff.lab.checkup import check
    from convdiff.lab.pool import Pool
    from convdiff.runtime.matrix import FRAMEWORKS, interpreters

    usable = 0
    with Pool(timeout) as pool:
        asked = interpreters(FRAMEWORKS, python, (), [])
        for interpreter in asked:
            pool.start(interpreter)
        for interpreter in asked:
            found = check(pool, interpreter)
            usable += found.usable
            click.secho(f"{interpreter.framework}  ({interpreter.python})", bold=True)
            for name, value in found.rows:
                click.echo(f"  {name:<10} {value}")
    if not usable:
        click.echo("nothing can be tested here; install one: pip install 'convdiff[tensorflow]'")
    return SAME if usable else UNTESTED
