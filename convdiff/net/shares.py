"""What is fetched together, lest it take too much memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def shares(sizes: Iterable[tuple[str, int]], most: int) -> Iterator[list[str]]:
    """Yield names in shares that take at most so many bytes together, or are one name alone.

    sizes: names and the bytes that each takes.
    """
    share: list[str] = []
    held = 0
    for name, size in sizes:
        if share and held + size > most:
            yield share
            share, held = [], 0
        share.append(name)
        held += size
    if share:
        yield share
