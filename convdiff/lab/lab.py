"""Who can answer for cells: the protocol that live workers, recordings and both together keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from convdiff.behaviour.behaviour import Behaviour
from convdiff.case.arrays import Tensors
from convdiff.lab.pace import Work
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.sampled import Part
from convdiff.runtime.model import Runtime

T = TypeVar("T")

Tell = Callable[[str, int, int, "float | None"], None]
"""Called with what is being done, how much is done, and of how much (0 where nobody knows), and the
seconds that the rest takes, about, where that is known."""


@dataclass(frozen=True)
class NotAsked:
    """Why a question was not put to a cell, or its answer was cut short; no answer about it."""

    reason: str


OFF = NotAsked("explanations are off")


@dataclass(frozen=True)
class Known:
    """What was answered about a cell so far."""

    behaviour: Behaviour | None = None
    orders: Orders | None = None


@dataclass(frozen=True)
class RunLog:
    """What became of the cells that were asked so far."""

    done: frozenset[Cell] = frozenset()
    """Those that were run, and gave bits or a reason."""
    failures: Mapping[Cell, NoBits] = field(default_factory=dict)
    deaths: int = 0
    """Workers that died, of whatever they were asked."""
    signal: int = 0
    """The signal's number, where one stopped it."""
    seconds: Mapping[Cell, float] = field(default_factory=dict)
    """How long each was waited for."""

    @property
    def died(self) -> bool:
        """Return whether a worker died."""
        return self.deaths > 0 or any(failure.died for failure in self.failures.values())


class Lab(Protocol):
    """One case's; closed after it.

    A question that it does not put (stopped, over budget, switched off, no bits) is answered by
    NotAsked and not remembered. Raises nothing but RecordingError, NotPythonError and OSError.
    """

    @property
    def fingerprints(self) -> Mapping[Runtime, Mapping[str, Any]]:
        """What each runtime says it is."""

    @property
    def log(self) -> RunLog:
        """What became of the cells so far."""

    def inputs(self, cell: Cell) -> Tensors:
        """Return filter, bias and input as the cell sees them."""

    def observe(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """Yield cells as their bits, or the reasons for none, come in; ends when stopped."""

    def bits(self, cell: Cell) -> Array | NoBits:
        """Return an observed cell's output, NHWC in the case's dtype, or why there is none."""

    def part(self, cell: Cell) -> Part | None:
        """Return what an observed cell gave at some of its outputs, where no others were asked."""

    def is_restless(self, cell: Cell) -> bool:
        """Return whether an observed cell gives other bits when it is run once more.

        Not while `observe` is open. False where it is not run again.
        """

    def behaviour(self, cell: Cell) -> Behaviour | NotAsked:
        """Return what probes find of a cell's kernel. Not while `observe` is open."""

    def orders(self, cell: Cell) -> Orders | NotAsked:
        """Return the summation orders of a cell's output, from the budget that all cells share."""

    def known(self, cell: Cell) -> Known:
        """Return what was answered so far; asks nothing."""

    def paced(self, items: Sequence[T], work_of: Callable[[T], Work]) -> Iterator[T]:
        """Yield the items of a stage; what is told meanwhile says how far it is."""

    def compute(self, what: str, work: Callable[[], T]) -> T | NotAsked:
        """Return what a long computation of this process gives, or why a signal cut it short.

        what: said while it goes on. work: changes nothing that outlives it.
        """
