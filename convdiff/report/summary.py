"""What every report tells of a result, made once: plain data, no colours, no escapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convdiff.case.axes import Axis
from convdiff.case.model import Allowance
from convdiff.case.words import given, plural, short
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import Verdict
from convdiff.errors import Place
from convdiff.plan.cell import Failure
from convdiff.report import sentences
from convdiff.report.commands import Commands
from convdiff.report.groups import Row, row_of, worst_of
from convdiff.report.headline import headline, left_out
from convdiff.report.marks import Line, Span, line
from convdiff.report.runtime_line import fingerprint, is_asked, product, threads
from convdiff.result import CaseResult, Outcome, Result
from convdiff.runtime.model import Standing

if TYPE_CHECKING:
    from convdiff.report.net_summary import TraceSummary

OUTCOMES: Mapping[Outcome, str] = {
    "ok": "OK",
    "drift": "DRIFT",
    "untested": "UNTESTED",
    "error": "INTERRUPTED",
}
SEARCHED: tuple[Verdict, ...] = ("rounding", "precision", "transform", "unstable")
"""Verdicts on differences that switches may take away."""
APART: tuple[Axis, ...] = ("runtime", "baseline", "clean")
"""Axes whose sides no switch of one framework makes equal."""


@dataclass(frozen=True)
class RuntimeLine:
    """A runtime of a case: what it is, or why it is not there."""

    id: str
    number: int
    """In the case's list of runtimes, from 1; 0 where it has only one, or not this one."""
    available: bool
    text: str
    reason: str
    missing: str = ""
    """What is not there: its id, or no device where the framework itself is not there."""
    bare: str = ""
    """The id without what it has in brackets."""
    marks: str = ""
    """What the id has in brackets: a setting, an interpreter."""
    framework: str = ""
    version: str = ""
    """Both empty where its bits are all that is known, or it is not there."""
    threads: str = ""

    @property
    def name(self) -> str:
        """The id, after the number where there is one."""
        return given(self.number, "#{} ") + self.id

    @property
    def product(self) -> str:
        """The framework and its version; empty where its bits are all that is known."""
        return f"{self.framework} {self.version}".strip()


@dataclass(frozen=True)
class SafeLine:
    """Which lengths of a runtime are safe, where padding to them is advice."""

    runtime: str
    number: int
    """As in RuntimeLine."""
    text: str
    some_unsafe: bool


@dataclass(frozen=True)
class Advice:
    """What to do about a case."""

    safe: tuple[SafeLine, ...]
    search: str
    """What commands that search for more are given; empty where there is nothing to search for."""
    expect: Mapping[Axis, str]
    """What would pass on these bits, where that differs from what the case expects."""


@dataclass(frozen=True)
class CaseSummary:
    """What every report tells of a case."""

    result: CaseResult
    again: str
    """The command that repeats its worst comparison."""
    explain: str
    """The command that draws its orders; "" where there is none."""
    headline: str
    worst: Row | None
    """What the headline is about."""
    rows: tuple[Row, ...]
    """Its comparisons, in the plan's order."""
    runtimes: tuple[RuntimeLine, ...]
    failures: tuple[Line, ...]
    """Each reason for missing bits once, with the cells that it cost."""
    advice: Advice
    explained: bool = False
    """Whether it was asked why all that differs does, what `expect` allows too."""

    @property
    def name(self) -> str:
        """The case's name."""
        return self.result.case.name

    @property
    def drifting(self) -> Row | None:
        """The worst comparison, where it is drift."""
        if self.worst is None or not self.worst.drifts:
            return None
        return self.worst

    @property
    def drifted(self) -> tuple[Row, ...]:
        """The comparisons that drift."""
        return tuple(row for row in self.rows if row.drifts)

    @property
    def present(self) -> tuple[RuntimeLine, ...]:
        """The runtimes that are there."""
        return tuple(runtime for runtime in self.runtimes if runtime.available)

    @property
    def absent(self) -> tuple[RuntimeLine, ...]:
        """The runtimes that are not there."""
        return tuple(runtime for runtime in self.runtimes if not runtime.available)

    @property
    def is_repeated(self) -> bool:
        """Whether there is anything to run again."""
        return self.worst is not None or self.result.outcome != "ok"

    @property
    def progress(self) -> str:
        """How far a case came that ended early."""
        result = self.result
        far = []
        if result.cells:
            far.append(f"{result.done:,} of {result.cells:,} cells were run")
        if len(result.findings) < result.planned:
            far.append(f"{len(result.findings):,} of {result.planned:,} comparisons made")
        parts = [", ".join(far) or "all was compared"]
        if result.outcome == "drift" and left_out(result):
            parts.append(left_out(result))
        return f"{result.ended}: {'; '.join(parts)}"


@dataclass(frozen=True)
class Summary:
    """What every report tells of a result."""

    result: Result
    cases: tuple[CaseSummary, ...]
    missing: tuple[str, ...]
    """Which required runtimes are not there, and why."""
    unnamed: str = ""
    """The framework that was taken because nobody named one."""
    nets: tuple[TraceSummary, ...] = ()
    """The nets that were traced beside the cases."""

    @property
    def told(self) -> tuple[CaseSummary | TraceSummary, ...]:
        """The cases, then the nets."""
        return *self.cases, *self.nets


def summarise(
    result: Result,
    commands: Sequence[Commands],
    nets: Sequence[TraceSummary] = (),
    *,
    unnamed: str = "",
    explained: bool = False,
) -> Summary:
    """Return the summary of a result.

    commands: those of each case. nets: those beside them. unnamed: the framework that nobody
    named. explained: what is allowed was asked to be explained, too.
    """
    cases = []
    for case, own in zip(result.cases, commands, strict=True):
        cases.append(_case(result, case, own, explained=explained))
    missing = [f"{one.name} is required: {one.reason}" for one in result.missing_required]
    return Summary(result, tuple(cases), tuple(missing), unnamed, tuple(nets))


def _case(result: Result, case: CaseResult, commands: Commands, *, explained: bool) -> CaseSummary:
    rows = tuple(row_of(case, finding) for finding in case.findings)
    return CaseSummary(
        case,
        commands.again,
        commands.explain,
        headline(case, case.findings),
        worst_of(rows),
        rows,
        tuple(_runtimes(result, case)),
        tuple(_failures(case.failures)),
        _advice(case, commands.search),
        explained,
    )


def _runtimes(result: Result, case: CaseResult) -> Iterator[RuntimeLine]:
    """Yield the runtimes of a case, and those it asks for that are not there."""
    numbers = _numbers(case)
    for standing in result.standings:
        missing = not standing.available and is_asked(standing, case.case.devices)
        if standing.runtime in case.runtimes or missing:
            yield runtime_line(standing, numbers.get(standing.runtime.id, 0))


def runtime_line(standing: Standing, number: int) -> RuntimeLine:
    """Return a runtime with its number, 0 where there is only one."""
    text, reason = fingerprint(standing), standing.reason or ""
    missing = "" if standing.available else standing.name
    named = (*standing.runtime.id_parts, *product(standing), threads(standing))
    runtime = standing.runtime.id
    return RuntimeLine(runtime, number, standing.available, text, reason, missing, *named)


def _numbers(case: CaseResult) -> dict[str, int]:
    """Return the number of each runtime by its id; none where there is only one."""
    if len(case.runtimes) < 2:
        return {}
    return {runtime.id: number for number, runtime in enumerate(case.runtimes, 1)}


def _failures(failures: Sequence[Failure]) -> Iterator[Line]:
    reasons: dict[tuple[str, str], list[int]] = {}
    for failure in failures:
        where = f"{failure.cell.runtime.id} {failure.cell.op}"
        reasons.setdefault((where, failure.reason or ""), []).append(failure.cell.length)
    for (where, reason), cells in reasons.items():
        lengths = short(sorted(set(cells)))
        text = f"{where} T={lengths}, {plural(len(cells), 'cell')}: {reason}"
        yield line(Span("untested", "warning"), text)


def _advice(case: CaseResult, search: str) -> Advice:
    numbers = _numbers(case)
    safe = []
    for one in case.advised_lengths:
        number = numbers.get(one.runtime, 0)
        safe.append(SafeLine(one.runtime, number, sentences.safe(one), bool(one.unsafe)))
    changed = {}
    for axis, allowance in (case.suggested_expect or {}).items():
        if allowance != case.case.expect[axis]:
            changed[axis] = _written(allowance)
    if not any(map(_is_searched, case.findings)):
        search = ""
    return Advice(tuple(safe), search, changed)


def _is_searched(finding: Finding) -> bool:
    """Return whether something drifts within a framework that a switch may take away."""
    drifts = not finding.allowed and not finding.flushes
    return drifts and finding.verdict in SEARCHED and finding.axis not in APART


def _written(allowance: Allowance) -> str:
    """Write an allowance as a case file has it."""
    if allowance.kind == "ulps":
        return f"{{ulps: {allowance.ulps}}}"
    return allowance.kind


def advice_lines(advice: Advice, *, all_safe: bool) -> Iterator[Line]:
    """Yield safe lengths, what searches for more, and the suggested expectation.

    all_safe: name the safe lengths even where all are.
    """
    for one in advice.safe:
        if one.some_unsafe or all_safe:
            where = given(one.number, "#{} ")
            yield line(Span("safe lengths", "strong"), where + one.text)
    if advice.search:
        yield line(Span("try", "strong"), sentences.searches(advice.search))
    if advice.expect:
        checked = Span("  (checked: passes on these bits)", "faint")
        yield line(Span("or accept it", "strong"), written_expect(advice.expect), checked)


def accept_line(expect: Mapping[Axis, str], location: Place | None) -> Line:
    """Return what to write to accept a drift, and where, if that is known."""
    where = f"   at {location.file}:{location.line}" if location else ""
    return line("  accept", written_expect(expect), Span(where, "faint"))


def written_expect(expect: Mapping[Axis, str]) -> str:
    """Write what would pass as a case file has it, in one line."""
    inside = ", ".join(f"{axis}: {allowance}" for axis, allowance in expect.items())
    return f"expect: {{{inside}}}"
