"""The proof in lines: cause, replays, the orders of both sides, where the sums part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from convdiff.case.layout import Order
from convdiff.case.words import given
from convdiff.diagnose.cause import Explanation, Parted, SideOrder
from convdiff.diagnose.evidence import Side
from convdiff.diagnose.verdict import Finding
from convdiff.order.counterfactual import Cause
from convdiff.report.marks import Line, Span, line

ORDERS = 3
"""Orders of one side that are written out."""
TERMS = 6
"""Terms of a sum that are written out."""
LONG = 100
"""Characters of a notation; the JSON report has all of it."""
WHOLE = "; --json has the whole"

SIGNS = {
    "order": "another order of the same products",
    "fma": "multiply and add fused on one side",
    "order+fma": "another order and other fused products",
    "bias position": "the bias joins the sum at another place",
    "precision": "inputs or weights are narrowed on one side",
    "accumulator": "the sums are kept in another precision",
    "rounded between blocks": "one side rounds its sums where blocks of them are added",
    "narrow sums": "one side sums in fewer bits than the numbers have",
    "narrowed between blocks": "one side narrows its sums where blocks of them are added",
    "narrowed before the bias": "one side rounds the sum to fewer bits before it adds the bias",
    "narrowed output": "one side rounds its results to fewer bits",
    "flush to zero": "one side takes subnormal numbers for zero",
    "zero sign": "one side starts from +0",
    "step": "the step that follows is done in another way",
}


def sign(cause: Cause) -> str:
    """Say what a cause is; one that has no sentence of its own is the sum of its parts."""
    return "; ".join(_signs(cause))


def signs(causes: Iterable[Cause]) -> list[str]:
    """Say what several causes are, each sentence once."""
    return list(dict.fromkeys(chain.from_iterable(map(_signs, causes))))


def _signs(cause: Cause) -> list[str]:
    if cause in SIGNS:
        return [SIGNS[cause]]
    return [SIGNS[part.value] for part in cause.parts]


def why_lines(finding: Finding, names: tuple[str, str], axes: Order) -> Iterator[Line]:
    """Yield what was proved of a difference, and what was not.

    names: what baseline and candidate are called in this comparison. axes: of the case's outputs.
    """
    why = finding.why
    if why is None:
        if finding.unasked:
            yield line("  cause", finding.unasked)
        return
    yield cause_line(why)
    called: Mapping[Side, str] = {"baseline": names[0], "candidate": names[1]}
    for side, name in called.items():
        orders = [order for order in why.told if order.side == side]
        for order in orders[:ORDERS]:
            yield line(f"  {name}", *_order(order, why))
        if len(orders) > ORDERS:
            left = sum(order.elements + order.others for order in orders[ORDERS:])
            text = f"{len(orders) - ORDERS} more orders, of {left:,} elements"
            yield line(f"  {name}", text)
    if why.parted is not None:
        yield splits_line(why.parted, names, axes)


def proof_of(why: Explanation) -> str:
    """Say how far the causes are proved."""
    if why.status == "proved":
        return "proved"
    return "partly proved"


def cause_line(why: Explanation) -> Line:
    """Return what was proved to be the cause, and of how many elements."""
    return line("  cause", *_cause(why))


def splits_line(parted: Parted, names: tuple[str, str], axes: Order) -> Line:
    """Return where the sums of one element part; axes: of the case's outputs."""
    return line("  splits", _parted(parted, names, axes))


def _cause(why: Explanation) -> Iterator[str | Span]:
    reasons = "; ".join(dict.fromkeys(refusal.reason for refusal in why.refusals))
    if why.status == "unexplained":
        yield "unexplained" + given(reasons, ": {}")
        return
    yield Span(proof_of(why), "strong")
    total = sum(why.causes.values()) + why.unexplained
    named = []
    for cause, elements in why.causes.items():
        text = f"{cause} ({sign(cause)})"
        if elements != total:
            text += f" in {elements:,} of {total:,}"
        named.append(text)
    yield ": " + "; ".join(named)
    if why.unexplained:
        yield f"; {why.unexplained:,} differing elements unexplained"
        yield given(reasons, " ({})")


def _order(order: SideOrder, why: Explanation) -> tuple[str | Span, ...]:
    _, total = why.replayed[order.side]
    notation, words = order.notation, order.brief or order.words
    if len(notation) > LONG:
        notation = f"{notation[:LONG].rstrip()} …"
    if order.brief or notation != order.notation:
        words += WHOLE
    places = given("; ".join(order.places), "\n{}")
    return (
        f"{order.elements + order.others:,} of {total:,} elements replayed bit for bit: ",
        Span(notation, "strong"),
        Span(f"\n{words}{places}", "faint"),
    )


def _parted(parted: Parted, names: tuple[str, str], axes: Order) -> str:
    terms = " ".join(parted.terms[:TERMS])
    if len(parted.terms) > TERMS:
        terms += f" and {len(parted.terms) - TERMS} more"
    return (
        f"element {axes.index(parted.index)}, the sum of {terms}: "
        f"{names[0]} {parted.baseline:.10g}, {names[1]} {parted.candidate:.10g}"
    )
