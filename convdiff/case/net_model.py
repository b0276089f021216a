"""What is asked of a net: layers in a graph as plain, frozen data. No array is made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convdiff.case.axes import Axis
from convdiff.case.device import Device
from convdiff.case.model import DEFAULT_EXPECT, Allowance, ArraySpec
from convdiff.errors import Place
from convdiff.worker.ops.net import Net


@dataclass(frozen=True)
class NetCase:
    """A net, the inputs it is run on, and what is expected of it."""

    name: str
    file: str
    net: Net
    arrays: Mapping[str, ArraySpec]
    """By the keys that the net's layers name: HWIO filters, biases, …"""
    input: ArraySpec
    """NHWC at the longest of the lengths and the largest of the batches, or larger."""
    lengths: tuple[int, ...]
    batches: tuple[int, ...] = (1,)
    devices: tuple[Device, ...] = (Device("cpu"),)
    repeat: int = 1
    source: str | None = None
    layout: str = "nhwc"
    """How its file writes arrays, of `LAYOUTS`; all here is HWIO and NHWC."""
    expect: Mapping[Axis, Allowance] = field(default_factory=lambda: dict(DEFAULT_EXPECT))
    held: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    """Its arrays where they are there already, a model file's: then `arrays` is empty."""
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Where each layer stands in the file, by its name."""
    accepted_at: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Where an axis's expectation is written, or to be written: expect.AXIS; of a case file."""

    @property
    def rows(self) -> int:
        """Rows of the input: of three dimensions depth · height."""
        return self.input.shape[1]

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self.input.shape[3]

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Return the NHWC shape of what is run of the input; a given array may be larger."""
        return self.batches[-1], self.rows, self.lengths[-1], self.channels
