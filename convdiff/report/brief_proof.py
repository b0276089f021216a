"""The short report's proof of one comparison: why, the orders, and who is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from convdiff.case.words import given
from convdiff.diagnose.cause import Explanation, SideOrder
from convdiff.diagnose.evidence import Side
from convdiff.diagnose.with_and_without import WithoutStep
from convdiff.report import sentences
from convdiff.report.brief_names import side_names
from convdiff.report.groups import Row
from convdiff.report.marks import Line, Span, line
from convdiff.report.summary import CaseSummary
from convdiff.report.why import proof_of, signs


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
        if why is not None:
            yield "; cause unexplained"
        yield given(row.finding.unasked, "; cause {}")
        return
    done, total = map(sum, zip(*why.replayed.values(), strict=True))
    share = "every bit"
    if done != total:
        share = f"{done:,} of {total:,} outputs bit for bit"
    yield Span(proof_of(why), "strong")
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
        holder = f"{sides[order.side]}: {_share(order, why)}{given(order.step, ', {}')}"
        holders.setdefault((order.notation, order.step), []).append(holder)
    for (notation, _), shares in list(holders.items())[:most]:
        who = ", ".join(shares)
        if len(holders) == 1 and len(shares) > 1:
            who = "both, every output"
        yield line("  order", f"{who}  ", Span(notation, "strong"))
    if whole and len(holders) > most:
        yield line("  order", f"… and {len(holders) - most} more")


def _share(order: SideOrder, why: Explanation) -> str:
    """Say how many elements of a side have an order, and where they lie, if it is all of them."""
    total, elements = why.replayed[order.side][1], order.elements + order.others
    share = f"all of {total:,}" if elements == total else f"{elements:,} of {total:,}"
    if order.others:
        return share
    return share + given(order.where, " {}")


def _right(row: Row, names: tuple[str, str]) -> Iterator[Line]:
    """Say that rounding is no bug, how often each side is nearer to exact, and how far both are."""
    nearness = row.comparison.nearness
    if nearness is None:
        return
    parts = []
    if row.verdict == "rounding":
        parts.append("no bug")
    parts.append(
        f"nearer: {names[0]} at {nearness.baseline_nearer:,} of {nearness.elements:,},"
        f" {names[1]} at {nearness.candidate_nearer:,}"
    )
    baseline, candidate = _off(nearness.baseline_abs), _off(nearness.candidate_abs)
    parts.append(f"{baseline} and {candidate}")
    if baseline == candidate:
        parts[-1] = f"both {baseline}"
    yield line("  right", "; ".join(parts))


def _off(size: float) -> str:
    return given(size, "≤ {:.3g} off") or "exact"
