"""What a case shows with some switches set: what drifts, what changed, how far from exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from convdiff.case.axes import Axis
from convdiff.case.model import Case
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.verdict import Finding
from convdiff.plan.cell import EXACT, Cell
from convdiff.plan.expand import expand
from convdiff.plan.plan import Pair, Plan
from convdiff.runtime.model import Runtime

OTHERS: tuple[Axis, ...] = ("reference", "clean")
"""Along which a search looks where something drifts."""
OWN: tuple[Axis, ...] = ("length", "batch", "channels", "threads", "repeat", "device", "exact")
"""The axes of one framework, along which a switch may make bits equal."""


@dataclass(frozen=True)
class Count:
    """Comparisons along an axis."""

    drifting: int
    compared: int


@dataclass(frozen=True)
class Trial:
    """What was seen with some switches."""

    counts: Mapping[str, Count] = field(default_factory=dict)
    """By axis, of those that were compared."""
    cells: int = 0
    """Whose bits were held against today's."""
    changed: int = 0
    """Elements whose bits are not today's."""
    elements: int = 0
    """Those that were looked at."""
    error: float = 0.0
    """The largest |Δ| against the exact result."""
    equal: tuple[int, ...] = ()
    """Lengths whose first outputs have the longest one's bits, the longest included."""
    drifting_at: tuple[int, ...] = ()
    """Lengths at which anything drifts."""
    reason: str = ""
    """Why nothing was seen."""
    seconds: float = 0.0
    """What a cell took, on average; 0 where it was not asked."""

    @property
    def drifting(self) -> int:
        """Comparisons that drift."""
        return sum(one.drifting for one in self.counts.values())

    @property
    def compared(self) -> int:
        """Comparisons that were made."""
        return sum(one.compared for one in self.counts.values())

    @property
    def is_equal(self) -> bool:
        """Whether something was compared, and nothing drifts."""
        return not self.reason and self.compared > 0 and not self.drifting

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Trial:
        """Read what `to_json` wrote."""
        counts = {axis: Count(**one) for axis, one in value["counts"].items()}
        tuples = {name: tuple(value[name]) for name in ("equal", "drifting_at")}
        return cls(**{**value, **tuples, "counts": counts})


def plan_along(case: Case, runtimes: Sequence[Runtime], axes: Iterable[Axis]) -> Plan:
    """Return the comparisons of a case along some axes, with every convolution held against exact.

    Only what they need is run; nothing on random inputs.
    """
    wanted = set(axes)
    whole = expand(case, runtimes, clean="clean" in wanted)
    pairs = [pair for pair in whole.pairs if pair.axis in wanted - {"exact"}]
    if "exact" in wanted:
        pairs += [_exact(cell) for cell in whole.cells if _is_held(case, cell)]
    used = {cell for pair in pairs for cell in (pair.baseline, pair.candidate)}
    cells = tuple(cell for cell in whole.cells if cell in used)
    return Plan(case, whole.runtimes, cells, tuple(pairs))


def _is_held(case: Case, cell: Cell) -> bool:
    return cell.op == case.conv.op and cell.is_first_run and not cell.channels


def _exact(cell: Cell) -> Pair:
    return Pair("exact", replace(cell, op=EXACT), cell)


def trial_of(case: Case, findings: Sequence[Finding]) -> Trial:
    """Return what findings along the axes of a search show; nothing is held against today."""
    reasons = [finding.comparison.reason for finding in findings if finding.verdict == "untested"]
    if reasons:
        return Trial(reason=reasons[0] or "untested")
    drifting = {finding.comparison.candidate.length for finding in findings if not finding.allowed}
    errors = [one.difference.max_abs for one in _along("exact", findings) if one.difference]
    return Trial(
        _counts(findings),
        error=max(errors, default=0.0),
        equal=_equal(case, findings),
        drifting_at=tuple(sorted(drifting)),
    )


def _equal(case: Case, findings: Sequence[Finding]) -> tuple[int, ...]:
    """Return the lengths none of whose outputs differ from the longest one's."""
    unequal = {one.candidate.length for one in _along("length", findings) if _differing(one)}
    return tuple(length for length in case.lengths if length not in unequal)


def _along(axis: Axis, findings: Sequence[Finding]) -> list[Comparison]:
    return [finding.comparison for finding in findings if finding.comparison.axis == axis]


def _counts(findings: Sequence[Finding]) -> dict[str, Count]:
    """Return how many comparisons drift along each axis, of how many."""
    counts: dict[str, Count] = {}
    for finding in findings:
        axis = finding.comparison.axis
        before = counts.get(axis, Count(0, 0))
        counts[axis] = Count(before.drifting + (not finding.allowed), before.compared + 1)
    return counts


def _differing(comparison: Comparison) -> bool:
    return comparison.difference is None or comparison.difference.differing > 0
