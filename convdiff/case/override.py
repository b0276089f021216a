"""A case with other lengths, batches or devices, as a sweep asks for them."""

from __future__ import annotations

from dataclasses import replace

from convdiff.case.device import Device
from convdiff.case.model import ArraySpec, Case
from convdiff.case.ranges import below
from convdiff.errors import ConvdiffError
from convdiff.worker.ops.convolution import Convolution


def some_filters(conv: Convolution, counts: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of filters to run alone. Raises ValueError for more than there are.

    Of a grouped convolution they are whole groups.
    """
    each = conv.channels_out // conv.groups if conv.groups > 1 else 1
    for count in counts:
        if count > conv.channels_out:
            raise ValueError(f"{count} filters of {conv.channels_out}")
        if count % each:
            raise ValueError(f"{count} filters are no whole groups of {each}")
    return tuple(count for count in counts if count < conv.channels_out)


def vary(
    case: Case,
    lengths: tuple[int, ...] | None = None,
    batches: tuple[int, ...] | None = None,
    devices: tuple[Device, ...] | None = None,
    channels_out: tuple[int, ...] | None = None,
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
    try:
        some = case.channels_out if channels_out is None else some_filters(conv, channels_out)
    except ValueError as error:
        raise ConvdiffError(f"{case.name!r}: {error}") from None
    return replace(
        case,
        lengths=lengths,
        batches=batches,
        channels_out=some,
        devices=devices or case.devices,
        input=grown(case.name, case.input, max(batches), lengths[-1]),
    )


def grown(name: str, spec: ArraySpec, batch: int, length: int) -> ArraySpec:
    """Return how an input, NHWC, of at least this size is made.

    name: of the case. Raises ConvdiffError for an input of fixed size.
    """
    held_batch, height, held_length, channels = spec.shape
    shape: tuple[int, ...] = (batch, height, length, channels)
    values = spec.values
    if spec.kind in ("values", "file"):
        if held_batch < batch or held_length < length:
            raise ConvdiffError(
                f"the input of {name!r} is fixed: batch {held_batch}, length {held_length}; "
                f"batch {batch} and length {length} were asked for"
            )
        shape = spec.shape
    if spec.kind == "delta":
        shape = (max(batch, held_batch), height, max(length, held_length), channels)
        values = (_moved(int(values[0]), spec.shape, shape),)
    return replace(spec, shape=shape, values=values)


def _moved(flat: int, old: tuple[int, ...], new: tuple[int, ...]) -> int:
    """Return where the element at flat position `flat` of shape `old` is in the shape `new`."""
    index = []
    for extent in reversed(old):
        flat, i = divmod(flat, extent)
        index.append(i)
    for i, extent in zip(reversed(index), new, strict=True):
        flat = flat * extent + i
    return flat
