"""Renders a console report as text, for the terminal or the pipe that stdout is."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from rich.console import Console

from convdiff.report.width import screen_width


def rendered(print_to: Callable[[Console], None], color: str) -> str:
    """Return what is printed to a console of the terminal's width, at least 40 columns.

    color: auto (where stdout is a terminal and NO_COLOR is not set), never or always.
    """
    colours = _wants_colour(color)
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=colours,
        color_system="256" if colours else None,
        no_color=not colours,
        width=screen_width(),
        highlight=False,
        emoji=False,
    )
    print_to(console)
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def _wants_colour(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain
