"""Where outputs lie that see some of the taps: inside, at an edge, in a corner, in a phase."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import compress

from convdiff.case.words import plural
from convdiff.order.footprint import Footprint
from convdiff.order.geometry import Geometry
from convdiff.worker.ops.axis import Axis

EDGES = (("front", "back"), ("top", "bottom"), ("left", "right"))
"""Of depth, height and length, the last axes of an input."""


@dataclass(frozen=True)
class Border:
    """Where the outputs of a footprint lie."""

    edges: tuple[tuple[str, ...], ...]
    """Beyond which taps fall on padding, of each axis where some do."""
    phase: tuple[int, ...]
    """Of a transposed convolution: the output's indices, modulo the strides; else empty."""
    taps: int
    fewer: int
    """Taps that they would see, too, were they inside."""

    @property
    def place(self) -> str:
        """Say where they lie, as far as outputs of all phases are alike."""
        if self.edges:
            return f"at the {_listed(self.edges)}" if len(self.edges) == 1 else "in the corners"
        return ": ".join(self._inside)

    @property
    def words(self) -> str:
        """Say where they lie."""
        if not self.edges:
            return ", ".join(self._inside)
        phase = f"in phase {_index(self.phase)} " if self.phase else ""
        return f"{phase}{self._edge}, {_taps(self.fewer)} fewer"

    @property
    def _inside(self) -> tuple[str, ...]:
        """Say in which phase they lie, and what they see there."""
        if not self.phase:
            return ("inside",)
        return f"in phase {_index(self.phase)}", _taps(self.taps)

    @property
    def _edge(self) -> str:
        if len(self.edges) > 1 and all(len(sides) == 1 for sides in self.edges):
            return f"in the {' '.join(sides[0] for sides in self.edges)} corner"
        return f"at the {_listed(self.edges)}"


def border(geometry: Geometry, footprint: Footprint | None) -> Border:
    """Return where the outputs lie that see these taps, one at least; None is all of them."""
    conv, channels = geometry.conv, geometry.filter_hwio[2]
    sets = footprint.axes if footprint else tuple(tuple(range(k)) for k in conv.kernel)
    extents = conv.extents(*geometry.input_nhwc[1:3])
    edges, phase, taps, full = [], [], channels, channels
    for axis, extent, taps_seen, names in zip(
        conv.axes, extents, sets, EDGES[-len(sets) :], strict=True
    ):
        inside = _inside(axis, taps_seen[0])
        beyond = _beyond(axis, taps_seen, inside)
        edges.append(tuple(compress(names, beyond)))
        phase.append((taps_seen[0] * axis.dilation - axis.pad(extent)[0]) % axis.stride)
        taps, full = taps * len(taps_seen), full * len(inside)
    several = conv.transposed and any(stride > 1 for stride in conv.strides)
    return Border(
        tuple(filter(None, edges)), conv.own(tuple(phase)) if several else (), taps, full - taps
    )


def _inside(axis: Axis, tap: int) -> list[int]:
    """Return the taps that an output inside sees, of those that see a tap."""
    if not axis.transposed:
        return list(range(axis.kernel))
    apart = ((k - tap) * axis.dilation % axis.stride for k in range(axis.kernel))
    return [k for k, distance in enumerate(apart) if not distance]


def _beyond(axis: Axis, taps: Collection[int], inside: Iterable[int]) -> tuple[bool, bool]:
    """Return whether taps fall on padding before the input, and after it."""
    low, high = min(inside) < min(taps), max(inside) > max(taps)
    return (high, low) if axis.transposed else (low, high)


def counted(places: Iterable[tuple[Border, int]]) -> Iterator[str]:
    """Yield how many elements lie where, those of like borders together: 62 at the left edge."""
    groups: dict[str, list[tuple[Border, int]]] = {}
    for at, elements in places:
        groups.setdefault(at.place, []).append((at, elements))
    for where, members in groups.items():
        elements = sum(elements for _, elements in members)
        yield f"{elements:,} {where}{_fewer({at.fewer for at, _ in members} - {0})}"


def _fewer(taps: Collection[int]) -> str:
    """Say how many taps fewer some elements see, as a clause; nothing where none do."""
    if not taps:
        return ""
    least, most = min(taps), max(taps)
    span = f"{least:,} to " if least < most else ""
    return f", {span}{_taps(most)} fewer"


def _listed(edges: tuple[tuple[str, ...], ...]) -> str:
    names = [name for sides in edges for name in sides]
    return f"{' and '.join(names)} edge{'s' if len(names) > 1 else ''}"


def _index(phase: tuple[int, ...]) -> str:
    return f"({','.join(map(str, phase))})" if len(phase) > 1 else str(phase[0])


def _taps(count: int) -> str:
    return plural(count, "tap")
