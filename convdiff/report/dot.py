"""The tree of an element as Graphviz text; two trees stand beside each other."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.explaining.model import ElementReport, PairReport
from convdiff.report.numbers import short


def render(found: ElementReport | PairReport) -> str:
    """Return a graph of all terms and sums, each with its value; edges lead from what is added."""
    if isinstance(found, PairReport):
        named = list(zip(found.sides, found.names, strict=True))
    else:
        named = [(found, found.standing.runtime.id)]
    lines = ["digraph explain {", "  rankdir=BT;", "  node [shape=box, fontname=monospace];"]
    for number, (side, name) in enumerate(named):
        lines.append(f"  subgraph cluster_{number} {{")
        lines += [f"    {line}" for line in _tree(side, name, f"s{number}_")]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _tree(side: ElementReport, name: str, prefix: str) -> Iterator[str]:
    """Yield the statements of one tree; prefix: what its nodes' names begin with."""
    element, tree, orders = side.element, side.tree, side.explanation
    if element is None or tree is None or orders is None:
        yield f"label={_quoted(f'{name}: no proven order')};"
        return
    place = ",".join(map(str, element.index))
    yield f"label={_quoted(f'{name}, element {place}')};"
    for node, value in sorted(element.values.items()):
        label = "+" if node >= tree.leaves else _term(orders.geometry.name(node), node, tree.taps)
        marked = ", color=red, penwidth=2" if node == element.parts else ""
        text = _quoted(label, short(value, orders.geometry.dtype))
        yield f"{prefix}{node} [label={text}{marked}];"
    fused = tree.fused_taps()
    for child, parent in enumerate(tree.parents):
        if parent >= 0:
            unrounded = ' [label="fma", style=dashed]' if child in fused else ""
            yield f"{prefix}{child} -> {prefix}{parent}{unrounded};"


def _term(name: str, leaf: int, taps: int) -> str:
    return f"{leaf} {name}" if leaf < taps else name


def _quoted(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
