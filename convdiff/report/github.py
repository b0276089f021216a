"""Workflow commands, which GitHub shows as annotations at the lines of a case file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from convdiff.diagnose.verdict import Finding, proves_nothing
from convdiff.errors import Place
from convdiff.report import plain
from convdiff.report.console.headline import headline
from convdiff.result import CaseResult, Result


def render(result: Result) -> str:
    """Return one command a line: errors where an axis drifted, warnings where it was not tested."""
    return "".join(f"{line}\n" for line in _commands(result))


def _commands(result: Result) -> Iterator[str]:
    for missing in result.missing_required:
        said = f"{missing.runtime.id} is required: {missing.reason}"
        yield _command("warning", None, "convdiff: untested", said)
    if result.unrecorded:
        yield _command("error", None, "convdiff: not recorded", result.unrecorded)
    if result.interrupted:
        yield _command("warning", None, "convdiff: interrupted", "the run did not come to its end")
    elif not result.cases:
        yield _command("warning", None, "convdiff: untested", "no case was run")
    for case in result.cases:
        yield from _drift(case)
        yield from _untested(case)


def _drift(case: CaseResult) -> Iterator[str]:
    """Yield an error for each axis that drifted."""
    drifted = [finding for finding in case.findings if not finding.allowed]
    for axis, findings in _by_axis(drifted).items():
        locked = all(finding.lock == "changed" for finding in findings)
        place = _place(case, "order" if locked else axis)
        lines = (plain.sentence(case, findings), *case.notes, plain.what_to_do(case))
        yield _command("error", place, f"{case.case.name}: {axis}", "\n".join(filter(None, lines)))
    if case.outcome == "drift" and not drifted:
        yield _command("error", _place(case, "length"), case.case.name, headline(case))


def _untested(case: CaseResult) -> Iterator[str]:
    """Yield a warning for a case that could not be tested, else for each axis that was not."""
    idle = _by_axis([finding for finding in case.findings if proves_nothing(finding)])
    told = {
        axis: f"{axis}: {len(findings):,} comparisons prove nothing: {plain.few(reasons)}"
        for axis, findings in idle.items()
        if (reasons := list(dict.fromkeys(map(plain.reasons, findings))))
    }
    title = f"{case.case.name}: untested"
    if case.outcome in ("untested", "error") or case.died:
        said = "a worker died" if case.died else headline(case)
        lines = (said, *told.values(), plain.failures(case))
        yield _command("warning", _place(case, ""), title, "\n".join(filter(None, lines)))
        return
    for axis, said in told.items():
        yield _command("warning", _place(case, axis), title, said)


def _by_axis(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.comparison.axis, []).append(finding)
    return found


def _place(case: CaseResult, axis: str) -> Place | None:
    """Return where the case file speaks of an axis, or None where there is no file."""
    file = case.case.file
    return None if file.startswith("(") else case.case.places.get(axis, Place(file, 1, 1))


def _command(kind: str, place: Place | None, title: str, message: str) -> str:
    properties = {"title": title}
    if place is not None:
        at = {"file": _relative(place.file), "line": str(place.line), "col": str(place.column)}
        properties = {**at, **properties}
    inside = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {inside}::{_data(message)}"


def _relative(file: str) -> str:
    """Return a file below the current folder as the repository names it."""
    path = os.path.relpath(file)
    return file if path.startswith(os.pardir) else path


def _data(text: str) -> str:
    printable = (c if c.isprintable() or c in "\r\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(printable).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
