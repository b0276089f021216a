"""Nodes that pass a difference on, held against what each side itself reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.own_found import OwnEntry
from convdiff.net.models.own_nodes import Built, Nodes
from convdiff.net.models.own_values import SHARE, Step
from convdiff.net.shares import shares
from convdiff.net.trace.explained import verdict_off
from convdiff.net.trace.judged import Evidence, judge_sides
from convdiff.net.trace.narrowed import is_narrowed
from convdiff.net.trace.segment import off_likely

Steps = tuple[Step, Step]


@dataclass(frozen=True)
class Passed:
    """What a value is that passes a difference on."""

    name: str
    entry: OwnEntry | None = None
    """What is more than rounding."""
    unread: str = ""
    """Why it is not known."""


def passed_on(nodes: Nodes, names: Sequence[str], steps: Steps) -> Iterator[Passed]:
    """Yield what some values of one step are. Raises NotRunError."""
    computed = set[str]().union(*(step.values for step in steps), *(step.inputs for step in steps))
    needed = {}
    for name in names:
        needed[name] = [one for one in nodes.values[name].sources if one in computed]
    for group in shares(((name, _size(steps, name, needed[name])) for name in names), SHARE):
        sides = [_fetched(step, needed, group) for step in steps]
        for name in group:
            yield _judged(nodes, name, needed[name], sides)


def _size(steps: Steps, name: str, sources: Sequence[str]) -> int:
    """Return the bytes of a value and of what its node read, on both sides."""
    size = 0
    for step in steps:
        there = [one for one in (name, *sources) if one in step.values]
        size += sum(step.values.identity(one).nbytes for one in there)
    return size


def _fetched(
    step: Step, needed: Mapping[str, Sequence[str]], group: Sequence[str]
) -> dict[str, Array]:
    """Return the bits of a group on one side, and of what it reads."""
    wanted: dict[str, None] = {}
    for name in group:
        wanted |= dict.fromkeys((name, *needed[name]))
    there = [one for one in wanted if one in step.values]
    arrays = dict(step.inputs)
    for share in step.values.shares(there):
        arrays |= share
    return arrays


def _judged(
    nodes: Nodes, name: str, reads: Sequence[str], sides: Sequence[Mapping[str, Array]]
) -> Passed:
    try:
        one, other = (_built(nodes, name, reads, side) for side in sides)
        return Passed(name, against_own(one, other))
    except KeyError:
        return Passed(name, unread="fused otherwise on one side")
    except UnreadError as error:
        return Passed(name, unread=str(error))


def _built(nodes: Nodes, name: str, reads: Sequence[str], side: Mapping[str, Array]) -> Built:
    return nodes.built(name, {source: side[source] for source in reads}, side[name])


def against_own(one: Built, other: Built) -> OwnEntry | None:
    """Return what one node is on two sides, each held against what it read; None for rounding.

    Raises UnreadError where that is not known.
    """
    _refuse(one)
    if one.output.shape != other.output.shape:
        raise UnreadError("of another shape on each side")
    times = max(map(_times_off, (one, other)))
    if times <= 1:
        return None
    layer = one.layers[0]
    if layer.kind.family != "op":
        return _by_value(one, other)
    reason = f"of what it reads itself {times:.3g} × what roundings are likely to give"
    arrays, outputs = one.arrays[layer.name], (one.output, other.output)
    inputs = one.inputs[0], other.inputs[0]
    if not one.is_fused and is_narrowed(layer, arrays, inputs, outputs):
        return OwnEntry("precision", reason=reason)
    return OwnEntry(verdict_off(times), reason=reason)


def _refuse(built: Built) -> None:
    """Raise UnreadError for what is fused with what is not known, or is no floating point."""
    if built.is_fused and len(built.layers) == 1:
        raise UnreadError("a convolution that is fused with an activation that is no layer here")
    if built.output.dtype.kind == "i":
        raise UnreadError("whole numbers")


def _times_off(built: Built) -> float:
    """Return how far one side is off, in units of what roundings are likely to give."""
    columns = np.ones(built.output.shape[2], bool)
    sides = [built.output]
    return off_likely(
        built.net, built.layers, built.arrays, built.given, sides, columns, built.depths
    )


def _by_value(one: Built, other: Built) -> OwnEntry | None:
    """Return how many values of each side are not correctly rounded, where that is no rounding."""
    layer, columns = one.layers[0], np.ones(one.output.shape[2], bool)
    arrays, sides = one.arrays[layer.name], (one.output, other.output)
    inputs = [one.inputs, other.inputs]
    evidence = Evidence(one.net, layer, arrays, inputs, sides, columns, one.depths)
    verdict, judged = judge_sides(evidence)
    if verdict == "rounding":
        return None
    return OwnEntry(verdict, judged)
