"""A recording as lines of text: the same for the same bits, for a line diff to read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convdiff.case.arrays import digest
from convdiff.case.expect import written
from convdiff.case.model import NOTED
from convdiff.numerics.array import Array
from convdiff.numerics.floats import hexes
from convdiff.recording.model import Entry, RecordedCase, Recording, SavedOrders, SavedProbes
from convdiff.report.numbers import decimal
from convdiff.report.runtime_line import fingerprint
from convdiff.runtime.model import Runtime, Standing

MOST = 1000
"""Values of a cell that are shown, unless all are asked for."""
SHORT = 16
"""Digits of a checksum."""


def lines(recording: Recording, *, show_all: bool) -> Iterator[str]:
    """Yield the lines of a recording."""
    for number, name in enumerate(sorted(recording.cases)):
        if number:
            yield ""
        for line in _case(recording.cases[name], show_all=show_all):
            # What a file says may be anything; a terminal's commands are not passed on.
            yield "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def _case(recorded: RecordedCase, *, show_all: bool) -> Iterator[str]:
    case, tensors = recorded.case, recorded.tensors
    conv = case.conv
    yield case.name
    yield (
        f"  filter    {_x(conv.filter_shape)} HWIO, {conv.dtype}, strides {_x(conv.strides)}, "
        f"dilations {_x(conv.dilations)}, groups {conv.groups}"
    )
    yield f"            sha256 {digest(tensors.filter_hwio)[:SHORT]}"
    if tensors.bias is not None:
        yield f"  bias      {conv.channels_out}, sha256 {digest(tensors.bias)[:SHORT]}"
    x = tensors.input_nhwc
    yield f"  input     {_x(x.shape)} NHWC, sha256 {digest(x)[:SHORT]}"
    said = [f"{axis} {allowance}" for axis, allowance in written(case.expect)]
    said += ["order locked"] if case.lock_order else []
    if case.baseline_reference != NOTED:
        said.append(f"baseline_reference {case.baseline_reference}")
    yield f"  expect    {', '.join(said)}"
    for runtime, seen in recorded.fingerprints.items():
        words = fingerprint(Standing(runtime, True, None, seen))
        yield f"  {runtime.live_id}  {words}"
    for entry in recorded.entries:
        yield ""
        yield from _entry(entry, show_all=show_all, runtimes=list(recorded.fingerprints))


def _entry(entry: Entry, *, show_all: bool, runtimes: list[Runtime]) -> Iterator[str]:
    cell, output = entry.cell, entry.output
    again = f" run {cell.repeat + 1}" if cell.repeat else ""
    where = f" {cell.runtime.live_id}" if len(runtimes) > 1 else ""
    yield f"  {cell.op} T={cell.length} batch {cell.batch}{again}{where}"
    yield f"    {_x(output.shape)} NHWC, sha256 {digest(output)[:SHORT]}"
    if entry.probes is not None:
        yield f"    probes  {_probes(entry.probes)}"
    if entry.orders is not None:
        yield from _orders(entry.orders)
    yield from _values(output, show_all=show_all)


def _probes(probes: SavedProbes) -> str:
    facts = [f"{name}: {text}" for name, text in sorted(probes.traits.items())]
    if probes.fits:
        facts.append(f"fits: {probes.fits}")
    if probes.silent:
        facts.append("no answer")
    return "; ".join(facts) or "clean"


def _values(output: Array, *, show_all: bool) -> Iterator[str]:
    """Yield a line a value of an NHWC output: its index, in decimal and in hexadecimal."""
    flat = output.reshape(-1)
    shown = flat if show_all else flat[:MOST]
    with np.errstate(invalid="ignore"):  # a signalling NaN
        bits = hexes(shown)
    for at, value, exact in zip(range(len(shown)), shown, bits, strict=True):
        index = ",".join(str(int(i)) for i in np.unravel_index(at, output.shape))
        yield f"    {index}  {decimal(value)}  {exact}"
    if len(shown) < len(flat):
        yield f"    … and {len(flat) - len(shown):,} more values; --all shows them"


def _orders(saved: SavedOrders) -> Iterator[str]:
    for number, order in enumerate(saved.orders):
        count = int(np.count_nonzero(saved.which == number))
        yield f"    order   {order.notation}  ({count:,} of {saved.which.size:,} elements)"
    for kind, reason in saved.refusals:
        yield f"    order   none: {kind}: {reason}"


def _x(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
