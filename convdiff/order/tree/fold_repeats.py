"""Fold a list of items into loops: what repeats itself with its taps shifted is said once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from convdiff.order.tree.loop_nest import Item, Loop

#: The longest body that is looked for.
_LONGEST = 4


@dataclass(frozen=True)
class Part:
    """An item, its smallest tap, and a key that equal items with shifted taps share."""

    item: Item
    base: int
    key: Hashable


def keys_of(parts: Sequence[Part]) -> tuple[tuple[Hashable, int], ...]:
    """Return what equal rows of parts with shifted taps share."""
    return tuple((part.key, part.base - parts[0].base) for part in parts)


def folded(parts: Sequence[Part]) -> tuple[Item, ...]:
    """Return the items with their repetitions folded, innermost first, until none is left."""
    parts = list(parts)
    while True:
        shorter = _one_pass(parts)
        if len(shorter) == len(parts):
            return tuple(part.item for part in parts)
        parts = shorter


def _one_pass(parts: list[Part]) -> list[Part]:
    made = []
    at = 0
    while at < len(parts):
        length, count, step = max(
            (_run(parts, at, length) for length in range(1, _LONGEST + 1)),
            key=lambda run: (run[0] * run[1] if run[1] > 1 else 0, -run[0]),
        )
        if count * length < 3 and not isinstance(parts[at].item, Loop):
            count = 1
        if count < 2:
            made.append(parts[at])
            at += 1
            continue
        body = parts[at : at + length]
        items = tuple(part.item for part in body)
        key = (count, step, keys_of(body))
        made.append(Part(Loop(items, count, step), body[0].base, key))
        at += count * length
    return made


def _run(parts: list[Part], at: int, length: int) -> tuple[int, int, int]:
    """Return (length, count, step): how often the `length` parts from `at` on repeat."""
    if at + 2 * length > len(parts):
        return length, 1, 0
    step = parts[at + length].base - parts[at].base
    end = at + length
    while end < len(parts) and _shifted(parts[end - length], parts[end], step):
        end += 1
    return length, (end - at) // length, step


def _shifted(one: Part, other: Part, step: int) -> bool:
    return one.key == other.key and other.base - one.base == step
