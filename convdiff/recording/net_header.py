"""What a net's recording holds: digests of every layer, and the bits of some, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from convdiff.case.forms import Exactly, Flag, ListOf, MapOf, Pattern, Words
from convdiff.case.record import record
from convdiff.recording.header import (
    COUNT,
    INDEX,
    SHA256,
    TEXT,
    FileKind,
    StoredArray,
    StoredRuntime,
)
from convdiff.recording.model import RecordingError

VERSION = 1
KIND = "convdiff recording of a net"
DIGEST = Pattern("^[0-9a-f]{32}$", "16 bytes in hexadecimal")


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """One run of a net; its runtime by its number."""

    runtime: Annotated[int, INDEX]
    length: Annotated[int, COUNT]
    batch: Annotated[int, COUNT]
    input: Annotated[str, SHA256]
    """Of what it read."""
    layers: Annotated[Mapping[str, str], MapOf(DIGEST)]
    """Digests of whole activations, as `Watched.digest` has them."""
    bits: Annotated[Mapping[str, str], MapOf(TEXT)]
    """Names of arrays: activations that are kept whole, the outputs always."""
    unobserved: Annotated[Mapping[str, str], MapOf(TEXT)]
    """Names of arrays: the outputs with nothing looked at."""


@dataclass(frozen=True)
class NetHeader:
    """All that a file says besides its arrays, and besides the checksum over the header."""

    name: Annotated[str, TEXT]
    net: Annotated[str, SHA256]
    """Of the layers and their numbers."""
    strict: Annotated[bool, Flag()]
    """Whether digests tell −0 from +0, and one NaN from another."""
    observe: Annotated[str, Words("safe", "all")]
    """See `convdiff.lab.nets.Observe`."""
    runtimes: Annotated[tuple[StoredRuntime, ...], ListOf(record(StoredRuntime), 1)]
    runs: Annotated[tuple[StoredRun, ...], ListOf(record(StoredRun, whole=True), 1)]
    arrays: Annotated[Mapping[str, StoredArray], MapOf(record(StoredArray))]
    tool_version: Annotated[str, TEXT]
    kind: Annotated[str, Exactly(KIND)] = KIND
    schema_version: Annotated[int, Exactly(VERSION)] = VERSION


NETS = FileKind(KIND, VERSION, record(NetHeader, "the header", whole=True))
SUFFIX = ".safetensors"


def refuse_suffix(path: Path) -> None:
    """Raise RecordingError unless a net's recording may be called so."""
    if path.suffix != SUFFIX:
        raise RecordingError(f"{path}: name a net's recording *{SUFFIX}")
