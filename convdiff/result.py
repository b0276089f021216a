"""What a run found, ready to be presented: plain data, nothing left to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from convdiff.case.axes import Axis
from convdiff.case.model import Allowance, Case
from convdiff.diagnose.agreement import Agreement
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding
from convdiff.errors import DRIFT, ENDED, ENDINGS, SAME, TIME_OVER, UNTESTED, USAGE
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell, Failure
from convdiff.recording.model import RecordedCase
from convdiff.runtime.model import Runtime, Standing

Outcome = Literal["ok", "drift", "untested", "error"]


@dataclass(frozen=True)
class CaseResult:
    """One case's findings."""

    case: Case
    outcome: Outcome
    runtimes: tuple[Runtime, ...]
    findings: tuple[Finding, ...]
    safe_lengths: tuple[SafeLengths, ...]
    suggested_expect: Mapping[Axis, Allowance] | None
    failures: tuple[Failure, ...]
    """Cells that gave no bits."""
    outputs: Mapping[Cell, Array] = field(default_factory=dict)
    """Small outputs of the case's own input, to be shown whole."""
    cells: int = 0
    done: int = 0
    """Cells asked for, and cells that were run before the end."""
    died: bool = False
    """A worker died, in a cell, a probe or an explanation."""
    notes: tuple[str, ...] = ()
    """What is said before all: another CPU or version than the baseline's."""
    unclaimed: tuple[str, ...] = ()
    """Entries of the baseline that the case does not ask for any more."""
    agreement: Agreement | None = None
    """Who agrees with whom, where every pair of runtimes was compared."""
    recorded: RecordedCase | None = None
    """What was observed, where it is to be recorded."""
    interrupted: bool = False
    """A signal came while cells were run, probed or tried on random inputs, or --time was over."""
    time_over: bool = False
    """It was --time."""
    planned: int = 0
    """Comparisons that were to be made; a finding is one that was."""
    left: tuple[Axis, ...] = ()
    """The axes of those that were not."""
    seconds: float = field(default=0.0, compare=False)
    """From the first cell to the result, with probes and proofs."""

    @property
    def ended(self) -> str:
        """What ended it early, "" where nothing did."""
        return _ended(self.interrupted, self.time_over)

    @property
    def advised_lengths(self) -> tuple[SafeLengths, ...]:
        """The safe lengths of the runtimes in which padding to them is advice."""
        return tuple(one for one in self.safe_lengths if one.advised)


@dataclass(frozen=True)
class Result:
    """All cases' findings and the runtimes they were made on."""

    standings: tuple[Standing, ...]
    cases: tuple[CaseResult, ...]
    missing_required: tuple[Standing, ...] = ()
    unclaimed: tuple[str, ...] = ()
    """Cases of the baseline that no case file claims any more."""
    unrecorded: str = ""
    """Why what was observed could not be written to a recording."""
    signal: int = 0
    """The signal's number, where one ended it."""
    unbegun: int = 0
    """Cases of which nothing was done before that."""
    nets: tuple[Outcome, ...] = ()
    """How the nets ended that were traced beside them."""

    @property
    def seconds(self) -> float:
        """What all cases took."""
        return sum(case.seconds for case in self.cases)

    @property
    def interrupted(self) -> bool:
        """Return whether it was ended before it was done."""
        return self.signal != 0

    @property
    def time_over(self) -> bool:
        """Return whether --time was over before it was done."""
        return self.signal == TIME_OVER

    @property
    def ended(self) -> str:
        """What ended it early, "" where nothing did."""
        return _ended(self.interrupted, self.time_over)

    @property
    def is_empty(self) -> bool:
        """Whether there are findings of no case and no net."""
        return not (self.cases or self.nets)

    @property
    def exit_code(self) -> int:
        """Return the process's exit code; drift that was found counts before what is missing."""
        if self.signal and not self.time_over:
            return ENDED + self.signal
        if self.unrecorded:
            return USAGE
        outcomes = {*self.nets, *(case.outcome for case in self.cases)}
        if "drift" in outcomes:
            return DRIFT
        untested = "untested" in outcomes or not outcomes
        if untested or self.unbegun or self.missing_required or self.died:
            return UNTESTED
        return SAME

    @property
    def died(self) -> bool:
        """Whether a worker died in a case."""
        return any(case.died for case in self.cases)

    @property
    def outcome(self) -> Outcome:
        """Return the exit code as a word."""
        words: dict[int, Outcome] = {SAME: "ok", DRIFT: "drift", UNTESTED: "untested"}
        return words.get(self.exit_code, "error")


def _ended(interrupted: bool, time_over: bool) -> str:
    if time_over:
        return ENDINGS[TIME_OVER]
    return "interrupted" if interrupted else ""
