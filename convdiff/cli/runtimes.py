"""`convdiff runtimes`: the environments that were made for --requires."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from convdiff.cli.streams import write_err, write_out
from convdiff.errors import SAME, UNTESTED, ConvdiffError

if TYPE_CHECKING:
    from convdiff.runtime.environments import Environment

EPILOG = """\b
Example:
  convdiff runtimes
  convdiff runtimes --check
  convdiff runtimes --remove 3f2a9c0d1e5b7a64
  convdiff runtimes --cache-limit 5GB
"""
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def _bytes(text: str) -> int:
    """Return a size written as 5GB. Raises ConvdiffError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]?)b?\s*", text.lower())
    if match is None:
        raise ConvdiffError(f"--cache-limit {text}: a size, as in 5GB")
    return int(float(match[1]) * UNITS[match[2]])


@click.command("runtimes", epilog=EPILOG)
@click.option("--check", is_flag=True, help="Start each; exit 125 where one does not answer.")
@click.option("--remove", multiple=True, metavar="KEY", help="Remove one; may be repeated.")
@click.option(
    "--cache-limit",
    metavar="SIZE",
    help="Remove those used the longest ago until the rest takes no more, as in 5GB.",
)
def command(check: bool, remove: tuple[str, ...], cache_limit: str | None) -> int:
    """List the environments that --requires made: what for, how large, when last used.

    They lie in the user's cache folder, or in $CONVDIFF_CACHE.
    """
    from convdiff.runtime import environments as there

    folder = there.cache_folder()
    for key in remove:
        there.remove(folder, key)
    if cache_limit is not None:
        for gone in there.evict(folder, _bytes(cache_limit)):
            write_err(f"convdiff: removed {gone.name} ({_size(gone.size)})")
    environments = there.environments(folder)
    broken = [environment for environment in environments if check and not _answers(environment)]
    write_out("".join(f"{line}\n" for line in _lines(environments, broken)))
    if not environments:
        write_err(f"convdiff: no environment in {folder}")
    return UNTESTED if broken else SAME


def _lines(environments: Sequence[Environment], broken: Sequence[Environment]) -> Iterator[str]:
    from convdiff.runtime.environments import age

    width = max((len(environment.name) for environment in environments), default=0)
    for one in environments:
        days = f"{age(one.used):.0f} days ago"
        mark = "  does not answer" if one in broken else ""
        row = f"{one.key}  {one.name:{width}}  Python {one.version:7} {_size(one.size):>7}"
        yield f"{row}  used {days}{mark}"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"


def _answers(one: Environment) -> bool:
    done = subprocess.run([one.python, "-c", "import numpy"], capture_output=True, check=False)
    return done.returncode == 0
