"""A recording in lines: the same for the same bits, for a line diff to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from convdiff.case import layout
from convdiff.case.arrays import digest
from convdiff.case.axes import filters
from convdiff.case.expect import written
from convdiff.case.layout import Order
from convdiff.case.model import NOTED, Case
from convdiff.diagnose.verdicts import VERDICTS, Verdict
from convdiff.errors import printable
from convdiff.numerics.array import Array
from convdiff.numerics.floats import hexes
from convdiff.plan.alike import written_pads
from convdiff.recording.model import Entry, RecordedCase, Recording, SavedOrders, SavedProbes
from convdiff.report.marks import Line, Mark, Span, line
from convdiff.report.numbers import decimal
from convdiff.report.runtime_line import fingerprint
from convdiff.runtime.model import Runtime, Standing
from convdiff.worker.ops.convolution import Convolution

MOST = 1000
"""Values of a cell that are shown, unless all are asked for."""
SHORT = 16
"""Digits of a checksum."""
POINTS_TO: Mapping[str, Verdict] = {
    "shape_error": "wrong",
    "integer_error": "wrong",
    "transform": "transform",
    "narrowed": "precision",
    "quantised": "precision",
    "overflows": "precision",
    "flushes": "precision",
    "unstable": "unstable",
}
"""The verdict whose colour a trait has."""


def lines(recording: Recording, *, show_all: bool) -> Iterator[Line]:
    """Yield the lines of a recording; their labels hold what they are indented by."""
    for number, name in enumerate(sorted(recording.cases)):
        if number:
            yield line("")
        for one in _case(recording.cases[name], show_all=show_all):
            yield Line(_printable(one.label), tuple(map(_printable, one.spans)))


def _printable(span: Span) -> Span:
    """Replace what a file may say to command a terminal."""
    return replace(span, text="".join(map(printable, span.text)))


def _case(recorded: RecordedCase, *, show_all: bool) -> Iterator[Line]:
    case, tensors = recorded.case, recorded.tensors
    conv, lying = case.conv, case.lying
    yield line(Span(case.name, "strong"))
    weights = lying.filter.named(lying.filter.spoken(conv.filter_shape))
    yield _row(
        "filter",
        f"{weights}, {conv.dtype}, strides {layout.written(conv.strides)}, "
        f"dilations {layout.written(conv.dilations)}, groups {conv.groups}{_of_op(conv)}",
    )
    yield _row("", _checksum(tensors.filter_hwio))
    if tensors.bias is not None:
        yield _row("bias", f"{conv.channels_out}, ", _checksum(tensors.bias))
    x = tensors.input_nhwc
    yield _row("input", f"{lying.input.named(lying.input.spoken(x.shape))}, ", _checksum(x))
    yield _row("expect", "; ".join(_expected(case)))
    orders = _notations(recorded.entries)
    for runtime, reported in recorded.fingerprints.items():
        words = fingerprint(Standing(runtime, True, None, reported))
        yield line(f"  {runtime.live_id}  ", words)
    several = len(recorded.fingerprints) > 1
    for shared, runtimes in _by_probes(recorded):
        where = f"  of {', '.join(runtimes)}"
        yield _row("probes", *_probes(shared), Span(where * several, "faint"))
    for notation, number in orders.items():
        yield _row(f"order {number}", Span(notation, "strong"))
    for entry in recorded.entries:
        yield line("")
        common = _shared_probes(recorded.entries, entry.cell.runtime)
        order = _output_order(case, entry)
        yield from _entry(entry, order, orders, common, named=several)
        yield from _values(entry.output, order, show_all=show_all)


AXES = "NHWC"
PLAIN = Order(AXES, AXES)
"""How an output is told whose shape is not the convolution's."""


def _output_order(case: Case, entry: Entry) -> Order:
    """Return how an output is told: as the case has it, if it has the convolution's shape."""
    cell, conv = entry.cell, case.conv.first(entry.cell.channels)
    shape: tuple[int, ...] = conv.output_shape(cell.batch, case.height, cell.length)
    if tuple(entry.output.shape) == shape:
        return case.output_order
    return PLAIN


def _row(name: str, *parts: str | Span) -> Line:
    return line(f"  {name:<9} ", *parts)


def _checksum(array: Array) -> Span:
    return Span(f"sha256 {digest(array)[:SHORT]}", "faint")


def _expected(case: Case) -> Iterator[str]:
    """Yield each allowance once, with the axes that have it; then what else is expected."""
    axes: dict[str, list[str]] = {}
    for axis, allowance in written(case.expect):
        axes.setdefault(str(allowance), []).append(axis)
    for allowed, names in axes.items():
        yield f"{allowed} along {', '.join(names)}"
    if case.lock_order:
        yield "order locked"
    if case.baseline_reference != NOTED:
        yield f"baseline_reference {case.baseline_reference}"


def _notations(entries: Iterable[Entry]) -> Mapping[str, int]:
    """Return a number for each order of a case, from 1, as the entries come."""
    saved = [entry.orders for entry in entries if entry.orders is not None]
    once = dict.fromkeys(order.notation for one in saved for order in one.orders)
    return {notation: number for number, notation in enumerate(once, 1)}


def _by_probes(recorded: RecordedCase) -> list[tuple[SavedProbes, list[str]]]:
    """Return what probes found of all cells of a runtime, once, with the runtimes it is so of."""
    groups: list[tuple[SavedProbes, list[str]]] = []
    for runtime in recorded.fingerprints:
        shared = _shared_probes(recorded.entries, runtime)
        if shared is None:
            continue
        runtimes = next((names for probes, names in groups if probes == shared), None)
        if runtimes is None:
            groups.append((shared, [runtime.live_id]))
        else:
            runtimes.append(runtime.live_id)
    return groups


def _shared_probes(entries: Iterable[Entry], runtime: Runtime) -> SavedProbes | None:
    """Return what probes found of a runtime, where it is the same in all cells that were probed."""
    own = [entry.probes for entry in entries if entry.cell.runtime == runtime]
    probed = [probes for probes in own if probes is not None]
    if len(probed) < 2 or any(probes != probed[0] for probes in probed):
        return None
    return probed[0]


def _entry(
    entry: Entry,
    order: Order,
    numbers: Mapping[str, int],
    common: SavedProbes | None,
    *,
    named: bool,
) -> Iterator[Line]:
    """Yield what is known of a cell.

    order: of its output, as the case has it. numbers: of orders. common: what was said
    above of what probes found.
    """
    cell = entry.cell
    parts = [cell.op, f"T={cell.length} batch {cell.batch}"]
    if cell.channels:
        parts.append(filters(cell.channels))
    if cell.repeat:
        parts.append(f"run {cell.repeat + 1}")
    if named:
        parts.append(cell.runtime.live_id)
    yield line("  ", Span(" ".join(parts), "strong"))
    shape = layout.written(entry.output.shape)
    if entry.output.ndim == len(AXES):
        shape = order.named(order.spoken(entry.output.shape))
    yield line("    ", f"{shape}, ", _checksum(entry.output))
    if entry.probes is not None and common is None:
        yield line("    probes  ", *_probes(entry.probes))
    if entry.probes is None and common is not None:
        yield line("    probes  ", Span("none", "faint"))
    if entry.orders is not None:
        yield from _orders(entry.orders, numbers)


def _probes(probes: SavedProbes) -> Iterator[Span]:
    """Yield what probes found, in the colours of the verdicts to which it leads."""
    facts = [Span(f"{name}: {text}", _tone(name)) for name, text in sorted(probes.traits.items())]
    if probes.fits:
        facts.append(Span(f"fits: {probes.fits}", VERDICTS["wrong"].tone))
    if probes.silent:
        facts.append(Span("no answer", "warning"))
    first, *others = facts or [Span("clean", VERDICTS["same"].tone)]
    yield first
    for fact in others:
        yield Span("; ")
        yield fact


def _tone(trait: str) -> Mark:
    if trait in POINTS_TO:
        return VERDICTS[POINTS_TO[trait]].tone
    return ""


def _values(output: Array, order: Order, *, show_all: bool) -> Iterator[Line]:
    """Yield a line a value of an NHWC output: its index, in decimal and in hexadecimal."""
    flat = shown = output.reshape(-1)
    if not show_all:
        shown = flat[:MOST]
    with np.errstate(invalid="ignore"):  # a signalling NaN
        bits = hexes(shown)
    for at, value, exact in zip(range(len(shown)), shown, bits, strict=True):
        position = [int(i) for i in np.unravel_index(at, output.shape)]
        index = ",".join(map(str, position))
        if len(position) == len(AXES):
            index = order.index(position)
        yield line(f"    {index}  ", decimal(value), Span(f"  {exact}", "faint"))
    if len(shown) < len(flat):
        yield line("    ", f"… and {len(flat) - len(shown):,} more values; --all shows them")


def _orders(saved: SavedOrders, numbers: Mapping[str, int]) -> Iterator[Line]:
    for number, order in enumerate(saved.orders):
        count = int(np.count_nonzero(saved.which == number))
        share = f"  {count:,} of {saved.which.size:,} elements"
        yield line("    order   ", Span(str(numbers[order.notation]), "strong"), share)
    for kind, reason in saved.refusals:
        yield line("    order   ", Span("none", "warning"), f": {kind}: {reason}")


def _of_op(conv: Convolution) -> str:
    """Say what is more than a VALID conv2d."""
    parts = []
    if conv.op != Convolution._field_defaults["op"]:
        parts.append(conv.op)
    if not isinstance(conv.padding, str):
        parts.append(f"padding {written_pads(conv, conv.padding)}")
    elif conv.padding != "valid":
        parts.append(f"padding {conv.padding}")
    if any(conv.output_padding):
        parts.append(f"output padding {layout.written(conv.output_padding)}")
    return "".join(f", {part}" for part in parts)
