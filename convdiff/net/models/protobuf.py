"""Protobuf messages by the numbers of their fields, without their descriptions.

protobuf.dev/programming-guides/encoding: a field is its number and wire type, then a varint, eight
bytes, a length and so many bytes, or four bytes. A message within is bytes until it is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cached_property

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
SIGN = 1 << 63


class ProtobufError(Exception):
    """The bytes are no message."""


class Message:
    """A message of which nothing but the encoding is known."""

    def __init__(self, data: memoryview) -> None:
        self.data = data

    @cached_property
    def fields(self) -> dict[int, list[int | memoryview]]:
        """All values by field. Raises ProtobufError."""
        values: dict[int, list[int | memoryview]] = {}
        at = 0
        while at < len(self.data):
            tag, at = varint(self.data, at)
            value, at = _value(self.data, at, tag & 7)
            values.setdefault(tag >> 3, []).append(value)
        return values

    def messages(self, field: int) -> list[Message]:
        """Return the messages of a field."""
        return [Message(one) for one in self.fields.get(field, []) if isinstance(one, memoryview)]

    def message(self, field: int) -> Message:
        """Return the last message of a field, an empty one without any."""
        return (self.messages(field) or [Message(memoryview(b""))])[-1]

    def as_text(self) -> str:
        """Return its bytes as a text."""
        return bytes(self.data).decode("utf-8", "replace")

    def raw(self, field: int) -> bytes:
        """Return the bytes of a field."""
        return bytes(self.message(field).data)

    def text(self, field: int) -> str:
        """Return the text of a field."""
        return self.message(field).as_text()

    def texts(self, field: int) -> list[str]:
        """Return all texts of a field."""
        return [one.as_text() for one in self.messages(field)]

    def integers(self, field: int) -> list[int]:
        """Return the integers of a field, packed or not."""
        numbers: list[int] = []
        for value in self.fields.get(field, []):
            if isinstance(value, int):
                numbers.append(value)
                continue
            at = 0
            while at < len(value):
                number, at = varint(value, at)
                numbers.append(number)
        return list(map(_signed, numbers))

    def integer(self, field: int, default: int = 0) -> int:
        """Return the last integer of a field."""
        return (self.integers(field) or [default])[-1]

    def packed(self, field: int, width: int) -> bytes:
        """Return numbers of so many bytes each, packed or not, one after the other."""
        parts = []
        for value in self.fields.get(field, []):
            if isinstance(value, int):
                parts.append(value.to_bytes(width, "little"))
            else:
                parts.append(bytes(value))
        return b"".join(parts)

    def real(self, field: int) -> float:
        """Return a number of four bytes."""
        data = self.packed(field, 4)
        return float(struct.unpack("<f", data[-4:])[0]) if data else 0.0

    def table(self, field: int) -> Mapping[str, Message]:
        """Return a map from texts to messages."""
        return {entry.text(1): entry.message(2) for entry in self.messages(field)}


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return the number at a position, and the position after it. Raises ProtobufError."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        number, at = number | (byte & 127) << shift, at + 1
        if byte < 128:
            return number & (2 * SIGN - 1), at
    raise ProtobufError("a number that does not end")


def _signed(number: int) -> int:
    """Return a number of 64 bits with its sign."""
    return number - 2 * SIGN if number >= SIGN else number


def _value(data: memoryview, at: int, kind: int) -> tuple[int | memoryview, int]:
    if kind == VARINT:
        return varint(data, at)
    length = {EIGHT: 8, FOUR: 4}.get(kind)
    if kind == BYTES:
        length, at = varint(data, at)
    if length is None or at + length > len(data):
        raise ProtobufError("a field that ends beyond its message")
    part = data[at : at + length]
    return (part if kind == BYTES else int.from_bytes(part, "little")), at + length
