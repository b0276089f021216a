"""A net's recording, as data and as a file: digests of all layers, and the bits of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convdiff.atomic import replacing
from convdiff.lab.nets import NetRun, Observe
from convdiff.numerics.array import Array
from convdiff.recording.decode import runtimes_of
from convdiff.recording.encode import stored_arrays, stored_runtime
from convdiff.recording.model import RecordingError
from convdiff.recording.net_header import NETS, NetHeader, StoredRun, refuse_suffix
from convdiff.recording.safetensors_file import read_of, write_of
from convdiff.runtime.model import Runtime, Standing


@dataclass(frozen=True)
class RecordedRun:
    """What one run gave."""

    run: NetRun
    input: str
    """SHA-256 of what it read."""
    layers: Mapping[str, bytes]
    """Digests of whole activations."""
    bits: Mapping[str, Array]
    """Whole activations, NHWC, the outputs' always."""
    unobserved: Mapping[str, Array]
    """The outputs with nothing looked at."""


@dataclass(frozen=True)
class NetRecording:
    """Some runs of a net."""

    file: str
    """Where it was read; "" of one that was made now."""
    net: str
    """SHA-256 of the layers and their numbers."""
    strict: bool
    observe: Observe
    fingerprints: Mapping[Runtime, Mapping[str, Any]]
    runs: tuple[RecordedRun, ...]

    @property
    def standings(self) -> tuple[Standing, ...]:
        """Its runtimes, as they were found then."""
        prints = self.fingerprints.items()
        return tuple(Standing(runtime, True, None, one) for runtime, one in prints)

    @property
    def holds_all(self) -> bool:
        """Whether there are bits of every layer."""
        return all(set(one.layers) <= set(one.bits) for one in self.runs)


def write_net_recording(path: Path, name: str, recording: NetRecording, version: str) -> None:
    """Write a net's recording, whole or not at all; version: of the tool. Raises RecordingError."""
    runtimes = list(recording.fingerprints)
    arrays: dict[str, Array] = {}
    runs = []
    for number, one in enumerate(recording.runs):
        bits = {f"{number}/{name}": array for name, array in one.bits.items()}
        alone = {f"{number}/{name} unobserved": array for name, array in one.unobserved.items()}
        arrays |= bits | alone
        runs.append(
            StoredRun(
                runtime=runtimes.index(one.run.runtime),
                length=one.run.length,
                batch=one.run.batch,
                input=one.input,
                layers={name: value.hex() for name, value in one.layers.items()},
                bits=dict(zip(one.bits, bits, strict=True)),
                unobserved=dict(zip(one.unobserved, alone, strict=True)),
            )
        )
    header = NetHeader(
        name,
        recording.net,
        recording.strict,
        recording.observe,
        tuple(stored_runtime(one, recording.fingerprints[one]) for one in runtimes),
        tuple(runs),
        stored_arrays(arrays),
        version,
    )
    try:
        with replacing(path) as fresh:
            write_of(NETS, fresh, header, arrays)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None


def read_net_recording(path: Path) -> NetRecording:
    """Read a file and check every bit of it. Raises RecordingError."""
    refuse_suffix(path)
    if path.exists() and not path.is_file():
        raise RecordingError(f"{path}: not a file")
    try:
        header, arrays = read_of(NETS, path)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    runtimes = runtimes_of(header.runtimes, path.name)
    try:
        runs = tuple(_run(one, runtimes, arrays) for one in header.runs)
    except (IndexError, KeyError) as error:
        raise RecordingError(f"{path}: damaged: names what it has not: {error}") from None
    prints = dict(zip(runtimes, (one.fingerprint for one in header.runtimes), strict=True))
    observe: Observe = "safe" if header.observe == "safe" else "all"
    return NetRecording(str(path), header.net, header.strict, observe, prints, runs)


def _run(
    stored: StoredRun, runtimes: Sequence[Runtime], arrays: Mapping[str, Array]
) -> RecordedRun:
    return RecordedRun(
        NetRun(runtimes[stored.runtime], stored.length, stored.batch),
        stored.input,
        {name: bytes.fromhex(value) for name, value in stored.layers.items()},
        {name: arrays[key] for name, key in stored.bits.items()},
        {name: arrays[key] for name, key in stored.unobserved.items()},
    )
