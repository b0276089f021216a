"""The proof on the console: cause, replays, the orders of both sides, where the sums part."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from convdiff.diagnose.cause import Explanation, Parted, Side, SideOrder
from convdiff.diagnose.verdict import Finding

ORDERS = 3
"""Orders of one side that are written out."""
TERMS = 6
LONG = 400
"""Characters of a notation; the JSON report has all of it."""

SIGNS = {
    "order": "another order of the same products",
    "fma": "multiply and add fused on one side",
    "order+fma": "another order and other fused products",
    "bias position": "the bias joins the sum at another place",
    "precision": "inputs or weights are narrowed on one side",
    "accumulator": "the sums are kept in another precision",
    "zero sign": "one side starts from +0",
}


def sign(cause: str) -> str:
    """Say what a cause is; a joined one is the sum of its parts."""
    return SIGNS.get(cause) or "; ".join(SIGNS.get(part, part) for part in cause.split("+"))


def why_rows(finding: Finding, names: tuple[str, str]) -> list[tuple[Text, Text]]:
    """Return (name, text) rows that say what was proved of a difference, and what was not.

    names: what baseline and candidate are called in this comparison.
    """
    why = finding.why
    if why is None:
        return [(Text("  cause"), Text(finding.unasked))] if finding.unasked else []
    called: Mapping[Side, str] = {"baseline": names[0], "candidate": names[1]}
    rows = [(Text("  cause"), _cause(why))]
    for side, name in called.items():
        orders = [order for order in why.orders if order.side == side]
        for order in orders[:ORDERS]:
            rows.append((Text(f"  {name}"), _order(order, why)))
        if len(orders) > ORDERS:
            left = sum(order.elements for order in orders[ORDERS:])
            text = f"{len(orders) - ORDERS} more orders, of {left:,} elements"
            rows.append((Text(f"  {name}"), Text(text)))
    if why.parted is not None:
        rows.append((Text("  splits"), Text(_parted(why.parted, names))))
    return rows


def _cause(why: Explanation) -> Text:
    reasons = "; ".join(dict.fromkeys(refusal.reason for refusal in why.refusals))
    if why.status == "unexplained":
        return Text(f"unexplained{': ' + reasons if reasons else ''}")
    text = Text.assemble(("proved" if why.status == "proved" else "partly proved", "bold"))
    total = sum(why.causes.values()) + why.unexplained
    alone = len(why.causes) == 1 and not why.unexplained
    said = [
        f"{cause} ({sign(cause)})" + ("" if alone else f" in {elements:,} of {total:,}")
        for cause, elements in why.causes.items()
    ]
    text.append(": " + "; ".join(said))
    if why.unexplained:
        text.append(f"; {why.unexplained:,} differing elements unexplained")
        text.append(f" ({reasons})" if reasons else "")
    return text


def _order(order: SideOrder, why: Explanation) -> Text:
    _, total = why.replayed[order.side]
    notation = order.notation if len(order.notation) <= LONG else order.notation[:LONG] + " …"
    return Text.assemble(
        f"{order.elements:,} of {total:,} elements replayed bit for bit: ",
        (notation, "bold"),
        (f"\n{order.words}", "dim"),
    )


def _parted(parted: Parted, names: tuple[str, str]) -> str:
    terms = parted.terms[:TERMS]
    more = f" and {len(parted.terms) - TERMS} more" if len(parted.terms) > TERMS else ""
    place = ",".join(map(str, parted.index))
    return (
        f"element {place}, the sum of {' '.join(terms)}{more}: "
        f"{names[0]} {parted.baseline:.10g}, {names[1]} {parted.candidate:.10g}"
    )
