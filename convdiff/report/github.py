"""Workflow commands, which GitHub shows as annotations at the lines of a case file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from convdiff.case.words import few
from convdiff.diagnose.by_axis import by_axis
from convdiff.diagnose.verdict import proves_nothing
from convdiff.errors import Place, printable
from convdiff.report.headline import headline
from convdiff.report.net_summary import TraceSummary
from convdiff.report.plain import advice_text, failures_text, trace_text
from convdiff.report.sentences import reason
from convdiff.report.summary import CaseSummary, Summary

ESCAPED = {"%": "%25", "\r": "%0D", "\n": "%0A"}


def render(summary: Summary) -> str:
    """Return one command a line: errors where an axis drifted, warnings where it was not tested."""
    return "".join(f"{line}\n" for line in _commands(summary))


def _commands(summary: Summary) -> Iterator[str]:
    result = summary.result
    for missing in summary.missing:
        yield _command("warning", None, "convdiff: untested", missing)
    if result.unrecorded:
        yield _command("error", None, "convdiff: not recorded", result.unrecorded)
    if result.ended:
        ended = f"convdiff: {result.ended}"
        yield _command("warning", None, ended, "the run did not come to its end")
    elif result.is_empty:
        yield _command("warning", None, "convdiff: untested", "no case was run")
    for case in summary.cases:
        yield from _drift(case)
        yield from _untested(case)
    for net in summary.nets:
        yield from _of_net(net)


def _of_net(net: TraceSummary) -> Iterator[str]:
    """Yield an error where a difference enters a net that drifts, a warning for what is not known.

    Its place is that of the first such layer.
    """
    result = net.result
    if result.outcome == "ok":
        return
    kind, case = "warning", result.case
    if result.outcome == "drift":
        kind = "error"
    location = Place(case.file, 1, 1)
    if result.pairs:
        entered = result.pairs[result.shown].entered
        places = [case.places[name] for name in entered if name in case.places]
        location = next(iter(places), location)
    title = f"{net.name}: {net.word}"
    yield _command(kind, location, title, _joined((net.headline, trace_text(net))))


def _drift(case: CaseSummary) -> Iterator[str]:
    """Yield an error for each axis that drifted."""
    for axis, findings in by_axis(row.finding for row in case.drifted).items():
        locked = all(finding.lock == "changed" for finding in findings)
        location = _location(case, "order" if locked else axis)
        lines = (headline(case.result, findings), *case.result.notes, advice_text(case))
        yield _command("error", location, f"{case.name}: {axis}", _joined(lines))
    if case.result.outcome == "drift" and not case.drifted:
        yield _command("error", _location(case, "length"), case.name, case.headline)


def _untested(case: CaseSummary) -> Iterator[str]:
    """Yield a warning for a case that could not be tested, else for each axis that was not."""
    messages = {}
    for axis, findings in by_axis(filter(proves_nothing, case.result.findings)).items():
        reasons = few(list(dict.fromkeys(map(reason, findings))))
        messages[axis] = f"{axis}: {len(findings):,} comparisons prove nothing: {reasons}"
    title = f"{case.name}: untested"
    if case.result.outcome in ("untested", "error") or case.result.died:
        answer = "a worker died" if case.result.died else case.headline
        lines = (answer, *messages.values(), failures_text(case))
        yield _command("warning", _location(case, ""), title, _joined(lines))
        return
    for axis, message in messages.items():
        yield _command("warning", _location(case, axis), title, message)


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(filter(None, lines))


def _location(case: CaseSummary, axis: str) -> Place | None:
    """Return where the case file speaks of an axis, or None where there is no file."""
    asked = case.result.case
    if asked.built_in:
        return None
    return asked.places.get(axis, Place(asked.file, 1, 1))


def _command(kind: str, location: Place | None, title: str, message: str) -> str:
    properties = {"title": title}
    if location is not None:
        line, column = str(location.line), str(location.column)
        properties = {"file": _relative(location.file), "line": line, "col": column, **properties}
    inside = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {inside}::{_data(message)}"


def _relative(file: str) -> str:
    """Return a file below the current folder as the repository names it."""
    path = os.path.relpath(file)
    return file if path.startswith(os.pardir) else path


def _data(text: str) -> str:
    return "".join(ESCAPED.get(character) or printable(character) for character in text)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
