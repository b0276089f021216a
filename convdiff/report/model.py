"""A model file in lines: its operations, their shapes and numbers, and what is no layer here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from convdiff.case.layout import written
from convdiff.case.words import given
from convdiff.errors import printable, readable
from convdiff.net.models.model import FOLLOWS, Model, Node
from convdiff.report.json_values import or_null
from convdiff.report.plain import GAP

HEADER = ("layer", "operation", "output", "numbers")
LONGEST = 60
"""Characters of a name."""


def model_lines(model: Model) -> Iterator[str]:
    """Yield what a model is, a line an operation, and what can't be a layer."""
    yield _headline(model)
    rows = [HEADER, *map(_row, _computed(model))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        *left, numbers = zip(row, widths, strict=True)
        aligned = [text.ljust(width) for text, width in left]
        yield GAP.join(["", *aligned, numbers[0].rjust(numbers[1])]).rstrip()
    yield from model.notes
    yield from _unread(model)


def model_json(model: Model) -> dict[str, Any]:
    """Return a model as plain values."""
    return {
        "file": model.file,
        "format": model.format,
        "input": {"axes": model.input_axes, "shape": list(model.input_shape)},
        "open_axes": model.open_axes,
        "numbers": model.parameters,
        "notes": list(model.notes),
        "layers": [_plain(node) for node in model.nodes],
    }


def _plain(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "operation": node.op,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
        "shape": or_null(node.shape, list),
        "numbers": node.parameters,
        "constant": node.is_constant,
        "unread": node.unread,
    }


def _headline(model: Model) -> str:
    parts = [f"{len(_computed(model))} operations", f"{model.parameters:,} numbers"]
    if model.input_axes:
        shape = [
            "?" if letter in model.open_axes else str(extent)
            for letter, extent in zip(model.input_axes, model.input_shape, strict=True)
        ]
        parts.append(f"reads {'×'.join(shape)} {model.input_axes} {model.net.dtype}")
    return f"{clean(model.file)}: {model.format}, {', '.join(parts)}"


def _row(node: Node) -> tuple[str, ...]:
    op = clean(node.op) + given(node.unread, " *")
    shape = "?" if node.shape is None else written(node.shape)
    return clean(node.name), op, shape, given(node.parameters, "{:,}")


def _computed(model: Model) -> list[Node]:
    """Return the operations that are not computed of constants alone."""
    return [node for node in model.nodes if not node.is_constant]


def _unread(model: Model) -> Iterator[str]:
    """Yield each reason once, with the operations that it is of; nothing where all are layers."""
    own = [node for node in model.unread if node.unread != FOLLOWS]
    counts = Counter((node.op, node.unread) for node in own)
    for (op, reason), count in counts.items():
        first = next(node for node in own if (node.op, node.unread) == (op, reason))
        more = given(count - 1, " and {} more")
        yield f"* {clean(op)} ({clean(first.name)}{more}): {clean(reason)}"
    if len(model.unread) > len(own):
        yield f"* {len(model.unread) - len(own)} more read what is not known"


def clean(text: str) -> str:
    """Return a name of somebody else's file as one printable line, cut where it is long."""
    clean = "".join(map(printable, readable(text)))
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}…"
