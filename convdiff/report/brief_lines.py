"""The short report's lines: why, the orders, who is right, what agrees, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.cause import Explanation
from convdiff.diagnose.evidence import Side
from convdiff.report import sentences
from convdiff.report.brief_answer import by_standing, differs
from convdiff.report.brief_names import called, side_names
from convdiff.report.groups import Row
from convdiff.report.marks import Line, Span, line
from convdiff.report.summary import CaseSummary
from convdiff.report.why import signs

ORDERS, FEWER = 3, 2
"""Orders that are written out of a case that is the only one, and of one among others."""


def lines_without_drift(case: CaseSummary) -> Iterator[Line]:
    """Yield what a case has to say that did not drift: why it is untested, what is unsafe."""
    yield from case.failures
    absent = [one for one in case.runtimes if not one.available]
    if case.result.outcome != "ok" and not case.failures:
        for reason in dict.fromkeys(f"{one.missing}: {one.reason}" for one in absent):
            yield line("  why", reason)
    if case.result.outcome == "untested" and absent:
        yield line("  fix", "what can be tested here: convdiff doctor")
    for one in case.advice.safe:
        if one.some_unsafe:
            yield line("  safe", one.text)


def drift_lines(case: CaseSummary, row: Row, *, alone: bool) -> Iterator[Line]:
    """Yield why, the orders, who is right, what agrees, what to do, how to accept and go on."""
    finding = row.finding
    names = side_names(case, row)
    why = line("  why", *_why(row, names))
    if why.text:
        yield why
    if finding.why is not None:
        yield from _orders(finding.why, names, alone=alone)
    yield from _right(row, names)
    agreeing = "; ".join(_agreeing(case, row))
    if agreeing:
        yield line("  ok", agreeing)
    yield from case.failures
    yield from _to_do(case, alone=alone)
    if alone:
        yield line("  more", " · ".join(_more(row)))


def _more(row: Row) -> Iterator[str]:
    """Yield what says more: options of the command that is to be repeated, and commands."""
    comparison = row.finding.comparison
    yield "-v: every comparison"
    yield f"convdiff rule {row.finding.verdict}"
    if comparison.axis == "length":
        lengths = sorted({comparison.candidate.length, comparison.baseline.length})
        yield f"explain --lengths {','.join(map(str, lengths))}"


def _why(row: Row, names: tuple[str, str]) -> Iterator[str | Span]:
    """Say the cause, and how far it is proved; else what the verdict rests on."""
    why = row.finding.why
    if why is None or not why.causes:
        yield sentences.evidence_beside_the_answer(row.finding, names)
        yield "; cause unexplained" if why is not None else ""
        yield f"; cause {row.finding.unasked}" if row.finding.unasked else ""
        return
    replayed = [why.replayed[side] for side in ("baseline", "candidate") if side in why.replayed]
    done, total = (sum(column) for column in zip(*replayed, strict=True))
    share = "every bit" if done == total else f"{done:,} of {total:,} outputs bit for bit"
    yield Span("proved" if why.status == "proved" else "partly proved", "strong")
    yield f", NumPy replays {share}: {'; '.join(signs(why.causes))}"


def _orders(why: Explanation, names: tuple[str, str], *, alone: bool) -> Iterator[Line]:
    """Yield each order once, with its notation and who has it."""
    sides: Mapping[Side, str] = {"baseline": names[0], "candidate": names[1]}
    holders: dict[str, list[str]] = {}
    for order in why.orders:
        total = why.replayed[order.side][1]
        whole = "all" if order.elements == total else f"{order.elements:,}"
        share = f"{sides[order.side]}: {whole} of {total:,}"
        holders.setdefault(order.notation, []).append(share)
    most = ORDERS if alone else FEWER
    for notation, shares in list(holders.items())[:most]:
        both = len(holders) == 1 and len(shares) > 1
        who = "both, every output" if both else ", ".join(shares)
        yield line("  order", f"{who}  ", Span(notation, "strong"))
    if alone and len(holders) > most:
        yield line("  order", f"… and {len(holders) - most} more")


def _right(row: Row, names: tuple[str, str]) -> Iterator[Line]:
    """Say that rounding is no bug, how often each side is nearer to exact, and how far both are."""
    found = row.finding.comparison.nearness
    if found is None:
        return
    sizes = (found.baseline_abs, found.candidate_abs)
    off = [f"≤ {size:.3g} off" if size else "exact" for size in sizes]
    said = ["no bug"] if row.finding.verdict == "rounding" else []
    said.append(
        f"nearer: {names[0]} at {found.baseline_nearer:,} of {found.elements:,},"
        f" {names[1]} at {found.candidate_nearer:,}"
    )
    said.append(f"both {off[0]}" if off[0] == off[1] else " and ".join(off))
    yield line("  right", "; ".join(said))


def _agreeing(case: CaseSummary, worst: Row) -> Iterator[str]:
    """Say what does not drift: along the drifting axis by value, along others in a phrase."""
    axis = worst.finding.comparison.axis
    fine = [row for row in case.rows if row.finding.allowed]
    facts = AXES[axis]
    along = [row for row in fine if _is_along(row, worst) and not differs(row)]
    if facts.value is not None and along:
        comparison = along[0].finding.comparison
        values = sorted({facts.value(row.finding.comparison.candidate) for row in along})
        yield from _equal(case, axis, values, f"{axis} {facts.value(comparison.baseline)}")
    if facts.value is not None:
        yield from _unaffected(case, axis)
    yield from by_standing([row for row in fine if row.finding.comparison.axis != axis])


def _equal(case: CaseSummary, axis: Axis, values: Sequence[int], against: str) -> Iterator[str]:
    """Say which values give the same bits, and which do so by chance, on the case's input alone."""
    unsafe = {value for one in case.result.safe_lengths for value in one.unsafe}
    chance = [value for value in values if axis == "length" and value in unsafe]
    always = [value for value in values if value not in chance]
    if always:
        yield f"{axis} {sentences.short(always)} = {against}"
    if chance:
        yield f"{axis} {sentences.short(chance)} = {against} on this input alone"


def _unaffected(case: CaseSummary, axis: Axis) -> Iterator[str]:
    """Name the runtimes where nothing differs along an axis, though in another one it does."""
    rows = [row for row in case.rows if row.finding.comparison.axis == axis]
    numbers = [sentences.number(row.finding.comparison.candidate, case.result) for row in rows]
    differing = {number for number, row in zip(numbers, rows, strict=True) if differs(row)}
    equal = [number for number in dict.fromkeys(numbers) if number not in differing]
    if equal and len(case.result.runtimes) > 1:
        yield f"no {axis} differs in {sentences.few([called(case, one) for one in equal])}"


def _is_along(row: Row, worst: Row) -> bool:
    """Return whether a row compares along the worst one's axis in the same runtime."""
    one, other = row.finding.comparison, worst.finding.comparison
    return one.axis == other.axis and one.candidate.runtime == other.candidate.runtime


def _to_do(case: CaseSummary, *, alone: bool) -> Iterator[Line]:
    """Yield which lengths are safe, what usually helps, and what to write to accept it."""
    advice, result = case.advice, case.result.case
    fixes = [f"pad to {sentences.pad_to(one)}" for one in case.result.safe_lengths if one.unsafe]
    fixes += [f"usually {remedy}; not tried here" for remedy in advice.remedies]
    for fix in fixes[: None if alone else 1]:
        yield line("  fix", fix)
    if advice.expect:
        inside = ", ".join(f"{axis}: {allowance}" for axis, allowance in advice.expect.items())
        place = result.places.get(f"expect.{next(iter(advice.expect))}")
        where = f"   at {place.file}:{place.line}" if place and not result.built_in else ""
        yield line("  accept", f"expect: {{{inside}}}", Span(where, "faint"))
