"""The short report's proof of one comparison: why, the orders, and who is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from convdiff.diagnose.cause import Explanation
from convdiff.diagnose.evidence import Side
from convdiff.diagnose.with_and_without import WithoutStep
from convdiff.report import sentences
from convdiff.report.brief_names import side_names
from convdiff.report.groups import Row
from convdiff.report.marks import Line, Span, line
from convdiff.report.summary import CaseSummary
from convdiff.report.why import signs


def proof_lines(case: CaseSummary, row: Row, most: int, *, whole: bool) -> Iterator[Line]:
    """Yield why both sides differ, at most so many of their orders, and which one is right.

    whole: say how many orders there are more.
    """
    finding, names = row.finding, side_names(case, row)
    why = line("  why", *_why(row, names))
    if why.text:
        yield why
    if finding.without is not None and finding.why is not None and finding.why.causes:
        yield line("  step", _step(finding.without, names))
    if finding.why is not None:
        yield from _orders(finding.why, names, most, whole=whole)
    yield from _right(row, names)


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


def _step(without: WithoutStep, names: tuple[str, str]) -> str:
    """Say whose the difference is: the convolutions', the step's, or that of both in one call."""
    parts = [without.words]
    for name, unlike in zip(names, without.fused, strict=True):
        if unlike:
            parts.append(f"{name}: in the same call {unlike:,} elements are others")
    return "; ".join(parts)


def _orders(why: Explanation, names: tuple[str, str], most: int, *, whole: bool) -> Iterator[Line]:
    """Yield each order once, with its notation and who has it."""
    sides: Mapping[Side, str] = {"baseline": names[0], "candidate": names[1]}
    holders: dict[tuple[str, str], list[str]] = {}
    for order in why.told:
        total = why.replayed[order.side][1]
        elements = order.elements + order.others
        share = "all" if elements == total else f"{elements:,}"
        where = f" {order.where}" if order.where and not order.others else ""
        holder = f"{sides[order.side]}: {share} of {total:,}{where}"
        step = f", {order.step}" if order.step else ""
        holders.setdefault((order.notation, step), []).append(holder + step)
    for (notation, _), shares in list(holders.items())[:most]:
        both = len(holders) == 1 and len(shares) > 1
        who = "both, every output" if both else ", ".join(shares)
        yield line("  order", f"{who}  ", Span(notation, "strong"))
    if whole and len(holders) > most:
        yield line("  order", f"… and {len(holders) - most} more")


def _right(row: Row, names: tuple[str, str]) -> Iterator[Line]:
    """Say that rounding is no bug, how often each side is nearer to exact, and how far both are."""
    nearness = row.finding.comparison.nearness
    if nearness is None:
        return
    sizes = (nearness.baseline_abs, nearness.candidate_abs)
    off = [f"≤ {size:.3g} off" if size else "exact" for size in sizes]
    parts = ["no bug"] if row.finding.verdict == "rounding" else []
    parts.append(
        f"nearer: {names[0]} at {nearness.baseline_nearer:,} of {nearness.elements:,},"
        f" {names[1]} at {nearness.candidate_nearer:,}"
    )
    parts.append(f"both {off[0]}" if off[0] == off[1] else " and ".join(off))
    yield line("  right", "; ".join(parts))
