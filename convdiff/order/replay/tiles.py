"""How an output is cut for a replay: into tiles that fit the cache, and tasks for the threads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from convdiff.numerics.parallel import threads

#: Elements of a tile: a few float64 arrays of it fit the second-level cache.
TILE = 32768

#: Elements along its longer side, at least and at most: along shorter ones it costs more to
#: broadcast, and longer ones gain nothing.
_SIDE = (512, 4096)

#: Window values (taps x positions x groups) of the tasks at work, which bounds memory where taps
#: are many.
_WINDOWS = 16_000_000


@dataclass(frozen=True)
class Task:
    """Positions whose windows are gathered once, and channels, each range a tile with them."""

    positions: slice
    channels: tuple[slice, ...]


def tasks(positions: int, channels: int, values: int, *, by_channel: bool) -> list[Task]:
    """Cut (positions, channels) into tasks: two a thread where there is so much to do.

    values: window values of one position. by_channel: whether positions are a tile's longer side.
    """
    many = 2 * threads()
    fewest, most = _SIDE
    long = min(most, max(fewest, -(-(positions if by_channel else channels) // many)))
    step, width = (long, TILE // long) if by_channel else (TILE // long, long)
    blocks = _cut(positions, max(1, min(step, _WINDOWS // (threads() * values))))
    tiles = _cut(channels, width)
    shares = _cut(len(tiles), max(1, len(blocks) * len(tiles) // many))
    return [Task(block, tuple(tiles[share])) for block in blocks for share in shares]


def _cut(length: int, longest: int) -> list[slice]:
    """Cut a range into parts of about the same length, `longest` at most."""
    ends = np.linspace(0, length, -(-length // longest) + 1).astype(int).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]
