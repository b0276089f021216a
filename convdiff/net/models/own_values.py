"""What a file gives in one step: known by digests, run for again where bits are asked for."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from convdiff.net.models.marked import NOT_TAKEN, Marked
from convdiff.net.models.model import Array
from convdiff.net.shares import shares
from convdiff.worker.nets.digests import digest_of

SHARE = 32 * 2**20
"""Bytes of values that come at a time."""
RERUNS = 2
"""How often a step is repeated of which something is to be said: with it, three times the same."""


def differing(one: Array, other: Array) -> int:
    """Return how many elements of two arrays have other bits; all of them where shapes do."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return int(max(one.size, other.size))
    kind = f"u{one.dtype.itemsize}"
    a, b = np.ascontiguousarray(one).view(kind), np.ascontiguousarray(other).view(kind)
    return int(np.count_nonzero(a != b))


@dataclass(frozen=True)
class Identity:
    """What tells an array from another one: not its bits, but their digest."""

    dtype: str
    shape: tuple[int, ...]
    digest: bytes

    @property
    def nbytes(self) -> int:
        """Of the array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def identity(array: Array) -> Identity:
    """Return what an array is."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return Identity(array.dtype.name, array.shape, bytes.fromhex(digest_of(flat)))


@dataclass(frozen=True)
class Alone:
    """What a file as it is gave in one step."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    unlike: frozenset[str]
    """Outputs that were others when it was run again."""


class Looks(Protocol):
    """A side that runs a marked graph; what it says raises NotRunError."""

    marked: Marked

    def digests(self, inputs: Mapping[str, Array], names: Sequence[str]) -> list[Identity]:
        """Return what outputs of the marked graph are, without their bits."""

    def bits(self, inputs: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
        """Return outputs of the marked graph."""


class Values(Mapping[str, Array]):
    """What a step gives, by `Value.name`; run for again where it is asked for, and never all held.

    Of bodies as float64. Branches that were not taken are left out.
    """

    def __init__(self, side: Looks, inputs: Mapping[str, Array]) -> None:
        self._side, self._inputs = side, inputs
        self.unlike = set[str]()
        """What is others when it is run again, or has not the bits of its digest."""
        self._outputs = {value.name: value.output for value in side.marked.values if value.output}
        self._names = list(dict.fromkeys([*self._outputs.values(), *side.marked.outputs]))
        self.made = self._digests()
        """By what the marked graph calls it, outputs of the file too."""

    def _digests(self) -> dict[str, Identity]:
        made = self._side.digests(self._inputs, self._names)
        return dict(zip(self._names, made, strict=True))

    def __iter__(self) -> Iterator[str]:
        return (n for n, output in self._outputs.items() if self.made[output].shape != NOT_TAKEN)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a value, without a run for it, as a mapping would."""
        return name in self._outputs

    def __getitem__(self, name: str) -> Array:
        """Run for one value. Raises KeyError, NotRunError."""
        return self.output(self._outputs[name], name)

    def output(self, output: str, name: str = "") -> Array:
        """Return what the marked graph calls so. Raises NotRunError."""
        (bits,) = self._side.bits(self._inputs, [output])
        self._hold(name, output, bits)
        return bits

    def identity(self, name: str) -> Identity:
        """Return what a value is. Raises KeyError."""
        return self.made[self._outputs[name]]

    def shares(self, names: Sequence[str]) -> Iterator[dict[str, Array]]:
        """Yield values, so many together as take some MB."""
        for share in shares(((name, self.identity(name).nbytes) for name in names), SHARE):
            outputs = [self._outputs[name] for name in share]
            bits = self._side.bits(self._inputs, outputs)
            for name, output, array in zip(share, outputs, bits, strict=True):
                self._hold(name, output, array)
            yield dict(zip(share, bits, strict=True))

    def _hold(self, name: str, output: str, bits: Array) -> None:
        if identity(bits) != self.made[output]:
            self.unlike.add(name or output)

    def again(self) -> None:
        """Run twice more, and note what is others."""
        for _ in range(RERUNS):
            others = self._digests()
            self.unlike |= {n for n, o in self._outputs.items() if others[o] != self.made[o]}


@dataclass(frozen=True)
class Step:
    """What one side gave in one step."""

    inputs: Mapping[str, Array]
    values: Values
    outputs: Mapping[str, Array]
    changes: Mapping[str, int]
    """Elements of each output that looking changed, or that another run would have changed."""
    unlike: frozenset[str]
    """Outputs that are others when nothing is looked at and it is run again."""

    @property
    def changed(self) -> int:
        """Elements of all outputs that looking changed."""
        return sum(self.changes.values())

    @property
    def is_doubtful(self) -> bool:
        """Whether an output came out otherwise at another run, or when it was looked at."""
        return bool(self.changed or self.unlike)


@dataclass(frozen=True)
class Compared:
    """One step on two sides, without its bits."""

    elements: Mapping[str, int]
    """Of the values that both sides have."""
    differing: Mapping[str, int]
    """Elements that differ, of the values of which some do."""
    differs: Mapping[str, bool]
    """Of those values, and of what is fed."""
    unstable: frozenset[str]
    """Values that a side gives otherwise when it is run again."""
    noisy: frozenset[str]
    """Outputs that are so, or with nothing looked at."""


def compared(one: Step, other: Step, known: Container[str]) -> Compared:
    """Compare the known values of one step; where any differs, both sides are run again.

    So they are where an output came out otherwise: of equal digests, what is drawn anew is noticed.
    """
    a, b = one.values, other.values
    common = [name for name in a if name in b and name in known]
    unlike = [name for name in common if a.identity(name) != b.identity(name)]
    counts = _counted(a, b, unlike)
    if unlike or one.is_doubtful or other.is_doubtful:
        a.again()
        b.again()
    differs = dict.fromkeys(common, False) | dict.fromkeys(counts, True)
    for name, array in one.inputs.items():
        differs.setdefault(name, differing(array, other.inputs[name]) > 0)
    unstable = a.unlike | b.unlike
    return Compared(
        {name: math.prod(a.identity(name).shape) for name in common},
        counts,
        differs,
        frozenset(unstable.intersection(common)),
        frozenset(unstable & one.outputs.keys()) | one.unlike | other.unlike,
    )


def _counted(one: Values, other: Values, names: Sequence[str]) -> dict[str, int]:
    """Return how many elements of some values differ; few of them are here at a time."""
    counts: dict[str, int] = {}
    for a in one.shares(names):
        for b in other.shares(list(a)):
            for name, array in b.items():
                counts[name] = differing(a[name], array)
    return counts
