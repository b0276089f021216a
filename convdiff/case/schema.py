"""The case file's schema: what keys there are, what each may hold.

msgspec builds the checks and the JSON Schema from these classes, and imports in a fraction of the
time that other schema libraries take, which is what a bad file's error waits for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Positive = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Number = int | float
Range = Annotated[
    str,
    Meta(pattern=r"^[\d.,:\s]+$", examples=["7..20", "7..2000:7"], description="7..20 or 5..64:4"),
]
Lengths = Positive | Range | list[Positive | Range]
Pair = Positive | Annotated[list[Positive], Meta(min_length=2, max_length=2)]
Literals = list[Any]
"""A nested list of numbers; its shape is checked where the geometry is known."""


class Array(Struct, forbid_unknown_fields=True, frozen=True):
    """An array that is generated or read from a file; exactly one kind, with its parameter."""

    normal: Annotated[Number, Meta(description="standard deviation")] | UnsetType = UNSET
    uniform: (
        Annotated[list[Number], Meta(min_length=2, max_length=2, description="[low, high)")]
        | UnsetType
    ) = UNSET
    integers: (
        Annotated[list[int], Meta(min_length=2, max_length=2, description="[low, high], inclusive")]
        | UnsetType
    ) = UNSET
    ones: Annotated[bool, Meta(description="true")] | UnsetType = UNSET
    zeros: Annotated[bool, Meta(description="true")] | UnsetType = UNSET
    delta: (
        Annotated[int, Meta(ge=0, description="which element, in C order, is 1")]
        | Annotated[list[int], Meta(description="index of the element that is 1")]
        | UnsetType
    ) = UNSET
    ramp: Annotated[Number, Meta(description="step: ramp·t along the length")] | UnsetType = UNSET
    file: (
        Annotated[str, Meta(description=".npy or .npz beside the case file; name.npz#member")]
        | UnsetType
    ) = UNSET
    shape: list[Positive] | UnsetType = UNSET
    seed: Annotated[int, Meta(ge=0, description="of NumPy's default_rng")] = 0
    scale: Annotated[Number, Meta(description="multiplies every value")] = 1.0


class Ulps(Struct, forbid_unknown_fields=True, frozen=True):
    """At most so many units in the last place."""

    ulps: Annotated[int, Meta(ge=0)]


Expectation = Literal["bitwise", "rounding", "anything"] | Ulps


class Expect(Struct, forbid_unknown_fields=True, frozen=True):
    """What may differ along each axis; all but device, runtime and reference default to bitwise."""

    length: Expectation = "bitwise"
    batch: Expectation = "bitwise"
    threads: Expectation = "bitwise"
    repeat: Expectation = "bitwise"
    baseline: Expectation = "bitwise"
    device: Expectation = "rounding"
    runtime: Expectation = "rounding"
    reference: Expectation = "rounding"


class CaseFile(Struct, forbid_unknown_fields=True, frozen=True):
    """A convolution, the inputs it is run on, and what is expected of it."""

    filter: Annotated[
        Literals | Array, Meta(description="HWIO; a flat list is (1, k, 1, 1), 2-D is (kh, kw)")
    ]
    input: Annotated[
        Literals | Array, Meta(description="NHWC at the longest length; a flat list is one row")
    ]
    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    source: Annotated[str, Meta(description="where it was reported")] | UnsetType = UNSET
    bias: Literals | Array | None = None
    lengths: Annotated[Lengths, Meta(description="input widths: 7, 7..20, [7, 8, 9]")] | (
        UnsetType
    ) = UNSET
    device: Literal["cpu", "gpu"] | UnsetType = UNSET
    devices: (
        Annotated[
            list[Annotated[str, Meta(pattern=r"^(cpu|gpu(:\d+)?)$")]],
            Meta(min_length=1, description="cpu, gpu (every visible one), gpu:0"),
        ]
        | UnsetType
    ) = UNSET
    height: Positive | UnsetType = UNSET
    batch: Annotated[Lengths, Meta(description="batch sizes: 1, [1, 8]")] = 1
    channels: Positive | UnsetType = UNSET
    strides: Pair = 1
    dilations: Pair = 1
    groups: Positive = 1
    dtype: Literal["float32", "float64", "float16", "bfloat16"] = "float32"
    padding: Literal["VALID"] = "VALID"
    repeat: Annotated[int, Meta(ge=1, le=10_000, description="runs of each cell")] = 1
    expect: Expect = msgspec.field(default_factory=Expect)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a case file."""
    schema = msgspec.json.schema(CaseFile)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
