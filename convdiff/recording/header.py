"""What a recording's header holds, key by key. Its arrays are kept beside it, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar

from convdiff.case.device import DEVICE, Device
from convdiff.case.expect import EXPECTATION, Expectation
from convdiff.case.forms import (
    Either,
    Exactly,
    Form,
    ListOf,
    MapOf,
    Maybe,
    MisfitError,
    Pattern,
    Schema,
    Text,
    Whole,
    Words,
)
from convdiff.case.layout import DEFAULT, LAYOUTS
from convdiff.case.record import record
from convdiff.recording.model import SavedOrder, SavedProbes
from convdiff.worker.ops import OPS, REFERENCE
from convdiff.worker.ops.axis import PADDINGS
from convdiff.worker.ops.then import STEPS as THEN

VERSION = 1
KIND = "convdiff recording"

COUNT, INDEX = Whole(1, 10**9), Whole(0, 10**9)
TEXT = Text(100_000)
NAME = Maybe(Text())
SHA256 = Pattern("^[0-9a-f]{64}$", "a SHA-256 in hexadecimal")
STEPS = ListOf(COUNT, 2, 3)
PADS = ListOf(ListOf(Whole(-(10**9), 10**9), 2, 2), 2, 3)

Steps = Annotated[tuple[int, ...], STEPS]
Pairs = Annotated[tuple[tuple[str, str], ...], ListOf(ListOf(TEXT, 2, 2))]


class Fingerprint(Form[Mapping[str, Any]]):
    """What a framework says of itself; only what is read of it must be as it is read."""

    kinds, wanted = (dict,), "a mapping"
    read_of_it: Mapping[str, Form[Any]] = {
        "cpu_isa": ListOf(TEXT),
        "device_names": MapOf(TEXT),
        "settings": MapOf(TEXT),
    }

    def fits(self, value: Any) -> bool:
        """See Form. Raises MisfitError for a part that is not as it must be."""
        for name, form in self.read_of_it.items():
            if name in value:
                try:
                    form.read(value[name])
                except MisfitError as error:
                    raise error.under(name) from None
        return True

    def write(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """See Form."""
        return dict(value)

    def schema(self) -> Schema:
        """See Form."""
        parts = {name: form.schema() for name, form in self.read_of_it.items()}
        return {"type": "object", "properties": parts}


@dataclass(frozen=True)
class StoredArray:
    """An array that is kept beside the header."""

    dtype: Annotated[str, Words("float16", "bfloat16", "float32", "float64", "int32")]
    shape: Annotated[tuple[int, ...], ListOf(INDEX, 0, 5)]
    sha256: Annotated[str, SHA256]


@dataclass(frozen=True)
class StoredOrders:
    """A cell's summation orders, and the array that says which element has which."""

    orders: Annotated[tuple[SavedOrder, ...], ListOf(record(SavedOrder), 0, 10_000)]
    which: Annotated[str | None, NAME]
    """None where all elements have the only one."""
    refusals: Pairs


@dataclass(frozen=True, kw_only=True)
class StoredCell:
    """A cell; its runtime by its number in the case."""

    runtime: Annotated[int, INDEX]
    op: Annotated[str, Words(*OPS, REFERENCE)]
    length: Annotated[int, COUNT]
    batch: Annotated[int, COUNT]
    repeat: Annotated[int, INDEX]
    channels: Annotated[int, INDEX] = 0


@dataclass(frozen=True, kw_only=True)
class StoredEntry(StoredCell):
    """A cell with its output, and what was found out about it."""

    output: Annotated[str, TEXT]
    probes: Annotated[SavedProbes | None, record(SavedProbes, whole=True)] = None
    orders: Annotated[StoredOrders | None, record(StoredOrders)] = None


@dataclass(frozen=True)
class StoredRuntime:
    """A runtime and what it said it was."""

    framework: Annotated[str, TEXT]
    device: Annotated[Device, DEVICE]
    threads: Annotated[int | None, Maybe(COUNT)]
    settings: Pairs
    label: Annotated[str, TEXT]
    fingerprint: Annotated[Mapping[str, Any], Fingerprint()]


@dataclass(frozen=True)
class StoredCase:
    """A case; filter, bias and input are names of arrays."""

    name: Annotated[str, Text(200, 1)]
    strides: Steps
    dilations: Steps
    groups: Annotated[int, COUNT]
    expect: Annotated[Expectation, EXPECTATION]
    filter: Annotated[str, TEXT]
    bias: Annotated[str | None, NAME]
    input: Annotated[str, TEXT]
    runtimes: Annotated[tuple[StoredRuntime, ...], ListOf(record(StoredRuntime))]
    cells: Annotated[tuple[StoredEntry, ...], ListOf(record(StoredEntry), 1)]
    failed: Annotated[tuple[StoredCell, ...], ListOf(record(StoredCell))] = ()
    op: Annotated[str, Words(*OPS)] = "conv2d"
    kernel: Annotated[tuple[int, ...] | None, Maybe(STEPS)] = None
    """None of two dimensions: it is the filter's."""
    padding: Annotated[str | tuple[tuple[int, int], ...], Either(Words(*PADDINGS), PADS)] = "valid"
    output_padding: Annotated[tuple[int, ...], ListOf(INDEX, 2, 3)] = (0, 0)
    depth: Annotated[int, COUNT] = 1
    then: Annotated[str, Words("", *THEN)] = ""
    added: Annotated[str | None, NAME] = None
    """The name of an array, where `then` adds one."""
    layout: Annotated[str, Words(*LAYOUTS)] = DEFAULT
    """How reports write indices; the arrays here are HWIO and NHWC."""


@dataclass(frozen=True)
class Header:
    """All that a file says besides its arrays, and besides the checksum over the header."""

    cases: Annotated[tuple[StoredCase, ...], ListOf(record(StoredCase))]
    arrays: Annotated[Mapping[str, StoredArray], MapOf(record(StoredArray))]
    tool_version: Annotated[str, TEXT]
    kind: Annotated[str, Exactly(KIND)] = KIND
    schema_version: Annotated[int, Exactly(VERSION)] = VERSION


HEADER = record(Header, "the header", whole=True)


class NamesArrays(Protocol):
    """A header that names the arrays beside it."""

    @property
    def arrays(self) -> Mapping[str, StoredArray]:
        """By name."""


H = TypeVar("H", bound=NamesArrays)


@dataclass(frozen=True)
class FileKind(Generic[H]):
    """What a file records, and the form of its header."""

    kind: str
    version: int
    header: Form[H]


CASES = FileKind(KIND, VERSION, HEADER)
