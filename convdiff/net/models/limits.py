"""How much of a model file is read, whatever it says of itself."""

from __future__ import annotations

import math
from collections.abc import Iterable

from convdiff.errors import ConvdiffError

MOST_BYTES = 2 * 2**30
"""Unpacked, all arrays together; a file that is read whole is no larger."""
MOST_NODES = 10**5
MOST_MEMBERS = 10**4
MOST_AXES = 8
MOST_TEXT = 64 * 2**20
"""Bytes of a JSON text that describes layers."""


class ModelError(ConvdiffError):
    """A model file that can't be used: which, what was found, what to do."""


class Budget:
    """Counts the bytes of a file's arrays before they are read."""

    def __init__(self, file: str) -> None:
        self.file, self.left = file, MOST_BYTES

    def take(self, name: str, shape: Iterable[object], item_bytes: int) -> tuple[int, ...]:
        """Return an array's shape, once it is one and there is room for it. Raises ModelError."""
        extents = checked_shape(self.file, name, shape)
        size = math.prod(extents) * item_bytes
        if size > self.left:
            raise ModelError(
                f"{self.file}: {name} brings its arrays over {MOST_BYTES >> 30} GB; no more is read"
            )
        self.left -= size
        return extents


def checked_shape(file: str, name: str, shape: Iterable[object]) -> tuple[int, ...]:
    """Return a shape whose extents are numbers from 0 to 2⁴⁸. Raises ModelError."""
    extents = []
    for extent in shape:
        if not isinstance(extent, int) or isinstance(extent, bool) or not 0 <= extent < 2**48:
            raise ModelError(
                f"{file}: {name} has an extent of {str(extent)[:40]}; expected a count"
            )
        extents.append(extent)
    if len(extents) > MOST_AXES:
        raise ModelError(f"{file}: {name} has {len(extents)} axes; {MOST_AXES} are read at most")
    return tuple(extents)


def check_count(file: str, what: str, count: int, most: int) -> None:
    """Raise ModelError where a file has more of something than is read."""
    if count > most:
        raise ModelError(f"{file}: {count:,} {what}; {most:,} are read at most")
