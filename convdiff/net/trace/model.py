"""What a trace finds, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from convdiff.case.net_model import NetCase
from convdiff.compare.difference import Difference
from convdiff.diagnose.verdicts import Verdict
from convdiff.errors import DRIFT, ENDED, SAME, TIME_OVER, UNTESTED
from convdiff.lab.nets import NetRun
from convdiff.net.trace.growth import Growth
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.recording import NetRecording
from convdiff.net.trace.status import Status
from convdiff.result import CaseResult, Outcome
from convdiff.runtime.model import Standing

Alone = Literal["same", "other", "differs", "equal", "unsteady", "not run"]
"""What the entering layer gives alone, with its real input: same: on both sides the bits that it
has in the net. other: not those, but the two differ all the same. differs: they do, and it was not
looked at in the net. equal: it does not differ alone. unsteady: it gives other bits when it is run
again.
"""


@dataclass(frozen=True)
class Traced:
    """One layer on two sides."""

    name: str
    op: str
    status: Status
    aligned: int
    """Columns along the length that see the same inputs on both sides."""
    growth: Growth | None = None
    """None where its bits were not asked for: where nothing differs, and beside the pair shown."""
    unseen: tuple[str, ...] = ()
    """The layers before it that were not looked at, where a difference enters in one of them."""


@dataclass(frozen=True)
class Looked:
    """Whether looking at a run's activations changed its outputs."""

    run: NetRun
    elements: int
    changed: int


@dataclass(frozen=True)
class Noise:
    """A run that gives other bits when it is run again."""

    run: NetRun
    layers: tuple[str, ...]
    """Those that do; nothing else is concluded from them."""
    begins: tuple[str, ...]
    """Those that read none of them."""
    by_looking: bool = False
    """It gives the same digests again, and other bits where those are asked for."""


@dataclass(frozen=True)
class PairTrace:
    """Two runs of a net, layer by layer."""

    pair: NetPair
    layers: tuple[Traced, ...]
    outputs: Mapping[str, Difference]
    """Of the outputs whose elements see the same inputs, with nothing looked at but them."""
    reason: str = ""
    """Why there is nothing to compare."""

    def named(self, *statuses: Status) -> tuple[str, ...]:
        """Return the layers of which one of these is said."""
        return tuple(layer.name for layer in self.layers if layer.status in statuses)

    @property
    def entered(self) -> tuple[str, ...]:
        """The layers where a difference enters."""
        return self.named("entered")

    @property
    def unstable(self) -> tuple[str, ...]:
        """The layers of which a side differs from itself."""
        return self.named("unstable")

    @property
    def is_unstable(self) -> bool:
        """Return whether a side's outputs differ from themselves, or may differ for that reason."""
        if self.differs:
            return bool(self.unstable)
        return not self.outputs.keys().isdisjoint(self.unstable)

    @property
    def first_entry(self) -> int:
        """The place of the first such layer in the net, or the number of its layers."""
        for number, layer in enumerate(self.layers):
            if layer.status == "entered":
                return number
        return len(self.layers)

    @property
    def worst(self) -> Difference | None:
        """The largest difference of the outputs, or None where nothing was compared."""
        return max(self.outputs.values(), key=lambda one: one.max_abs, default=None)

    @property
    def largest(self) -> float:
        """The largest |Δ| of the outputs; −1 where nothing was compared."""
        return self.worst.max_abs if self.worst else -1.0

    @property
    def max_ulp(self) -> int:
        """By how many ulps the outputs differ, whichever it is of."""
        return max((one.max_ulp for one in self.outputs.values()), default=0)

    @property
    def differs(self) -> bool:
        """Return whether an output differs."""
        return any(one.differing for one in self.outputs.values())


@dataclass(frozen=True)
class Judged:
    """A layer that sums no products, held against what it is to give.

    Errors are in ulps of the correctly rounded values, or where those are sums of its inputs, at
    the size of the terms; baseline first.
    """

    elements: int
    wrong: tuple[int, int]
    """Values that are not the correctly rounded ones."""
    ulps: tuple[float, float]
    undecided: int = 0
    """Values of which float64 does not tell how they are rounded correctly."""


@dataclass(frozen=True)
class Entry:
    """A layer where a difference enters, run alone, judged and explained."""

    layer: str
    op: str
    pair: NetPair
    verdict: Verdict
    alone: Alone
    what: str = ""
    """Its kind, and of an op the filter: conv2d 1×5 32→32."""
    at: str = ""
    """The layer that was held against what it is to give: itself, or one before that is unseen."""
    result: CaseResult | None = None
    """What the trip finds of it, where it sums products."""
    judged: Judged | None = None
    """What it is held against, where it does not."""
    unseen: tuple[str, ...] = ()
    reason: str = ""
    """Why it could not be run alone."""
    carries: bool = False
    """It passes a difference on, and is more than rounding itself, with the same input."""

    @property
    def is_proved(self) -> bool:
        """Return whether all that differs was proved by replay."""
        why = None if self.result is None else self.result.findings[0].why
        return why is not None and why.status == "proved"


@dataclass(frozen=True)
class TraceResult:
    """A net's findings."""

    case: NetCase
    standings: tuple[Standing, ...]
    pairs: tuple[PairTrace, ...]
    shown: int
    """Which of the pairs is told layer by layer."""
    entries: tuple[Entry, ...]
    """Where a difference enters, once for all pairs along one axis of the same runtimes."""
    looked: tuple[Looked, ...]
    """Of runs that are the same when they are run again."""
    noise: tuple[Noise, ...] = ()
    drifting: tuple[int, ...] = ()
    """Pairs whose difference `expect` does not allow."""
    unexplained: tuple[str, ...] = ()
    """Further layers where a difference enters."""
    missing: tuple[Standing, ...] = ()
    looks_less: bool = False
    """Whether layers that a framework fuses otherwise when they are looked at were left alone."""
    constant: str = ""
    """What makes equality prove little: all outputs of the first run are zero, or NaN."""
    recording: NetRecording | None = field(default=None, compare=False, repr=False)
    """What the runs gave, where it is to be kept."""
    signal: int = 0
    died: bool = False
    seconds: float = field(default=0.0, compare=False)

    @property
    def changed(self) -> tuple[Looked, ...]:
        """The runs whose outputs looking changed."""
        return tuple(one for one in self.looked if one.changed)

    @property
    def exit_code(self) -> int:
        """Return the process's exit code."""
        if self.signal and self.signal != TIME_OVER:
            return ENDED + self.signal
        if self.drifting:
            return DRIFT
        if self.signal or self._is_untested or self.missing or self.died:
            return UNTESTED
        return SAME

    @property
    def _is_untested(self) -> bool:
        """Whether not all was compared, or equality proves little."""
        if not self.pairs:
            return self.recording is None
        return not all(pair.outputs for pair in self.pairs) or self.constant != ""

    @property
    def outcome(self) -> Outcome:
        """Return the exit code as a word."""
        words: dict[int, Outcome] = {SAME: "ok", DRIFT: "drift", UNTESTED: "untested"}
        return words.get(self.exit_code, "error")
