"""What is watched of a run's activations, as workers are told it, and what they answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.lab.nets import Watched
from convdiff.numerics.array import Array
from convdiff.worker.nets.digests import Piece, digests_of


@dataclass(frozen=True)
class Part:
    """A part of an activation of one run."""

    name: str
    columns: tuple[int, int]
    """Start and stop along the length."""
    images: int
    """The first ones of the batch."""


def whole(names: Iterable[str]) -> list[Watched]:
    """Return what is watched for whole activations."""
    return [Watched(name) for name in names]


def watched_of(parts: Iterable[Part], strict: bool) -> dict[Part, Watched]:
    """Return what is watched for each part."""
    return {part: Watched(part.name, part.columns, True, part.images, strict) for part in parts}


def keys_of(watched: Sequence[Watched]) -> dict[Watched, str]:
    """Return what each is called in the answer."""
    often = Counter(one.name for one in watched)
    return {one: one.key(often[one.name] > 1) for one in watched}


def digest_of(bits: Array, watched: Watched) -> bytes:
    """Return the digest that a worker makes of what is watched of a whole activation."""
    plain = bits.view(np.uint16) if bits.dtype.name == "bfloat16" else bits
    first, end = watched.columns or (0, bits.shape[2])
    piece = Piece(watched.images or len(bits), first, end, watched.strict)
    return bytes.fromhex(digests_of(plain, [piece])[piece])


def array_of(value: Array | bytes) -> Array:
    """Return what was watched bit for bit."""
    assert not isinstance(value, bytes), "it was watched bit for bit"
    return value
