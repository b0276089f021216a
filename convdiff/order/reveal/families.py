"""Families of summation orders, and which of their members agree with a few mask readings.

Of a family all members are tried at once, by arithmetic on the indices that were read; only what is
left is looked at whole. What a block is inside is found the same way, from the readings in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import permutations, product

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.tree.cuts import Cut, Even, Every, Panels, Whole
from convdiff.order.tree.schemes import Blocks, Chain, Halves, Lanes, Rounds, Scheme

#: Ways of cutting, and of laying in lanes, that are looked into; and what is taken of each.
_CUTS, _WIDTHS, _INSIDE = 8, 12, 2

#: The widest lanes, and the widest that begin after some terms.
_WIDEST, _WIDEST_AHEAD = 64, 32

#: The largest blocks of which terms are missing in the first one.
_SHORT_FIRST = 512

#: Terms in a row that may share a lane: the channels of one position.
_GROUPS = (2, 3, 4, 8)

#: Bits of a lane's number that are taken in any order.
_BITS = 4

_SIMPLE: tuple[Scheme, ...] = (Chain(), Chain(backwards=True), Rounds(), Halves())

#: Threes, summed, onto the first term; in groups of four, so does Eigen add the shares of threads.
_THREES = Blocks(Whole(3, 1), Blocks(Every(3, 2)))
_SHARES = Blocks(Every(4), _THREES, _THREES)


@dataclass(frozen=True, eq=False)
class Readings:
    """Pairs of terms i, j of rows of `terms` terms, and how many leaves the sum of both has."""

    i: Array
    j: Array
    terms: Array
    size: Array

    def of(self, chosen: Array) -> Readings:
        """Return some of the readings: a mask, or their indices."""
        return Readings(self.i[chosen], self.j[chosen], self.terms[chosen], self.size[chosen])

    @cached_property
    def _by_terms(self) -> list[tuple[int, Readings]]:
        """The readings of each number of terms."""
        numbers = sorted(set(self.terms.tolist()))
        return [(terms, self.of(self.terms == terms)) for terms in numbers]

    def agree(self, scheme: Scheme) -> bool:
        """Return whether a scheme has all of the readings."""
        for terms, some in self._by_terms:
            if (scheme.under(some.i, some.j, terms) != some.size).any():
                return False
        return True


def fitting(readings: Readings, depth: int) -> list[Scheme]:
    """Return schemes that have all readings, or of those the simplest; not all that there may be.

    depth: how often terms are cut into blocks or laid in lanes, in those of each other.
    """
    simple = [scheme for scheme in _SIMPLE if readings.agree(scheme)]
    if simple or depth == 0:
        return simple
    lanes = [scheme for scheme in _lanes(readings) if readings.agree(scheme)]
    if lanes:
        return lanes
    return [scheme for cut in _cuts(readings) for scheme in _blocks(readings, cut, depth)]


def _blocks(readings: Readings, cut: Cut, depth: int) -> list[Scheme]:
    """Return schemes of blocks that are cut so."""
    start, stop = cut.block(readings.i, readings.terms)
    inside = (start <= readings.j) & (readings.j < stop)
    below = Readings(readings.i - start, readings.j - start, stop - start, readings.size)
    outer = readings.of(~inside)
    across = [one for one in _across(cut) if outer.agree(Blocks(cut, Chain(), one))]
    if not across:
        return []
    within = fitting(below.of(inside), depth - 1)[:_INSIDE]
    return [Blocks(cut, *both) for both in product(within, across)]


def _across(cut: Cut) -> Iterator[Scheme]:
    """Yield how blocks may be added."""
    yield from (*_SIMPLE, _SHARES)
    if isinstance(cut, Every):
        for size in (2, 4, 8, 16, 32):
            yield Blocks(Every(size, cut.halves))


def _cuts(readings: Readings) -> list[Cut]:
    """Return cuts whose blocks, added in some order, can have the readings; a few of a family."""
    most, rows = int(readings.terms.max()), np.unique(readings.terms)
    cuts: list[Cut] = []
    for halves, largest in ((0, most - 1), (1, _SHORT_FIRST), (2, _SHORT_FIRST)):
        sizes = np.arange(2, min(most - 1, largest) + 1, dtype=np.int32)
        every = partial(Every, halves=halves)
        chained, other = _possible(readings, every(sizes[:, None]), sizes[:, None])
        for chosen in (chained, other & ~chained):
            cuts += _likeliest(readings, every, sizes[chosen])
    depths = np.arange(8, most + 8, 8, dtype=np.int32)
    depths = depths[np.unique(Even(depths[:, None]).depth(rows), True, axis=0)[1]]
    for family in (Panels, Even) if len(rows) > 1 else (Panels,):  # of one row Even is an Every
        chained, _ = _possible(readings, family(depths[:, None]))
        cuts += _likeliest(readings, family, depths[chained])
    return cuts


def _likeliest(readings: Readings, family: Callable[[int | Array], Cut], sizes: Array) -> list[Cut]:
    """Return a few members of a family of cuts, likely ones first.

    Those that tell most readings; then, of large blocks that only a few readings see, those of a
    multiple of 8 terms that are nearly equal.
    """
    cut, terms = family(sizes[:, None]), readings.terms
    apart = cut.block(readings.i, terms)[0] != cut.block(readings.j, terms)[0]
    splits = np.count_nonzero(apart & (readings.size < terms), axis=1)
    first = cut.block(np.zeros(1, np.int64), terms[:1])[1][:, 0]
    order = np.lexsort((-terms[0] % first, first % 8 > 0, -splits))
    return [family(size) for size in sizes[order[:_CUTS]].tolist()]


def _possible(readings: Readings, cut: Cut, size: Array | None = None) -> tuple[Array, Array]:
    """Return which members of a family of cuts can have the readings, added in order or not.

    size: of the blocks, where all but the last are equal.
    """
    start, stop = cut.block(readings.i, readings.terms)
    own, end = cut.block(readings.j, readings.terms)
    same = start == own
    within = readings.size <= stop - start
    chained = np.where(same, within, readings.size == np.maximum(stop, end))
    split = (~same).any(axis=1)
    if size is None:
        return split & chained.all(axis=1), split & False
    first = cut.block(np.zeros_like(readings.i), readings.terms)[1]
    rest = readings.size % size
    whole = rest == 0
    for part in (first, readings.terms, readings.terms - first):  # at the start, the end, between
        whole |= rest == part % size
    return split & chained.all(axis=1), split & np.where(same, within, whole).all(axis=1)


def _lanes(readings: Readings) -> Iterator[Scheme]:
    """Yield schemes of lanes that may have the readings, and of what is left over after them."""
    for width, ahead, group in _widths(readings):
        step = width * group
        cuts = (Whole(step, ahead, True), Whole(step, ahead, False))
        rest = (readings.terms - ahead) % step
        for across in _across_lanes(width):
            lanes = Lanes(width, ahead, across, group)
            yield lanes
            if rest.any():
                for cut in cuts:
                    yield Blocks(cut, lanes)


def _widths(readings: Readings) -> list[tuple[int, int, int]]:
    """Return the (width, ahead, group) of `Lanes` that can have the readings."""
    members = [(width, 0, 1) for width in range(2, _WIDEST + 1)]
    for width in (2, 4, 8, 16, _WIDEST_AHEAD):
        members += [(width, ahead, 1) for ahead in range(1, width)]
        members += [(width, 0, group) for group in _GROUPS]
    width, ahead, group = np.array(members).T[:, :, None]
    step = width * group
    last = np.maximum(readings.i, readings.j)
    turns = np.maximum(readings.terms - ahead, 0) // step
    rest = last >= ahead + turns * step
    low, high = np.maximum(readings.i - ahead, 0), np.maximum(readings.j - ahead, 0)
    later = np.maximum(low, high)
    lane = later // group % width
    before = np.where(later == 0, last, np.where(lane == 0, ahead, 0))
    within = readings.size == before + later // step * group + later % group + 1
    # Of lanes that meet, some number m: each has as many terms as there are turns, or a few more.
    most = readings.size // np.maximum(turns * group, 1)
    least = -((ahead - readings.size) // ((turns + 1) * group))
    apart = np.maximum(least, 2) <= most
    fits = rest | np.where(lane == np.minimum(low, high) // group % width, within, apart)
    possible = fits.all(axis=1) & (readings.terms > ahead + step).any(axis=1)
    likely = [members[k] for k in np.flatnonzero(possible).tolist()]
    return sorted(likely, key=_oddness)[:_WIDTHS]


def _oddness(lanes: tuple[int, int, int]) -> tuple[bool, bool, int, int]:
    """Return a key that sorts likely lanes first: even ones, none of whose terms come before."""
    width, ahead, group = lanes
    return width & (width - 1) > 0, ahead > 0, group, width


def _across_lanes(width: int) -> Iterator[Scheme]:
    """Yield how so many lanes may be added: in order, pairwise, by accumulators of a register."""
    yield from _SIMPLE
    bits = width.bit_length() - 1
    if width != 1 << bits:
        return
    if bits <= _BITS:
        yield from map(Rounds, permutations(range(bits)))
    for k in range(1, bits):
        for inside in (Rounds(), Rounds(tuple(reversed(range(k))))):
            yield Lanes(1 << k, 0, inside)
            yield Blocks(Every(1 << k), inside)
