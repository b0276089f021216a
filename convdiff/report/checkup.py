"""What can be tested here, in lines: one a framework, or all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.lab.checkup import NO_ONEDNN, Checkup
from convdiff.report.marks import Line, Mark, Span, line
from convdiff.runtime.model import Interpreter

NAMED = ("oneDNN", "threads")
SHOWN = ("version", "devices", *NAMED, "absent")
"""What is shown of a framework in its line, and what of it with its name."""
NAME = 11
"""Columns of a name: each framework is told by itself, as it comes."""
PARTS = 2
"""Of oneDNN: whether it is on, and its version."""


def lines(interpreter: Interpreter, checkup: Checkup, *, whole: bool) -> list[Line]:
    """Return what an interpreter's framework can do; `whole`: all that is known of it."""
    if whole:
        return list(_whole(interpreter, checkup))
    named = " ".join(filter(None, (interpreter.framework, interpreter.label)))
    return [line(Span(f"{named:<{NAME}}", _mark(checkup)), ", ".join(_parts(checkup)))]


def _parts(checkup: Checkup) -> Iterator[str]:
    """Yield what is shown; a version without where and how it was built."""
    rows = dict(checkup.rows)
    for name in SHOWN:
        value = rows.get(name, "")
        if not value or value == NO_ONEDNN:
            continue
        if checkup.usable:
            value = value.partition(" (")[0]
        if name == "oneDNN":
            value = ", ".join(value.split(", ")[:PARTS])
        if name in NAMED:
            value = f"{name} {value}"
        yield value


def _whole(interpreter: Interpreter, checkup: Checkup) -> Iterator[Line]:
    yield line(Span(interpreter.framework, _mark(checkup)), f"({interpreter.python})")
    for name, value in checkup.rows:
        yield line(f"  {name}", value)


def _mark(checkup: Checkup) -> Mark:
    return "good" if checkup.usable else "warning"
