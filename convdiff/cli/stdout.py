"""Stdout, whose reader may go away before the end."""

from __future__ import annotations

import os
import sys


def write_out(text: str) -> None:
    """Write a report; a reader that has gone (`| head`) changes neither verdict nor exit code."""
    if hasattr(sys.stdout, "reconfigure"):  # a terminal of another encoding gets question marks
        sys.stdout.reconfigure(errors="replace")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()


def silence_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's last flush finds no closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
