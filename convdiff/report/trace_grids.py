"""A trace's tables: a row a layer of the pair that is shown, and a row a pair."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby

from convdiff.case.axes import AXES
from convdiff.case.words import few
from convdiff.net.trace.allowed import verdict_of
from convdiff.net.trace.model import PairTrace, Traced, TraceResult
from convdiff.net.trace.status import Status
from convdiff.report.marks import Grid, Mark, Span, verdict_span
from convdiff.report.numbers import count
from convdiff.report.trace_names import group_name

STATUS_MARKS: dict[Status, Mark] = {
    "entered": "grave",
    "carried": "odd",
    "healed": "good",
    "untouched": "faint",
    "unseen": "faint",
    "apart": "faint",
    "unstable": "erratic",
}
FOLDED = 3
"""So many untouched layers in a row are told in one row."""
HEADER = ("layer", "", "differ", "|Δ| ≤", "ulp", "u‖y‖", "×")
"""What differs, in elements; its largest; its norm in roundings of the activation's; and how many
times that is the largest of what the layer reads."""


def layer_grid(pair: PairTrace, *, whole: bool) -> Grid:
    """Return a row a layer; what is untouched many times in a row, in one.

    Of layers that were not looked at, those in which a difference may enter.
    """
    if whole:
        return Grid(HEADER, tuple(map(_row, pair.layers)))
    behind = set(chain.from_iterable(one.unseen for one in pair.layers))
    layers = [one for one in pair.layers if one.status != "unseen" or one.name in behind]
    rows: list[tuple[Span, ...]] = []
    for status, group in groupby(layers, lambda one: one.status):
        members = list(group)
        if status == "untouched" and len(members) >= FOLDED:
            rows.append(_folded(members))
        else:
            rows += map(_row, members)
    return Grid(HEADER, tuple(rows))


def _folded(members: Sequence[Traced]) -> tuple[Span, ...]:
    name = f"{len(members)} layers, to {members[-1].name}"
    return Span(name, "faint"), Span("untouched", "faint"), *(Span(""),) * (len(HEADER) - 2)


def _row(one: Traced) -> tuple[Span, ...]:
    mark = STATUS_MARKS[one.status]
    head = Span(one.name, mark), Span(one.status, mark)
    if one.growth is None:
        return *head, *(Span(""),) * (len(HEADER) - 2)
    difference, times = one.growth.difference, one.growth.amplification
    return (
        *head,
        Span(count(difference.differing)),
        Span(f"{difference.max_abs:.2e}"),
        Span(count(difference.max_ulp)),
        Span(f"{one.growth.relative:.3g}"),
        Span("" if times is None else f"{times:.2g}"),
    )


PAIRS = ("compared", "enters at", "differ", "|Δ| ≤", "ulp", "")


def pair_grid(result: TraceResult) -> Grid:
    """Return what was compared: pairs that tell the same, of neighbouring lengths, in one row."""
    numbered = sorted(enumerate(result.pairs), key=lambda one: _order(one[1]))
    rows = []
    for _, group in groupby(numbered, lambda one: _story(result, *one)):
        rows.append(_pair_row(result, list(group)))
    return Grid(PAIRS, tuple(rows))


def _order(pair: PairTrace) -> tuple[int, str, int, int]:
    run = pair.pair.candidate
    return list(AXES).index(pair.pair.axis), run.runtime.id, run.batch, run.length


def _story(result: TraceResult, number: int, pair: PairTrace) -> tuple[object, ...]:
    """Return what pairs have in common that stand in one row: all but their lengths."""
    one, other = pair.pair.baseline, pair.pair.candidate
    sides = (one.runtime, one.batch, other.runtime, other.batch, other.repeat)
    drifts, compared = number in result.drifting, not pair.reason
    return pair.pair.axis, sides, pair.entered, pair.differs, drifts, compared


def _pair_row(result: TraceResult, group: Sequence[tuple[int, PairTrace]]) -> tuple[Span, ...]:
    pair = group[0][1]
    lengths = sorted({one.pair.candidate.length for _, one in group})
    name = Span(group_name(result, pair.pair, lengths))
    if pair.reason:
        return name, Span("not compared", "warning"), *(Span(""),) * (len(PAIRS) - 2)
    worst = max((one.worst for _, one in group if one.worst), key=lambda one: one.max_abs)
    drifts = group[0][0] in result.drifting
    ruling = Span("DRIFT", "grave") if drifts else verdict_span(verdict_of(result, pair))
    differing = Span(f"{worst.differing:,} of {worst.elements:,}")
    sizes = Span(""), Span("")
    if worst.differing:
        sizes = Span(f"{worst.max_abs:.2e}"), Span(count(worst.max_ulp))
    return name, _entered(pair), differing, *sizes, ruling


def _entered(pair: PairTrace) -> Span:
    if pair.entered:
        return Span(few(pair.entered, 3), "grave")
    if pair.is_unstable:
        return Span("unstable", "faint")
    return Span("—", "faint")
