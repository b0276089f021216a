"""What is built once and kept for the next time, the latest of it. Runs on Python 3.6."""

import hashlib
from collections import OrderedDict
from typing import Any, Callable, Iterable, Tuple

import numpy as np

MOST_BYTES = 1 << 28
"""Bytes of constants in all that is kept, but that the latest one is."""


class Kept(object):
    """At most so many, and no more of them than hold MOST_BYTES of constants."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made = OrderedDict()  # type: OrderedDict[Any, Tuple[Any, int]]

    def get(self, key: Any, make: Callable[[], Any], size: int = 0) -> Any:
        """Return what is kept under a key, or what `make` makes, of `size` bytes of constants."""
        if key not in self.made:
            self._make_room(size)
            self.made[key] = make(), size
        self.made.move_to_end(key)
        return self.made[key][0]

    def _make_room(self, size: int) -> None:
        held = size + sum(own for _, own in self.made.values())
        while self.made and (len(self.made) >= self.most or held > MOST_BYTES):
            _, (_, own) = self.made.popitem(last=False)
            held -= own


def size_of(arrays: Iterable[Any]) -> int:
    """Return how many bytes arrays take."""
    return sum(array.nbytes for array in arrays)


def digest(arrays: Iterable[Any]) -> Tuple[Any, ...]:
    """Return what arrays are known by: their shapes, dtypes and bits."""
    return tuple((array.shape, array.dtype.name, _digest(array)) for array in arrays)


def _digest(array: Any) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
