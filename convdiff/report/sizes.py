"""What installing releases takes, said before it starts."""

from __future__ import annotations

from collections.abc import Mapping

MEGABYTE = 10**6
ON_DISK = (2, 4)
"""How many times its wheels an environment is on disk: TensorFlow 1.0 to 2.21, measured."""
RATE = 10 * MEGABYTE
"""Bytes a second of a connection that is neither slow nor fast."""


def announced(package: str, sizes: Mapping[str, int], scan: bool) -> str:
    """Say how many releases are installed at most, and what that takes.

    sizes: bytes of each release's wheel, 0 where the index does not say.
    """
    count = len(sizes) if scan else min(len(sizes), 2 + max(len(sizes) - 2, 0).bit_length())
    each = sorted(sizes.values())[-count:]
    most = f"{len(sizes)} releases of {package}, at most {count} installed"
    if not all(each):
        return f"{most}; the index does not say how large they are"
    total = sum(each)
    return f"{most}: {large(total)} to fetch at most, {minutes(total)}"


def large(size: int) -> str:
    """Write a number of bytes."""
    return f"{size / 10**9:.1f} GB" if size >= 10**9 else f"{max(1, round(size / MEGABYTE))} MB"


def minutes(size: int) -> str:
    """Say how long so many bytes take to fetch, at a rate that is said, too, and their disk."""
    disk = " to ".join(large(size * times) for times in ON_DISK)
    seconds = size / RATE
    time = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return f"{time} at 10 MB/s; {disk} on disk"
