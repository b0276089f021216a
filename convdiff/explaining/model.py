"""What is known of an output's orders, and of those of two outputs that may differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from convdiff.case.layout import Order
from convdiff.case.model import Case
from convdiff.compare.difference import Difference
from convdiff.diagnose.cause import Explanation
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders
from convdiff.order.tree.tree import Tree
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Standing

Index = tuple[int, int, int, int]
"""NHWC"""


@dataclass(frozen=True)
class Element:
    """One element of an output, with the numbers that its order adds."""

    index: Index
    why: str = ""
    """Why it is this one; nothing where it was asked for."""
    order: int = -1
    """Its order's place in the explanation's orders; -1 where it has none."""
    values: Mapping[int, float] = field(default_factory=dict)
    """Its products, the bias and all partial sums, by leaf and node of its order."""
    parts: int = -1
    """The node whose sum is the first to differ from the other side's; -1 where none is."""
    output: float = math.nan
    """What the runtime gave."""
    exact: float = math.nan
    """The correctly rounded result."""

    @property
    def error(self) -> float:
        """How far the output is from the exact result; NaN where a side is, or both infinite."""
        return self.output - self.exact


@dataclass(frozen=True)
class ElementReport:
    """What is known of one output's orders, and of one of its elements."""

    case: Case
    standing: Standing
    cell: Cell
    explanation: Orders | None = None
    """None where the runtime gave no output; `reason` then says why."""
    reason: str | None = None
    element: Element | None = None
    """The element that is drawn."""

    @property
    def axes(self) -> Order:
        """How the case's inputs and outputs lie, and so its indices are written."""
        return self.case.output_order

    @property
    def tree(self) -> Tree | None:
        """The order of the element that is drawn; None where it has none."""
        if self.explanation is None or self.element is None or self.element.order < 0:
            return None
        return self.explanation.orders[self.element.order].order.tree

    @property
    def step(self) -> str:
        """How the step that follows is done to the element that is drawn; nothing where none is."""
        if self.explanation is None or self.element is None or self.element.order < 0:
            return ""
        return self.explanation.orders[self.element.order].order.step.words

    @property
    def is_on_padding(self) -> bool:
        """Whether the drawn element sees padding alone, as is proved."""
        if self.explanation is None or self.explanation.padding is None or self.element is None:
            return False
        padding = self.explanation.padding.reshape(self.explanation.geometry.output_nhwc)
        return bool(padding[self.element.index])

    @property
    def geometry(self) -> Geometry | None:
        """Of what the drawn element sees; None where it has no order."""
        if self.tree is None or self.explanation is None or self.element is None:
            return None
        return self.explanation.geometry_of(self.explanation.orders[self.element.order])

    @property
    def is_explained(self) -> bool:
        """Whether any element has a proven order."""
        return self.explanation is not None and bool(self.explanation.orders)


@dataclass(frozen=True)
class PairReport:
    """What is known of two outputs' orders, and of why their bits differ."""

    baseline: ElementReport
    candidate: ElementReport
    difference: Difference | None = None
    """Of what both have; None where a side has no output, or the shapes can't be aligned."""
    why: Explanation | None = None
    """None where nothing differs, or a side's orders were not looked for."""

    @property
    def sides(self) -> tuple[ElementReport, ElementReport]:
        """Both reports, the baseline's first."""
        return self.baseline, self.candidate

    @property
    def is_explained(self) -> bool:
        """Whether both sides have proven orders."""
        return all(side.is_explained for side in self.sides)

    @property
    def names(self) -> tuple[str, str]:
        """What tells the sides apart: their runtimes, lengths or batches; else numbers."""
        cells = [side.cell for side in self.sides]
        for say in (_runtime, _length, _batch):
            first, second = map(say, cells)
            if first != second:
                return first, second
        return "#1", "#2"


def _runtime(cell: Cell) -> str:
    return cell.runtime.id


def _length(cell: Cell) -> str:
    return f"length {cell.length}"


def _batch(cell: Cell) -> str:
    return f"batch {cell.batch}"
