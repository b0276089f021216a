"""A case with other lengths, batches or devices, as a sweep asks for them."""

from __future__ import annotations

from dataclasses import replace

from convdiff.case.device import Device
from convdiff.case.model import Case
from convdiff.case.ranges import below
from convdiff.errors import ConvdiffError


def vary(
    case: Case,
    lengths: tuple[int, ...] | None = None,
    batches: tuple[int, ...] | None = None,
    devices: tuple[Device, ...] | None = None,
) -> Case:
    """Return the case with what is given replaced; a generated input grows to fit.

    Raises ConvdiffError for lengths below the filter, or beyond an input of fixed size.
    """
    lengths = lengths or case.lengths
    batches = batches or case.batches
    conv = case.conv
    short = below(lengths, conv.axes[-1].least)
    if short:
        raise ConvdiffError(
            f"{short} below the width {conv.reach[-1]} of the filter of {case.name!r}; "
            f"{conv.needs_length}"
        )
    held_batch, height, held_length, channels = case.input.shape
    shape = (max(batches), height, lengths[-1], channels)
    if case.input.kind in ("values", "file"):
        if held_batch < shape[0] or held_length < shape[2]:
            raise ConvdiffError(
                f"the input of {case.name!r} is fixed: batch {held_batch}, length {held_length}; "
                f"batch {shape[0]} and length {shape[2]} were asked for"
            )
        shape = case.input.shape  # type: ignore[assignment]  # an input is always NHWC
    values = case.input.values
    if case.input.kind == "delta":
        shape = (max(shape[0], held_batch), height, max(shape[2], held_length), channels)
        values = (_moved(int(values[0]), case.input.shape, shape),)
    return replace(
        case,
        lengths=lengths,
        batches=batches,
        devices=devices or case.devices,
        input=replace(case.input, shape=shape, values=values),
    )


def _moved(flat: int, old: tuple[int, ...], new: tuple[int, ...]) -> int:
    """Return where the element at flat position `flat` of shape `old` is in the shape `new`."""
    index = []
    for extent in reversed(old):
        flat, i = divmod(flat, extent)
        index.append(i)
    for i, extent in zip(reversed(index), new, strict=True):
        flat = flat * extent + i
    return flat
