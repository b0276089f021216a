"""An order, and the elements of an output that are proved to have it."""

from __future__ import annotations

from dataclasses import dataclass

from convdiff.case.words import plural
from convdiff.numerics.array import Array
from convdiff.order.footprint import Footprint
from convdiff.order.replay.replay import Order


@dataclass(frozen=True, eq=False)
class ProvedOrder:
    """An order and the (positions, cout) elements whose bits its replay gave, in every call.

    confirmed: whether each element answered all that tells the order from any other: its vectors,
    or every reading that it needs; where that takes too many calls, each answered a sample of them.
    undecided: fused products, or others, that no vector tells from what they are not; they are
    as they were read, and the order is not confirmed.
    footprint: the taps that the elements see, which are those of the order; None is all.
    """

    order: Order
    elements: Array
    confirmed: bool = True
    undecided: int = 0
    footprint: Footprint | None = None

    @property
    def count(self) -> int:
        """Elements proven to have this order."""
        return int(self.elements.sum())

    @property
    def words(self) -> str:
        """Say what precision it has that is not the case's own, what is open, and what follows."""
        doubt = ""
        if self.undecided:
            doubt = f"fused or not: undecided for {plural(self.undecided, 'product')}"
        parts = (self.order.arithmetic.words, doubt, self.order.step.words)
        return ", ".join(filter(None, parts))
