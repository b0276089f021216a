"""Digests of parts of activations. Runs on Python 3.6.

A digest takes longer than a small layer. So the first activation of each name is kept, and what has
its bits has its digests.
"""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

SIZE = 16
"""Bytes of a digest."""
HASHING = ThreadPoolExecutor(max_workers=2)
"""Hashes beside what is computed: it takes as long as a small net."""
KEPT_BYTES = 1 << 25
"""Of activations of one net that are kept to be compared with."""


class Piece(NamedTuple):
    """A part of an activation of which a digest is made."""

    images: int
    """How many of the batch, from the first on."""
    start: int
    stop: int
    """Columns along the length."""
    is_strict: bool = True
    """Whether −0 is told from +0, and one NaN from another."""


class Making(NamedTuple):
    """Digests that are there, and what makes those that are not."""

    made: Dict[Piece, str]
    work: Optional[Future]

    def of(self, piece: Piece) -> str:
        """Return one in hexadecimal, once it is there."""
        if self.work is not None:
            self.work.result()
        return self.made[piece]


class Digests(object):
    """Makes the digests of one net's activations, (N, H, W, C)."""

    def __init__(self) -> None:
        self.kept = {}  # type: Dict[str, Any]
        self.made = {}  # type: Dict[str, Dict[Piece, str]]
        self.room = KEPT_BYTES

    def start(self, name: str, y: Any, pieces: Sequence[Piece]) -> Making:
        """Have the digests of pieces of an activation made beside what follows."""
        if name not in self.kept and y.nbytes <= self.room:
            self.room -= y.nbytes
            self.kept[name], self.made[name] = np.array(y), {}
        is_kept = name in self.kept and have_same_bits(y, self.kept[name], pieces)
        made = self.made[name] if is_kept else {}
        missing = [piece for piece in pieces if piece not in made]
        work = HASHING.submit(_make, y, missing, made) if missing else None
        return Making(made, work)


def have_same_bits(a: Any, b: Any, pieces: Sequence[Piece]) -> bool:
    """Return whether two activations have the same bits wherever a piece is."""
    images = max(piece.images for piece in pieces)
    first, end = min(piece.start for piece in pieces), max(piece.stop for piece in pieces)
    one, other = (side[:images, :, first:end] for side in (a, b))
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    bits = np.dtype("u%d" % a.dtype.itemsize)
    return bool(np.array_equal(one.view(bits), other.view(bits)))


def _make(y: Any, pieces: Sequence[Piece], made: Dict[Piece, str]) -> None:
    made.update(digests_of(y, pieces))


def digests_of(y: Any, pieces: Sequence[Piece]) -> Dict[Piece, str]:
    """Return the digests of pieces of an activation, NHWC, in hexadecimal.

    Bytes are taken column by column, so that pieces that begin alike are hashed in one pass.
    """
    groups: Dict[Any, List[Piece]] = {}
    for piece in pieces:
        groups.setdefault((piece.images, piece.start, piece.is_strict), []).append(piece)
    digests: Dict[Piece, str] = {}
    for (images, start, is_strict), group in groups.items():
        cut = y[:images, :, start : max(piece.stop for piece in group)]
        if not is_strict:
            cut = alike(cut)
        laid = np.ascontiguousarray(np.moveaxis(cut, 2, 0))
        made, done = hashlib.blake2b(digest_size=SIZE), start
        for piece in sorted(group, key=lambda piece: piece.stop):
            made.update(laid[done - start : piece.stop - start].reshape(-1).view(np.uint8).data)
            digests[piece], done = made.hexdigest(), piece.stop
    return digests


def alike(part: Any) -> Any:
    """Return values with one zero and one NaN, whatever the signs and payloads they had.

    bfloat16 may come as uint16.
    """
    if part.dtype == np.uint16:
        part = np.where(part == 0x8000, np.uint16(0), part)
        return np.where(part & 0x7FFF > 0x7F80, np.uint16(0x7FC0), part)
    part = part + part.dtype.type(0)  # −0 + 0 is +0
    strange = np.isnan(part)
    if strange.any():
        part[strange] = np.nan
    return part


def digest_of(part: Any) -> str:
    """Return the digest of an array's bits, C-contiguous, in hexadecimal."""
    return hashlib.blake2b(part.view(np.uint8).data, digest_size=SIZE).hexdigest()
