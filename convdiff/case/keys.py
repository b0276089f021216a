"""The keys of a case file: what each may hold, and what it is read into.

What is checked here, what `convdiff schema` prints and what an editor knows come from the same
fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, get_args

from convdiff.case.device import DEVICE, Device
from convdiff.case.expect import EXPECTATION, EXPECTED, Expectation
from convdiff.case.forms import (
    As,
    Either,
    Exactly,
    Form,
    ListOf,
    MisfitError,
    Number,
    Pattern,
    Schema,
    Text,
    Whole,
    Words,
)
from convdiff.case.layout import DEFAULT, LAYOUTS
from convdiff.case.model import Dtype
from convdiff.case.ranges import LONGEST, parse_range
from convdiff.case.record import record
from convdiff.worker.ops import OPS
from convdiff.worker.ops.axis import PADDINGS


def _several(value: int | str | tuple[int | str, ...]) -> tuple[int, ...]:
    """Return whole numbers and ranges of them, sorted and unique. Raises ValueError."""
    numbers: set[int] = set()
    for item in value if isinstance(value, tuple) else (value,):
        numbers.update(parse_range(item) if isinstance(item, str) else (item,))
        if len(numbers) > LONGEST:
            raise ValueError(f"more than {LONGEST:,} values")
    if min(numbers) < 1:
        raise ValueError("must be 1 or more")
    return tuple(sorted(numbers))


Padding = str | int | tuple[int | tuple[int, int], ...]


def _padding(value: Padding) -> Padding:
    return value.lower() if isinstance(value, str) else value


POSITIVE = Whole(1, 10**9)
INDEX = Whole(0)
NUMBER = Number()
LARGEST = 2**53
"""Whole numbers up to here are exact in float64."""
RANGE = Pattern(r"^[\d.,:\s]+$", "a range such as 7..20 or 7..2000:7")

SEVERAL = As(Either(POSITIVE, RANGE, ListOf(Either(POSITIVE, RANGE), 1)), _several)
STEPS = Either(POSITIVE, ListOf(POSITIVE, 1, 3))
Steps = int | tuple[int, ...]
ADDED = Whole(-(10**9), 10**9)
PADDING = As(
    Either(
        Words(*PADDINGS, *(word.upper() for word in PADDINGS)),
        ADDED,
        ListOf(Either(ADDED, ListOf(ADDED, 2, 2)), 1, 3),
    ),
    _padding,
)
Yes = Annotated[bool, Exactly(True)]
Interval = tuple[float, float]


@dataclass(frozen=True)
class ArrayKeys:
    """An array that is made or read, as a case file describes it. One kind is given."""

    normal: Annotated[float | None, Number(0), "standard deviation; the mean is 0"] = None
    uniform: Annotated[Interval | None, ListOf(NUMBER, 2, 2), "[low, high)"] = None
    integers: Annotated[
        tuple[int, int] | None,
        ListOf(Whole(-LARGEST, LARGEST), 2, 2),
        "[low, high], both included",
    ] = None
    ones: Yes = False
    zeros: Yes = False
    delta: Annotated[
        int | tuple[int, ...] | None,
        Either(INDEX, ListOf(INDEX)),
        "which element is 1: its place in C order, or its index",
    ] = None
    ramp: Annotated[float | None, NUMBER, "step·t along the length"] = None
    file: Annotated[str | None, Text(), ".npy or .npz beside the case file; name.npz#member"] = None
    shape: Annotated[tuple[int, ...] | None, ListOf(POSITIVE, 1, 5)] = None
    seed: Annotated[int, INDEX, "of numpy.random.default_rng"] = 0
    scale: Annotated[float, NUMBER, "multiplies every value"] = 1.0


class Nested(Form[list[Any]]):
    """A list of numbers, or of such lists; what is in it is checked where its shape is."""

    kinds, wanted = (list,), "a list"

    def fits(self, value: list[Any]) -> bool:
        """See Form. Raises MisfitError for an empty list."""
        if not value:
            raise MisfitError("expected at least 1 value(s), found 0")
        return True

    def schema(self) -> Schema:
        """See Form."""
        return {"type": "array", "minItems": 1}


ARRAY = Either(Nested(), record(ArrayKeys))
Array = list[Any] | ArrayKeys


@dataclass(frozen=True, kw_only=True)
class CaseKeys:
    """A case file, key by key; None stands for what it leaves open."""

    name: Annotated[str | None, Text(200, 1)] = None
    source: Annotated[str | None, Text(), "where it was reported"] = None
    filter: Annotated[Array, ARRAY, "HWIO; a flat list is (1, k, 1, 1), a 2-D one (kh, kw, 1, 1)"]
    bias: Annotated[Array | None, ARRAY, "one value an output channel"] = None
    input: Annotated[Array, ARRAY, "NHWC at the longest length; a flat list is one row"]
    layout: Annotated[
        str,
        Words(*LAYOUTS),
        "nhwc: HWIO and NHWC; nchw, as PyTorch: OIHW and NCHW, in 1-D (out, in, k) and NCL",
    ] = DEFAULT
    op: Annotated[str, Words(*OPS), "what is computed"] = "conv2d"
    lengths: Annotated[tuple[int, ...] | None, SEVERAL, "input widths: 7, 7..20, [7, 8, 9]"] = None
    device: Annotated[Device | None, DEVICE] = None
    devices: Annotated[tuple[Device, ...] | None, ListOf(DEVICE, 1)] = None
    height: Annotated[int | None, POSITIVE, "rows of the input; default: the filter's"] = None
    depth: Annotated[int | None, POSITIVE, "of a 3-D input; default: the filter's"] = None
    batch: Annotated[
        tuple[int, ...] | None,
        SEVERAL,
        "batch sizes: 1, [1, 8]; default: that of the input's shape, else 1",
    ] = None
    channels: Annotated[int | None, POSITIVE, "input channels, as a check"] = None
    channels_out: Annotated[
        tuple[int, ...] | None, SEVERAL, "so many of the first filters alone, against all of them"
    ] = None
    strides: Annotated[Steps, STEPS, "one number, or one an axis: [height, width]"] = 1
    dilations: Annotated[Steps, STEPS, "one number, or one an axis: [height, width]"] = 1
    groups: Annotated[int, POSITIVE] = 1
    dtype: Annotated[Dtype, Words(*get_args(Dtype))] = "float32"
    padding: Annotated[
        Padding,
        PADDING,
        "valid, same, same_lower, causal, a number for all sides, or [[top, bottom], "
        "[left, right]], in 1-D [left, right]; a negative number crops",
    ] = "valid"
    output_padding: Annotated[
        Steps,
        Either(INDEX, ListOf(INDEX, 1, 3)),
        "what a transposed convolution's output is longer at its end",
    ] = 0
    repeat: Annotated[int, Whole(1, 10_000)] = 1
    expect: Annotated[Expectation, EXPECTATION, "what may differ along each axis"] = EXPECTED


CASE = record(CaseKeys, "the case")
KINDS = tuple(name for name in record(ArrayKeys).keys if name not in ("shape", "seed", "scale"))
"""The keys of an array that say how it is made, of which it has one."""
