"""Stdout and stderr, whose readers may go away before the end, and may not read Unicode."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import sys
from typing import TextIO

from convdiff.errors import readable

PLAIN = {
    **dict(zip("▁▂▃▄▅▆▇█", "12345678", strict=True)),
    **{
        "≤": "<=",
        "≥": ">=",
        "Δ": "d",
        "·": ".",
        "…": "...",
        "−": "-",
        "—": "-",
        "–": "-",
        "‖": "|",
    },
    **{"×": "x", "γ": "gamma", "ₙ": "n", "≡": "=", "→": "->", "²": "^2", "⌈": "", "⌉": ""},
    **{"“": '"', "”": '"', "‘": "'", "’": "'", "•": "*", "─": "-", "│": "|", "├": "+", "└": "`"},
    "‖": "|",
    "◀": "<",
    **{"⁻": "^-", "¹": "1", "Σ": "sum", "√": "sqrt", "κ": "kappa", "≈": "~", "±": "+-", "ᵀ": "T"},
}
"""What stands for a character where the terminal has none for it."""


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks in ASCII; its number where nothing is like it."""
    assert isinstance(error, UnicodeEncodeError), "nothing is decoded with it"
    lost = readable(error.object[error.start : error.end], "backslashreplace")
    return "".join(PLAIN.get(character, _escaped(character)) for character in lost), error.end


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error("convdiff-plainly", _plainly)


GONE = (errno.EPIPE, errno.EIO)
"""What a stream says whose reader has gone: a pipe's, a terminal's."""


def open_streams() -> None:
    """Make all three streams fit to be used, whatever this process was given.

    Where 0, 1 or 2 is closed it points nowhere, lest a pipe to a worker becomes one.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        _write_plainly(stream)


def _write_plainly(stream: TextIO) -> None:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="convdiff-plainly")


def write_out(text: str) -> None:
    """Write to stdout; a reader that has gone (`| head`) changes neither verdict nor exit code.

    Raises OSError where it can't be written for another reason, such as a full disk.
    """
    try:
        _write(sys.stdout, text)
    except OSError as error:
        if error.errno not in GONE:
            raise
        silence(sys.stdout)


def write_err(line: str) -> None:
    """Write a line to stderr, where nothing that fails changes anything."""
    try:
        _write(sys.stderr, f"{line}\n")
    except OSError:
        silence(sys.stderr)


def as_on_stderr(text: str) -> str:
    """Return text as stderr's encoding has it."""
    encoding = sys.stderr.encoding or "utf-8"
    return text.encode(encoding, "convdiff-plainly").decode(encoding)


def _write(stream: TextIO, text: str) -> None:
    _write_plainly(stream)  # a test may have replaced it
    stream.write(text)
    stream.flush()


def silence(stream: TextIO) -> None:
    """Point a stream nowhere, so that the interpreter's last flush finds no closed pipe."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
