"""Stdout and stderr, whose readers may go away before the end, and may not read Unicode."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from typing import TextIO

PLAIN = {
    **dict(zip("▁▂▃▄▅▆▇█", "12345678", strict=True)),
    **{"≤": "<=", "≥": ">=", "Δ": "d", "·": ".", "…": "...", "−": "-", "—": "-", "–": "-"},
    **{"×": "x", "γ": "gamma", "ₙ": "n", "≡": "=", "→": "->", "²": "^2", "⌈": "", "⌉": ""},
    **{"“": '"', "”": '"', "‘": "'", "’": "'", "•": "*", "─": "-", "│": "|", "├": "+", "└": "`"},
    "◀": "<",
    **{"⁻": "^-", "¹": "1", "Σ": "sum", "√": "sqrt", "κ": "kappa", "≈": "~", "±": "+-", "ᵀ": "T"},
}
"""What stands for a character where the terminal has none for it."""


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks in ASCII; a question mark where nothing is like it."""
    assert isinstance(error, UnicodeEncodeError), "nothing is decoded with it"
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in lost), error.end


codecs.register_error("convdiff-plainly", _plainly)


def write_out(text: str) -> None:
    """Write to stdout; a reader that has gone (`| head`) changes neither verdict nor exit code."""
    _write(sys.stdout, text)


def write_err(line: str) -> None:
    """Write a line to stderr; nor does a reader that has gone from there."""
    _write(sys.stderr, f"{line}\n")


def as_on_stderr(text: str) -> str:
    """Return text as stderr's encoding has it."""
    encoding = sys.stderr.encoding or "utf-8"
    return text.encode(encoding, "convdiff-plainly").decode(encoding)


def _write(stream: TextIO, text: str) -> None:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="convdiff-plainly")
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Point a stream nowhere, so that the interpreter's last flush finds no closed pipe."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
