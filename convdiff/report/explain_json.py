"""What `convdiff explain` found, as JSON: schema_version 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from convdiff.explaining.model import ElementReport, PairReport
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.tree.notation import notation
from convdiff.order.words import in_words
from convdiff.report.json_values import finite, or_null, parted_json, refusal_json

SCHEMA_VERSION = 1


def render(explained: ElementReport | PairReport, version: str) -> str:
    """Return the report as JSON text; its keys are a contract.

    version: of the tool.
    """
    sides = explained.sides if isinstance(explained, PairReport) else (explained,)
    case = sides[0].case
    report = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": version,
        "case": {"name": case.name, "file": case.file},
        "outputs": [_output(side) for side in sides],
        "comparison": _comparison(explained) if isinstance(explained, PairReport) else None,
    }
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def _output(side: ElementReport) -> dict[str, Any]:
    """Return one output's orders and its element; the baseline stands first."""
    orders = side.explanation
    output: dict[str, Any] = {
        "runtime": side.standing.runtime.id,
        "version": side.standing.fingerprint.get("version"),
        "op": side.cell.op,
        "length": side.cell.length,
        "batch": side.cell.batch,
        "status": "untested",
        "reason": side.reason,
        "replayed": None,
        "confirmed": None,
        "calls": None,
        "orders": [],
        "refusals": [],
        "padding": 0,
        "element": _element(side),
    }
    if orders is None:
        return output
    return {
        **output,
        "status": orders.status,
        "replayed": list(orders.replayed),
        "confirmed": orders.confirmed,
        "calls": orders.calls,
        "orders": [_order(order, orders) for order in orders.orders],
        "refusals": [refusal_json(refusal) for refusal in orders.refusals],
        "padding": orders.alone,
    }


def _order(one: ProvedOrder, orders: Orders) -> dict[str, Any]:
    tree = one.order.tree
    return {
        "notation": notation(tree),
        "words": in_words(orders, one),
        "where": orders.where(one),
        "fused": len(tree.fused_taps()),
        "step": one.order.step.words or None,
        "confirmed": one.confirmed,
        "elements": one.count,
        "runs": [list(run) for run in _runs(one.elements)],
    }


def _runs(elements: Array) -> Iterator[tuple[int, int]]:
    """Yield where elements lie in the NHWC output: the first of a row of them, and how many."""
    edges = np.diff(elements.reshape(-1).astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield start, end - start


def _element(side: ElementReport) -> dict[str, Any] | None:
    element, tree = side.element, side.tree
    if element is None:
        return None
    shown: dict[str, Any] = {
        "index": list(element.index),
        "why": element.why or "asked for",
        "output": finite(element.output),
        "exact": finite(element.exact),
        "error": finite(element.error),
    }
    if tree is None or side.geometry is None:
        return {**shown, "order": None, "terms": [], "sums": [], "parts": None}
    values = {node: finite(value) for node, value in element.values.items()}
    terms, sums = [], []
    for leaf in range(tree.leaves):
        terms.append({"node": leaf, "name": side.geometry.name(leaf), "value": values[leaf]})
    for node, parts in enumerate(tree.children, tree.leaves):
        fused = _node(tree.fused[node - tree.leaves])
        sums.append({"node": node, "adds": list(parts), "fused": fused, "value": values[node]})
    shown |= {"order": element.order, "terms": terms, "sums": sums}
    return {**shown, "parts": _node(element.parts)}


def _node(number: int) -> int | None:
    """Return a node's number; -1 is none."""
    return number if number >= 0 else None


def _comparison(pair: PairReport) -> dict[str, Any]:
    difference, why = pair.difference, pair.why
    sizes: dict[str, Any] = dict.fromkeys(("elements", "differing", "max_abs", "max_ulp"))
    if difference is not None:
        sizes |= {name: getattr(difference, name) for name in sizes}
        sizes["max_abs"] = finite(difference.max_abs)
    if why is None:
        return {**sizes, "status": None, "causes": {}, "parted": None}
    parted = or_null(why.parted, parted_json)
    return {**sizes, "status": why.status, "causes": dict(why.causes), "parted": parted}
