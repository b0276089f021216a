"""What installing takes, in words, before it starts: bytes to fetch, time, disk."""

from __future__ import annotations

from collections.abc import Collection

from convdiff.case.words import plural

MEGABYTE = 10**6
ON_DISK = (2, 4)
"""How many times its wheels an environment is on disk: torch with CUDA, TensorFlow; measured."""
RATE = 10 * MEGABYTE
"""Bytes a second of a connection that is neither slow nor fast."""


def amount(size: int | None) -> str:
    """Say what it takes to install wheels of so many bytes; None where that is not known."""
    if size is None:
        return "the index does not say how large"
    seconds = size / RATE
    time = f"{max(1, seconds):.0f} s"
    if seconds >= 90:
        time = f"{seconds / 60:.0f} min"
    disk = " to ".join(large(size * times) for times in ON_DISK)
    return f"{large(size)} to fetch ({time} at 10 MB/s), {disk} on disk"


def amount_of_releases(package: str, sizes: Collection[int], most: int) -> str:
    """Say what it takes to install the largest `most` of some releases.

    sizes: bytes of the package's own wheel in each, 0 where the index does not say.
    """
    largest = sorted(sizes, reverse=True)[:most]
    total = sum(largest) if all(largest) else None
    return f"at most {plural(len(largest), 'release', '')} of {package} to install: {amount(total)}"


def large(size: int) -> str:
    """Write a number of bytes."""
    if size >= 10**9:
        return f"{size / 10**9:.1f} GB"
    return f"{max(1, round(size / MEGABYTE))} MB"
