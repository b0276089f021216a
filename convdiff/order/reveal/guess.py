"""Guess the order of a site from a few readings: where revealing it would take thousands of calls.

Kernels add in chains, blocks, lanes and rounds, over loops in some order. Two dozen mask readings
leave few of all these, each found without a tree; a few fused probes say which kinds of steps fuse
their product. A guess proves nothing: it is for the caller to verify.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.families import Readings, fitting
from convdiff.order.reveal.grown import grown
from convdiff.order.reveal.kernel import Kernel
from convdiff.order.reveal.loop_orders import Walk, walks
from convdiff.order.reveal.mask_probes import Site, ask, checked_counts
from convdiff.order.tree.schemes import Scheme
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes

#: Revealing takes about 2n calls, divided by the channels that carry probes: dear from here on.
_DEAR = 24

#: Fewer taps than this are not guessed: revealing them takes hardly more readings.
_FEW = 32

#: Distances of the pairs that are read first; and how many of the pairs that are left over.
_DISTANCES = (1, 1, 2, 3, 4, 6, 8, 8, 12, 16, 32, 64, 128, 256)
_FAR = 4

#: How many of the walks over the taps are taken, as blocks and lanes are looked for more deeply.
_WALKS = (1000, 1000, 2, 1)

#: Further readings, at a time, that tell candidates apart.
_FURTHER = 4


@dataclass(frozen=True, eq=False)
class Candidate:
    """A walk over the taps and the scheme that adds them; not yet the bias."""

    walk: Walk
    scheme: Scheme

    def under(self, pairs: Array) -> Array:
        """Return how many taps lie under the first sum that holds both taps of each pair."""
        i, j = self.walk.place[pairs].T
        return self.scheme.under(i, j, len(self.walk.taps))


def is_dear(kernel: Kernel, site: Site) -> bool:
    """Return whether an order is worth a guess: revealing takes many calls, and units can count."""
    geometry = kernel.geometry
    countable = probes.COUNTABLE[site.scale(kernel)] > geometry.leaves
    many = 2 * geometry.leaves > _DEAR * len(site.lanes)
    return countable and many and geometry.taps >= _FEW


def guess(kernel: BudgetedKernel, site: Site) -> Iterator[Tree]:
    """Yield candidate orders of a site, likely ones first; none where revealing is not dear.

    Takes about 25 readings, 4 more where they leave several candidates, and up to 12 fused probes
    a candidate. Raises RefusedError where a reading is none of a sum, or the budget is spent.
    """
    if not is_dear(kernel, site):
        return
    bias = None
    for candidate in _candidates(kernel, site):
        if kernel.geometry.bias and bias is None:
            bias = _bias(kernel, site)
        tree = grown(kernel, site, candidate.walk.taps, candidate.scheme, bias)
        if tree is not None:
            yield tree


def _candidates(kernel: Kernel, site: Site) -> Iterator[Candidate]:
    """Yield what has the readings of the first pairs, and of some that tell its like apart."""
    pairs = _first_pairs(kernel)
    sizes = _read(kernel, site, pairs)
    many = _many_pairs(kernel.geometry.taps)
    known: set[bytes] = set()
    for candidates in _having(kernel, pairs, sizes):
        left = {candidate.under(many).tobytes(): candidate for candidate in reversed(candidates)}
        new = [left[key] for key in reversed(left) if key not in known]
        known.update(left)
        yield from _told_apart(kernel, site, new, many)


def _told_apart(
    kernel: Kernel, site: Site, candidates: list[Candidate], many: Array
) -> list[Candidate]:
    """Return those of the candidates that have further readings too, which tell them apart."""
    while len(candidates) > 1:
        pairs = many[_telling(candidates, many)]
        if not len(pairs):
            break
        sizes = _read(kernel, site, pairs)
        candidates = [one for one in candidates if (one.under(pairs) == sizes).all()]
    return candidates


def _first_pairs(kernel: Kernel) -> Array:
    """Return (m, 2) pairs of taps: both ends, neighbours and further ones all over the row."""
    geometry = kernel.geometry
    taps, (_, kw, cin, _) = geometry.taps, geometry.filter_hwio
    distances = [d for d in (*_DISTANCES, cin, kw * cin) if d < taps // 2]
    golden = np.arange(1, len(distances) + _FAR + 1) * 0.6180339887498949 % 1
    far = taps * (0.3 + 0.5 * golden[:_FAR])
    steps = np.array([*distances, *far.astype(np.int64)])
    first = (golden * (taps - steps)).astype(np.int64)
    ends = [(0, 1), (0, taps - 1), (0, taps // 2)]
    ends += [(taps - 2, taps - 1), (taps - 3, taps - 2), (taps - 7, taps - 4)]
    return np.concatenate([ends, np.column_stack([first, first + steps])])


def _read(kernel: Kernel, site: Site, pairs: Array) -> Array:
    """Return how many taps lie under the sums that hold both terms of each pair."""
    taps = kernel.geometry.taps
    rows = np.column_stack([pairs, np.zeros_like(pairs[:, 0]), np.full(len(pairs), taps)])
    units = taps - (rows[:, :2] < taps).sum(axis=1)
    answer = ask(kernel, site, site.kind("mask"), rows)
    counts = checked_counts(answer, units, probes.SCALES[site.scale(kernel)][0], rows)
    sizes: Array = taps - counts
    return sizes


def _having(kernel: Kernel, pairs: Array, sizes: Array) -> Iterator[list[Candidate]]:
    """Yield the candidates of each walk that have these readings, simple ones first."""
    kh, kw, cin, _ = kernel.geometry.filter_hwio
    sizes = sizes.astype(np.int32)
    terms = np.full_like(sizes, kernel.geometry.taps)
    ways = []
    for walk in walks((kh, kw, cin)):
        i, j = walk.place[pairs].T.astype(np.int32)
        ways.append((walk, Readings(i, j, terms, sizes)))
    for depth, most in enumerate(_WALKS):
        for walk, readings in ways[:most]:
            if not walk.schemes:
                fits = fitting(readings, depth)
            elif depth == 1:
                fits = [scheme for scheme in walk.schemes if readings.agree(scheme)]
            else:
                continue
            yield [Candidate(walk, scheme) for scheme in fits]


def _many_pairs(taps: int) -> Array:
    """Return pairs of taps, near ones and far ones, by which candidates are told apart."""
    random = np.random.default_rng(taps)
    first = random.integers(0, taps, 256)
    reach = np.exp(random.uniform(0, np.log(taps), 256)).astype(np.int64)
    pairs = np.column_stack([first, np.minimum(first + reach, taps - 1)])
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _telling(candidates: Sequence[Candidate], pairs: Array) -> list[int]:
    """Return a few of the pairs, whose readings leave as few of the candidates as can be."""
    sizes = np.stack([candidate.under(pairs) for candidate in candidates])
    chosen: list[int] = []
    groups = np.zeros(len(candidates), np.int64)
    for _ in range(_FURTHER):
        keys = groups[:, None] * (sizes.max() + 1) + sizes
        split = [len(np.unique(column)) for column in keys.T]
        best = int(np.argmax(split))
        if split[best] == len(np.unique(groups)):
            break
        chosen.append(best)
        groups = np.unique(keys[:, best], return_inverse=True)[1]
    return chosen


def _bias(kernel: Kernel, site: Site) -> tuple[int, int]:
    """Return a tap and a size: the bias joins the sum that holds this tap and has so many taps."""
    taps = kernel.geometry.taps
    ends = np.array([0, taps - 1])
    sizes = _read(kernel, site, np.column_stack([np.full(2, taps), ends]))
    nearer = int(np.argmin(sizes))
    return int(ends[nearer]), int(sizes[nearer])
