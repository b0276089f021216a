"""What becomes of a difference at each layer of a graph, from which activations differ alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

Status = Literal["entered", "carried", "healed", "untouched", "unseen", "apart", "unstable"]
"""entered: all that it reads is equal, and its output is not. carried: some of what it reads
differs, and so does its output. healed: so it does, and the output is equal. untouched: neither
differs. unseen: it was not looked at. apart: none of its outputs see the same inputs on both sides.
unstable: a side gives others when it is run again, so nothing more is said of it.
"""
Sources = Mapping[str, Sequence[str]]
"""Of each layer of a graph what it reads, captured values of an If or a Loop too; each layer after
those that it reads. A name that is no key is an input of the whole, the same on both sides."""
Differs = Mapping[str, bool | None]
"""Of each layer that was looked at whether its two activations differ in any element that sees the
same inputs on both sides; None where there is no such element."""


def statuses(
    sources: Sources, differs: Differs, unstable: Collection[str] = ()
) -> dict[str, Status]:
    """Return what becomes of a difference at each layer.

    What a layer reads through others that were not looked at are the nearest that were. unstable:
    the layers that differ from themselves; what reads them reads a difference.
    """
    made: dict[str, Status] = {}
    differs = {**differs, **dict.fromkeys(unstable, True)}
    for name in sources:
        if name in unstable:
            made[name] = "unstable"
        elif name not in differs:
            made[name] = "unseen"
        else:
            reads = any(map(differs.get, seen_sources(sources, differs, name)))
            made[name] = _status(differs[name], reads)
    return made


def _status(differs: bool | None, reads_differing: bool) -> Status:
    if differs is None:
        return "apart"
    if reads_differing:
        return "carried" if differs else "healed"
    return "entered" if differs else "untouched"


def seen_sources(sources: Sources, differs: Differs, name: str) -> list[str]:
    """Return the nearest layers that were compared of those that a layer reads, each once."""
    return [one for one in _behind(sources, differs, name) if differs.get(one) is not None]


def unseen_sources(sources: Sources, differs: Differs, name: str) -> list[str]:
    """Return the layers between a layer and the nearest that were compared, in no set order."""
    behind = _behind(sources, differs, name)
    return [one for one in behind if one in sources and differs.get(one) is None]


def _behind(sources: Sources, differs: Differs, name: str) -> Iterator[str]:
    """Yield what is reached from a layer backwards, through what was not compared; each once."""
    reached: set[str] = set()
    waiting = list(reversed(sources[name]))
    while waiting:
        one = waiting.pop()
        if one in reached:
            continue
        reached.add(one)
        yield one
        if one in sources and differs.get(one) is None:
            waiting += reversed(sources[one])
