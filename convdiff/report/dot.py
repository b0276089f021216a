"""The tree of an element as Graphviz text; two trees stand beside each other."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.case.words import given
from convdiff.explaining.model import ElementReport, PairReport
from convdiff.report.numbers import short


def render(report: ElementReport | PairReport) -> str:
    """Return a graph of all terms and sums, each with its value; edges lead from what is added."""
    if isinstance(report, PairReport):
        sides: tuple[ElementReport, ...] = report.sides
    else:
        sides = (report,)
    lines = ["digraph explain {", "  rankdir=BT;", "  node [shape=box, fontname=monospace];"]
    for number, side in enumerate(sides):
        lines.append(f"  subgraph cluster_{number} {{")
        lines += [f"    {line}" for line in _tree(side, f"s{number}_")]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _tree(side: ElementReport, prefix: str) -> Iterator[str]:
    """Yield the statements of one tree; prefix: what its nodes' names begin with."""
    name = _name(side)
    element, tree, geometry = side.element, side.tree, side.geometry
    if element is None or tree is None or geometry is None:
        yield f"label={_quoted(f'{name}: no proven order')};"
        return
    index = side.axes.index(element.index)
    dtype = geometry.dtype
    values = f"{short(element.output, dtype)}, exact {short(element.exact, dtype)}"
    yield f"label={_quoted(name, f'element {index}: {values}')};"
    for node, value in sorted(element.values.items()):
        label = _term(geometry.name(node), node, tree.taps) if node < tree.leaves else "+"
        marked = given(node == element.parts, ", color=red, penwidth=2")
        text = _quoted(label, short(value, dtype))
        yield f"{prefix}{node} [label={text}{marked}];"
    fused = tree.fused_taps()
    for child, parent in enumerate(tree.parents):
        if parent >= 0:
            unrounded = given(child in fused, ' [label="fma", style=dashed]')
            yield f"{prefix}{child} -> {prefix}{parent}{unrounded};"


def _name(side: ElementReport) -> str:
    """Say whose tree it is: runtime, version, what is not the convolution, length and batch."""
    cell, version = side.cell, side.standing.fingerprint.get("version")
    runtime = cell.runtime.id + given(version, " {}")
    return f"{runtime}, {cell.op} at length {cell.length}, batch {cell.batch}"


def _term(name: str, leaf: int, taps: int) -> str:
    return f"{leaf} {name}" if leaf < taps else name


def _quoted(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
