"""What is known of a net's padding on one runtime, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from convdiff.net.padding.paper import Group
from convdiff.net.padding.rule import Rule
from convdiff.net.receptive_field import Field
from convdiff.runtime.model import Standing


@dataclass(frozen=True)
class Run:
    """One run of a net: an input that is data up to a length, and padding from there on."""

    data: int
    length: int
    trial: int = 0
    """0 is the net's own input, n the nth random one."""
    repeat: int = 0


@dataclass(frozen=True)
class Miss:
    """A run whose outputs that depend on the data are not those of the fixed length."""

    run: Run
    differing: int = 0
    elements: int = 0
    max_abs: float = 0.0
    reason: str = ""
    """Why there is nothing to compare, where there is not."""


@dataclass(frozen=True)
class Safe:
    """The smallest length that gives a group of data lengths the bits of the fixed one."""

    group: Group
    length: int
    """The fixed length, where no shorter one is."""
    positions: int
    """Output positions at that length."""
    misses: tuple[Miss, ...] = ()
    """What differed at each length tried from the group's minimum up to this one."""
    untried: int = 0
    """Lengths between them that were not tried, lest it take too long."""


@dataclass(frozen=True)
class Common:
    """A length at which all data has the fixed one's bits."""

    length: int
    """The fixed length, where no shorter one is."""
    runs: int = 0
    """Runs at it that had those bits: each data length, and some on unseen inputs."""


@dataclass(frozen=True)
class Above:
    """What was found of lengths longer than the answer."""

    tried: int = 0
    """Runs, on the net's own input."""
    data: tuple[int, ...] = ()
    """Data lengths that were tried at every longer length; empty where lengths were sampled."""
    relapses: tuple[Miss, ...] = ()


@dataclass(frozen=True)
class Tail:
    """Outputs that depend on padding alone, precomputed at the fixed length."""

    held: int
    """Data lengths at which all outputs behind the data are those of an input of padding."""
    of: int
    others: tuple[int, ...] = ()
    """Answers at which the run's own outputs behind the data are others."""
    vectors: int = 1
    """Different vectors among its positions; on paper one, where nothing is padded within."""
    apart: int = 0
    """Elements of it that are others where it is taken at one position alone."""
    elements: int = 0
    """Elements at one position; 0 where the net itself pads, or has several outputs."""


@dataclass(frozen=True)
class Padding:
    """How far a net's input must be padded on one runtime."""

    standing: Standing
    safe: tuple[Safe, ...] = ()
    """Ascending, one a group of data lengths."""
    rule: Rule | None = None
    common: Common | None = None
    """None where nothing is known."""
    tail: Tail | None = None
    above: Above = Above()
    unseen: int = 0
    """Random inputs on which the answers were checked again."""
    checked: int = 0
    """Runs that took."""
    seconds: Mapping[int, float] | None = None
    """By length, how long a run takes: of the first and last answer, and of the fixed length."""
    reason: str = ""
    """Why nothing is known, where nothing is."""

    @property
    def boundaries(self) -> tuple[int, ...]:
        """The data lengths at which each bucket but the first begins: those of one length."""
        pairs = zip(self.safe, self.safe[1:], strict=False)
        return tuple(a.group.data[-1] + 1 for a, b in pairs if a.length != b.length)

    @property
    def lengths(self) -> tuple[int, ...]:
        """What each bucket is padded to."""
        return tuple(length for length, _ in groupby(safe.length for safe in self.safe))


@dataclass(frozen=True)
class Question:
    """What is asked of a net's padding."""

    name: str
    data: tuple[int, ...]
    fixed: int
    value: float
    fields: Mapping[str, Field]
    """By the net's outputs."""
    moving: tuple[str, ...] = ()
    """Layers whose grid moves with the length, so that only some lengths see the same at all."""


@dataclass(frozen=True)
class Answer:
    """A question and what each runtime answers."""

    question: Question
    groups: tuple[Group, ...]
    paddings: tuple[Padding, ...]

    @property
    def is_answered(self) -> bool:
        """Whether every runtime was asked and answered."""
        return bool(self.paddings) and all(not padding.reason for padding in self.paddings)
