"""Whether the size at which bits change is a product of sizes: other shapes are asked.

A kernel may be chosen by N·C·H·W, by the length alone, or by anything else. A product is claimed
only where three shapes with other factors change at it, each of them bisected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, combinations, product
from math import ceil, floor
from typing import Literal

from convdiff.case.model import Case
from convdiff.search.history import Change
from convdiff.search.shape import Shape, SizeAxis, least, shape_of, varied

CONFIRMED = 3
"""Shapes that must change at a product before it is claimed."""
LONGEST = 100_000
"""No larger size is asked."""
ALONE = (Fraction(2), Fraction(1, 2))
"""How an axis is varied to see whether it moves the size: the first that fits."""
FURTHER = (Fraction(3), Fraction(1, 2), Fraction(4), Fraction(1, 4))
"""How one that does is varied besides."""
SMALL = (1, 2, 3, 4, 8)
"""How many times the least sizes tell a product exactly: sums of one channel may not differ."""
BELOW, ABOVE = Fraction(7, 10), Fraction(7, 5)
"""How far a line reaches below the smallest size expected, and above the largest."""

Meets = Literal["product", "alone", "elsewhere", "nowhere"]
"""Where a shape changes: at the product, at the same size as before, elsewhere, or not once."""
Switch = Callable[[Shape, int, int], "Change[int] | None"]
"""Where a shape's bits change between two sizes of the line; None where not, or not once."""
Factors = Mapping[SizeAxis, Fraction]


@dataclass(frozen=True)
class Trial:
    """A shape that was asked, at the last size before its change."""

    shape: Shape
    sizes: tuple[int, int]
    """The last before, the first after; where there is none, the ends that agree."""
    meets: Meets


@dataclass(frozen=True)
class Product:
    """What other shapes say of a size at which bits change."""

    axis: SizeAxis
    axes: tuple[SizeAxis, ...]
    """Those whose product it is, as far as they were seen to move it; the axis itself is one."""
    before: int
    """The product at the last size before, the largest of all shapes that change at it."""
    after: int
    """The product at the first size after, the smallest of them."""
    trials: tuple[Trial, ...]
    """In the order in which they were asked: one axis each, then others."""
    singles: int = 0
    """How many trials, the first ones, ask whether one axis moves the size."""
    finest: tuple[Trial, ...] = ()
    """Shapes of small factors, which tell a product more exactly; the last one where it fits."""

    @property
    def confirmed(self) -> int:
        """How many other shapes change at this product."""
        return sum(trial.meets == "product" for trial in self.trials)

    @property
    def is_claimed(self) -> bool:
        """Whether enough other shapes change at it, and of those that must none elsewhere."""
        further = self.trials[self.singles :]
        fit = all(one.meets == "product" for one in further)
        is_one = len(self.axes) > 1 and self.before < self.after
        return is_one and self.confirmed >= CONFIRMED and fit

    @property
    def is_alone(self) -> bool:
        """Whether the size is the same whatever the other axes are."""
        return bool(self.trials) and all(trial.meets == "alone" for trial in self.trials)


def product_of(case: Case, axis: SizeAxis, change: Change[int], switch: Switch) -> Product:
    """Ask other shapes where they change, to see of which sizes a change is the product.

    change: of the case itself, between neighbours. switch: bisects another shape.
    """
    search = _Search(case, axis, change, switch)
    for other in varied(case):
        if other != axis:
            search.alone(other)
    singles = len(search.trials)
    for factors in search.further():
        if search.confirmed == CONFIRMED:
            break
        search.ask(factors, search.axes)
    answer = replace(search.found(), singles=singles)
    return search.finest(answer) if answer.is_claimed else answer


class _Search:
    """The shapes that were asked so far, and the product as they leave it."""

    def __init__(self, case: Case, axis: SizeAxis, change: Change[int], switch: Switch) -> None:
        self._case, self._axis, self._switch = case, axis, switch
        self._base = shape_of(case)
        self._change = (change.last, change.first)
        self.axes: tuple[SizeAxis, ...] = (axis,)
        self.trials: list[Trial] = []

    @property
    def confirmed(self) -> int:
        return sum(trial.meets == "product" for trial in self.trials)

    def alone(self, other: SizeAxis) -> None:
        """Ask whether an axis moves the size: by the first factor with which there is a shape."""
        for factor in ALONE:
            if self.ask({other: factor}, (self._axis, other)):
                if self.trials[-1].meets == "product":
                    self.axes += (other,)
                return

    def further(self) -> Iterator[Factors]:
        """Yield factors of the axes that move the size: of two at once, then of one."""
        moving = self.axes[1:]
        for one, other in combinations(moving, 2):
            yield {one: ALONE[0], other: ALONE[0]}
            yield {one: ALONE[0], other: ALONE[1]}
        for factor, axis in product(FURTHER, moving):
            yield {axis: factor}

    def ask(self, factors: Factors, axes: tuple[SizeAxis, ...]) -> bool:
        """Ask a shape where it changes, unless there is none, or it was asked: False."""
        shape = self._scaled(factors)
        if shape is None or shape in {trial.shape for trial in self.trials}:
            return False
        line = self._line(shape, axes)
        if line is None:
            return False
        change = self._switch(shape, *line)
        sizes = (change.last, change.first) if change else line
        meets = self._meets(shape, change, axes)
        self.trials.append(Trial(shape, sizes, meets))
        return True

    def _scaled(self, factors: Factors) -> Shape | None:
        shape = self._base
        for axis, factor in factors.items():
            size = shape[axis] * factor
            if size.denominator > 1 or size < least(self._case, axis):
                return None
            shape = shape.at(axis, int(size))
        return shape

    def _line(self, shape: Shape, axes: tuple[SizeAxis, ...]) -> tuple[int, int] | None:
        """Return a line that holds the size expected of a product, and that of none; or None."""
        others = [axis for axis in axes if axis != self._axis]
        ratio = Fraction(self._base.product(others), shape.product(others))
        expected = [size * ratio for size in self._change]
        if axes != self.axes:  # it may be none of the product's
            expected += map(Fraction, self._change)
        smallest = least(self._case, self._axis)
        low, high = max(smallest, floor(min(expected) * BELOW)), ceil(max(expected) * ABOVE)
        if min(expected) < smallest or high > LONGEST:
            return None
        return low, high

    def _meets(self, shape: Shape, change: Change[int] | None, axes: tuple[SizeAxis, ...]) -> Meets:
        if change is None:
            return "nowhere"
        sizes = (change.last, change.first)
        spans = [self._span(self._base, self._change, axes), self._span(shape, sizes, axes)]
        if axes == self.axes:
            spans.append(self._bounds())
        if _overlap(spans):
            return "product"
        return "alone" if sizes == self._change else "elsewhere"

    def _span(
        self, shape: Shape, sizes: tuple[int, int], axes: tuple[SizeAxis, ...]
    ) -> tuple[int, int]:
        """Return the products at the last size before a change and the first after it."""
        before, after = (shape.at(self._axis, size).product(axes) for size in sizes)
        return before, after

    def _bounds(self) -> tuple[int, int]:
        """Return the largest product before a change, and the smallest after, of all shapes."""
        met = [(trial.shape, trial.sizes) for trial in self.trials if trial.meets == "product"]
        spans = [self._span(*one, self.axes) for one in chain([(self._base, self._change)], met)]
        return max(span[0] for span in spans), min(span[1] for span in spans)

    def found(self) -> Product:
        """Return what is known by now."""
        return Product(self._axis, self.axes, *self._bounds(), tuple(self.trials))

    def finest(self, answer: Product) -> Product:
        """Return a product with shapes of small factors, and as exact as those tell."""
        start = len(self.trials)
        for times in SMALL:
            sizes = {axis: times * least(self._case, axis) for axis in self.axes[1:]}
            factors = {axis: Fraction(size, self._base[axis]) for axis, size in sizes.items()}
            if self.ask(factors, self.axes) and self.trials[-1].meets == "product":
                break
        before, after = self._bounds()
        return replace(answer, before=before, after=after, finest=tuple(self.trials[start:]))


def _overlap(spans: list[tuple[int, int]]) -> bool:
    """Return whether one product lies in all spans: not before their ends, nor after."""
    return max(span[0] for span in spans) < min(span[1] for span in spans)
