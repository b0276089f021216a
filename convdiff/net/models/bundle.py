"""TensorFlow's checkpoints: a sorted table of where each variable lies, and the bytes.

tensorflow/core/util/tensor_bundle and core/lib/io/table: the index is a table as LevelDB's; a block
has keys that share their beginnings. TensorFlow is not imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np

from convdiff.net.models.external import open_inside
from convdiff.net.models.limits import MOST_MEMBERS, Budget, ModelError, check_count
from convdiff.net.models.model import Array
from convdiff.net.models.protobuf import Message, varint

DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    14: ml_dtypes.bfloat16,
    19: "float16",
}
"""DataType of tensorflow/core/framework/types.proto."""
FOOTER, MAGIC = 48, b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
TRAILER = 5
"""Bytes after each block: how it is compressed, and a checksum."""
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def extents_of(shape: Message) -> list[int]:
    """Return the extents that a TensorShapeProto says; negative ones are open."""
    return [extent.integer(1) for extent in shape.messages(2)]


class Bundle:
    """The variables of a SavedModel, by their names in its graph."""

    def __init__(self, model: Path, budget: Budget) -> None:
        """Read the index. Raises ModelError, ProtobufError."""
        self.model, self.budget = model, budget
        index = memoryview(self._read("variables.index"))
        entries = dict(_entries(model, index))
        self.shards = Message(entries.pop("", memoryview(b""))).integer(1, 1)
        self.entries = {key: Message(value) for key, value in entries.items()}
        self.keys = {key: key for key in entries}
        if OBJECTS in self.entries:
            self.keys.update(self._objects())

    def array(self, name: str) -> Array:
        """Return a variable. Raises ModelError."""
        entry = self.entries.get(self.keys.get(name, ""))
        if entry is None or entry.integer(1) not in DTYPES or entry.messages(7):
            raise ModelError(f"{self.model}: has no numbers of the variable {name}")
        dtype = np.dtype(DTYPES[entry.integer(1)])
        shape = self.budget.take(name, extents_of(entry.message(2)), dtype.itemsize)
        data = self._bytes(entry)
        if len(data) != int(np.prod(shape)) * dtype.itemsize:
            raise ModelError(f"{self.model}: {name} does not hold the numbers it says")
        return np.frombuffer(data, dtype).reshape(shape)

    def _objects(self) -> Iterator[tuple[str, str]]:
        """Yield variables' names in the graph, and their keys here."""
        data = memoryview(self._bytes(self.entries[OBJECTS]))
        length, at = varint(data, 0)
        for thing in Message(data[at + 4 : at + 4 + length]).messages(1):
            for held in thing.messages(2):
                yield held.text(2), held.text(3)

    def _bytes(self, entry: Message) -> bytes:
        offset, size = entry.integer(4), entry.integer(5)
        name = f"variables.data-{entry.integer(3):05d}-of-{self.shards:05d}"
        if offset < 0 or size < 0:
            raise ModelError(f"{self.model}: {name} is damaged")
        return self._read(name, offset, self.budget.take(name, [size], 1)[0])

    def _read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        with open_inside(self.model / "saved_model.pb", name, f"variables/{name}") as file:
            file.seek(offset)
            return file.read(size)


def _entries(model: Path, index: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Yield all keys of a table and their values. Raises ModelError."""
    if len(index) < FOOTER or index[-8:] != MAGIC:
        raise ModelError(f"{model}: variables.index is damaged")
    footer, at = index[-FOOTER:], 0
    for _ in range(2):
        _, at = varint(footer, at)
    offset, at = varint(footer, at)
    size, _ = varint(footer, at)
    blocks = list(_block(model, index, offset, size))
    check_count(str(model), "blocks of variables", len(blocks), MOST_MEMBERS)
    for _, handle in blocks:
        offset, at = varint(handle, 0)
        size, _ = varint(handle, at)
        yield from _block(model, index, offset, size)


def _block(
    model: Path, index: memoryview, offset: int, size: int
) -> Iterator[tuple[str, memoryview]]:
    block = index[offset : offset + size]
    if len(block) < max(size, 4) or len(index) < offset + size + TRAILER or index[offset + size]:
        raise ModelError(f"{model}: variables.index is damaged, or compressed")
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        key = key[:shared] + bytes(block[at : at + own])
        yield key.decode("utf-8", "replace"), block[at + own : at + own + length]
        at += own + length
