"""The rule behind safe lengths, where there is one: lengths in steps, and a least length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convdiff.net.padding.paper import Group


@dataclass(frozen=True)
class Steps:
    """Lengths that grow in steps: multiple · ⌈(data + offset) / multiple⌉ + more."""

    multiple: int
    offset: int
    more: int

    def length(self, data: int) -> int:
        """Return the length for some data."""
        return self.multiple * -(-(data + self.offset) // self.multiple) + self.more


@dataclass(frozen=True)
class Rule:
    """The larger of a least length and of a length in steps."""

    least: int
    """0 where the steps alone are the rule."""
    steps: Steps
    beyond: int = 0
    """How many output positions the steps are beyond the paper minimum."""
    positions: int = 0
    """Output positions of which the least length is the first with so many; 0 where it is not."""

    @property
    def paper(self) -> Steps:
        """The paper minimum."""
        more = self.steps.more - self.beyond * self.steps.multiple
        return Steps(self.steps.multiple, self.steps.offset, more)

    def length(self, data: int) -> int:
        """Return the length for some data."""
        return max(self.least, self.steps.length(data))


def find_rule(groups: Sequence[Group], answers: Sequence[int], multiple: int) -> Rule | None:
    """Return a rule that gives each group its answer, on all its data lengths; None if none does.

    multiple: the net's stride.
    """
    steps = _steps(groups, multiple)
    if steps is None:
        return None
    lengths = dict(zip(groups, answers, strict=True))
    for beyond in range((max(answers) - groups[0].minimum) // multiple + 1):
        own = Steps(multiple, steps.offset, steps.more + beyond * multiple)
        for least in (0, min(answers)):
            rule = Rule(least, own, beyond)
            if _gives(rule, lengths):
                return rule
    return None


def _steps(groups: Sequence[Group], multiple: int) -> Steps | None:
    """Return what gives the paper minimum of each data length."""
    data, minimum = groups[0].data[0], groups[0].minimum
    lengths = {group: group.minimum for group in groups}
    for offset in range(multiple):
        more = minimum - Steps(multiple, offset, 0).length(data)
        steps = Steps(multiple, offset, more)
        if _gives(Rule(0, steps), lengths):
            return steps
    return None


def _gives(rule: Rule, lengths: Mapping[Group, int]) -> bool:
    for group, length in lengths.items():
        if any(rule.length(data) != length for data in group.data):
            return False
    return True
