"""Flatbuffers, read by position: a table's fields by their numbers. Nothing is built or copied.

flatbuffers.dev/internals: a table begins with the distance to its list of fields; a field is a
number in place, or the distance to a text, a list or another table. What leads out of the file is
an error, so that a damaged one can't be read beyond.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

FORMATS = {
    "i8": "b",
    "u8": "B",
    "i16": "h",
    "u16": "H",
    "i32": "i",
    "u32": "I",
    "i64": "q",
    "f32": "f",
}
MOST = 10**7
"""Elements of one list."""


class FlatbufferError(Exception):
    """The file is no flatbuffer of what is expected."""


class Table:
    """A table at a position of a buffer."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data, self.at = data, at

    @classmethod
    def root(cls, data: memoryview) -> Table:
        """Return the table that a file begins with."""
        return cls(data, _number(data, 0, "u32"))

    def number(self, field: int, kind: str, default: float = 0) -> float:
        """Return a number in place; kind: one of FORMATS."""
        at = self._field(field)
        return default if at is None else _number(self.data, at, kind)

    def integer(self, field: int, kind: str = "i32", default: int = 0) -> int:
        """Return an integer in place."""
        return int(self.number(field, kind, default))

    def table(self, field: int) -> Table | None:
        """Return a table that a field leads to."""
        at = self._field(field)
        return None if at is None else Table(self.data, self._led(at))

    def text(self, field: int) -> str:
        """Return a text."""
        return bytes(self.raw(field)).decode("utf-8", "replace")

    def raw(self, field: int) -> memoryview:
        """Return a list of bytes, in place."""
        at = self._field(field)
        if at is None:
            return self.data[:0]
        start, count = self._list(at)
        if start + count > len(self.data):
            raise FlatbufferError("bytes that end beyond the file")
        return self.data[start : start + count]

    def numbers(self, field: int, kind: str = "i32") -> list[int]:
        """Return a list of integers."""
        return list(self._numbers(field, kind))

    def floats(self, field: int) -> list[float]:
        """Return a list of float32."""
        return list(self._numbers(field, "f32"))

    def _numbers(self, field: int, kind: str) -> tuple[Any, ...]:
        at = self._field(field)
        if at is None:
            return ()
        start, count = self._list(at)
        width = struct.calcsize(FORMATS[kind])
        if start + count * width > len(self.data):
            raise FlatbufferError("a list that ends beyond the file")
        return struct.unpack_from(f"<{count}{FORMATS[kind]}", self.data, start)

    def tables(self, field: int) -> Iterator[Table]:
        """Yield the tables of a list."""
        at = self._field(field)
        if at is None:
            return
        start, count = self._list(at)
        for number in range(count):
            yield Table(self.data, self._led(start + 4 * number))

    def _field(self, field: int) -> int | None:
        """Return where a field's value stands, or None where it has its default."""
        fields = self.at - _number(self.data, self.at, "i32")
        if 4 + 2 * field >= _number(self.data, fields, "u16"):
            return None
        offset = _number(self.data, fields + 4 + 2 * field, "u16")
        return self.at + offset if offset else None

    def _led(self, at: int) -> int:
        return at + _number(self.data, at, "u32")

    def _list(self, at: int) -> tuple[int, int]:
        start = self._led(at)
        count = _number(self.data, start, "u32")
        if count > MOST and count > len(self.data):
            raise FlatbufferError(f"a list of {count:,}")
        return start + 4, count


def _number(data: memoryview, at: int, kind: str) -> int:
    if at < 0:
        raise FlatbufferError("a position before the file")
    try:
        value: int = struct.unpack_from(f"<{FORMATS[kind]}", data, at)[0]
    except struct.error:
        raise FlatbufferError("a position beyond the file") from None
    return value
