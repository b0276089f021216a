"""A net with other lengths, batches or devices, as the command line asks for them."""

from __future__ import annotations

from dataclasses import replace

from convdiff.case.device import Device
from convdiff.case.net_model import NetCase
from convdiff.case.override import grown
from convdiff.errors import ConvdiffError
from convdiff.worker.ops.net_shapes import extents


def vary_net(
    case: NetCase,
    lengths: tuple[int, ...] | None = None,
    batches: tuple[int, ...] | None = None,
    devices: tuple[Device, ...] | None = None,
) -> NetCase:
    """Return the net with what is given replaced; a generated input grows to fit.

    Raises ConvdiffError for lengths that do not fit a layer, or are beyond an input of fixed size.
    """
    lengths, batches = lengths or case.lengths, batches or case.batches
    for length in {lengths[0], lengths[-1]}:
        try:
            extents(case.net, case.rows, length, case.channels, case.net.depth)
        except ValueError as error:
            raise ConvdiffError(f"{case.name!r} at length {length}: {error}") from None
    return replace(
        case,
        lengths=lengths,
        batches=batches,
        devices=devices or case.devices,
        input=grown(case.name, case.input, max(batches), lengths[-1]),
    )
