"""What is asked: a case as plain, frozen data. No array is made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from convdiff.case.axes import AXES, Axis
from convdiff.case.device import Device
from convdiff.case.layout import Layout, Order, layout_of
from convdiff.errors import Place
from convdiff.worker.ops.convolution import Convolution

Dtype = Literal["float32", "float64", "float16", "bfloat16"]
ITEM_BYTES: dict[str, int] = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


@dataclass(frozen=True)
class ArraySpec:
    """How an array is made: its kind, its parameters and its shape."""

    kind: str
    """`values`, `file`, or a generator: normal, uniform, integers, ones, zeros, delta, ramp."""
    shape: tuple[int, ...]
    """HWIO for a filter, NHWC for an input, (channels,) for a bias."""
    values: tuple[float, ...] = ()
    """The numbers of `values` in C order; the parameters of a generator."""
    file: Path | None = None
    member: str | None = None
    """The array's name inside an `.npz` file."""
    seed: int = 0
    stream: int = 0
    """Which of a seed's independent streams: the image's number in an input."""
    scale: float = 1.0
    along: int = 0
    """The axis of a ramp: the length, so 2 of NHWC, 1 of HWIO, 0 of a bias."""
    axes: tuple[int, ...] = ()
    """Where each axis goes of the given values, in the shape `given`; empty where they are as they
    stand. What is generated is made in `shape`."""
    given: tuple[int, ...] = ()
    place: Place = field(default_factory=lambda: Place("<case>"), compare=False)


@dataclass(frozen=True)
class Allowance:
    """What `expect` allows on one axis: bitwise, ulps, rounding or anything."""

    kind: Literal["bitwise", "ulps", "rounding", "anything"]
    ulps: int = 0

    def __str__(self) -> str:
        """Write the allowance as the case file does."""
        return f"≤ {self.ulps} ulp" if self.kind == "ulps" else self.kind


DEFAULT_EXPECT: Mapping[Axis, Allowance] = {
    axis: Allowance(facts.expect) for axis, facts in AXES.items()
}


NOTED = Allowance("anything")
"""What multiply + reduce_sum is held to by default: it is an opinion, and no patient."""


@dataclass(frozen=True)
class Case:
    """What is computed, and what is expected of it."""

    name: str
    file: str
    conv: Convolution
    filter: ArraySpec
    bias: ArraySpec | None
    input: ArraySpec
    height: int
    """Rows of the input: of three dimensions depth · height."""
    lengths: tuple[int, ...]
    added: ArraySpec | None = None
    """What the step `add` adds, NHWC, with 1 along the axes along which it is alike."""
    batches: tuple[int, ...] = (1,)
    channels_out: tuple[int, ...] = ()
    """How many of the first filters are run alone, and held against all."""
    devices: tuple[Device, ...] = (Device("cpu"),)
    repeat: int = 1
    source: str | None = None
    layout: str = "nhwc"
    """How its file writes arrays, of `LAYOUTS`; messages speak so. All here is HWIO and NHWC."""
    built_in: bool = False
    """It comes with the program: there is no file to name."""
    expect: Mapping[Axis, Allowance] = field(default_factory=lambda: dict(DEFAULT_EXPECT))
    lock_order: bool = False
    """A summation order other than the baseline's is drift, whatever the bits."""
    baseline_reference: Allowance = NOTED
    """What may differ between multiply + reduce_sum and what a baseline holds of it."""
    of_baseline: tuple[str, ...] = ()
    """What its file expects of a baseline, as `expect` has it."""
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Where each axis is spoken of in the file: its expectation, else its values, else line 1.
    As expect.AXIS, where its expectation stands or is to be written."""

    @property
    def lying(self) -> Layout:
        """How its file writes filter and input."""
        layout, conv = layout_of(self.layout, self.conv.op, self.conv.groups), self.conv
        high = conv.kernel[-2], self.height // conv.depth
        orders = replace(layout.filter, high=high[0]), replace(layout.input, high=high[1])
        return Layout(*orders)

    @property
    def output_order(self) -> Order:
        """How it writes outputs, and the indices of their elements."""
        high = self.conv.outputs(self.height, self.lengths[-1])[-2]
        return replace(self.lying.input, high=high)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Return the NHWC shape of what is run of the input; a given array may be larger."""
        return self.batches[-1], self.height, self.lengths[-1], self.conv.channels_in
