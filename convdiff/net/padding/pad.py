"""The whole of `convdiff pad` on one runtime: stable at all, the lengths, their rule, the tail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import lcm

from convdiff.compare.difference import differs
from convdiff.lab.lab import Tell
from convdiff.lab.nets import is_compiled
from convdiff.net.padding.above import all_above, sample_above
from convdiff.net.padding.one_length import find_common
from convdiff.net.padding.paper import Group, Paper
from convdiff.net.padding.recheck import find_rechecked
from convdiff.net.padding.result import Padding, Question, Run, Safe
from convdiff.net.padding.rule import Rule, find_rule
from convdiff.net.padding.runs import Compared, Observe, Outputs, UnansweredError
from convdiff.net.padding.search import BELOW, BELOW_COMPILED, Search
from convdiff.net.padding.tail import TailCheck
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Standing

REPEATS = 3
"""Runs of one input that must give the same bits."""
TIMED = 15
"""Runs of a length whose shortest is its time."""


@dataclass(frozen=True)
class Asked:
    """What is to be found out, and of which net."""

    question: Question
    paper: Paper
    groups: tuple[Group, ...]
    thorough: bool = False
    """Whether every length above the answers of three data lengths is tried."""


def pad(asked: Asked, observe: Observe, standing: Standing, tell: Tell) -> Padding:
    """Return how far a net's input must be padded on a runtime, or why nothing is known."""
    try:
        return _pad(asked, observe, Padding(standing), tell)
    except UnansweredError as error:
        return Padding(standing, safe=error.safe, reason=str(error))


def _pad(asked: Asked, observe: Observe, padding: Padding, tell: Tell) -> Padding:
    paper = asked.paper
    observe = _counted(observe, tell)
    tail = TailCheck(paper, _stable(asked, observe))
    compared = Compared(paper, observe, tail.see)
    below = BELOW_COMPILED if is_compiled(padding.standing.runtime) else BELOW
    searches = []
    for group in asked.groups:
        inputs = [(data, 0) for data in group.data]
        searches.append(Search(paper, compared, group, inputs, below))
    rechecked = find_rechecked(searches, compared)
    answers = list(zip(searches, rechecked.safe, strict=True))
    try:
        common = find_common(paper, compared, answers)
        above = (all_above if asked.thorough else sample_above)(paper, compared, answers)
    except UnansweredError as error:
        error.safe = rechecked.safe
        raise
    return replace(
        padding,
        safe=rechecked.safe,
        rule=_rule(asked, rechecked.safe),
        common=common,
        tail=tail.tail(_single(asked, observe), [safe.length for safe in rechecked.safe]),
        above=above,
        unseen=rechecked.inputs,
        checked=rechecked.runs,
        seconds=_seconds(rechecked.safe, paper.fixed, observe),
    )


def _counted(observe: Observe, tell: Tell) -> Observe:
    """Return it telling how many runs there were."""
    numbers = count(1)

    def observed(runs: Sequence[Run]) -> Iterator[tuple[Run, Outputs | NoBits, float]]:
        for answer in observe(runs):
            tell(f"length {answer[0].length:,}, run {next(numbers):,}", 0, 0, None)
            yield answer

    return observed


def _stable(asked: Asked, observe: Observe) -> Outputs:
    """Return the outputs of padding alone at the fixed length.

    Raises UnansweredError where a repeated run gives other bits, or none at all.
    """
    fixed, longest = asked.paper.fixed, asked.groups[-1].data[-1]
    runs = [Run(longest, fixed, repeat=repeat) for repeat in range(REPEATS)]
    outputs = [_bits(run, result) for run, result, _ in observe([*runs, Run(0, fixed)])]
    if len(outputs) <= REPEATS:
        raise UnansweredError("interrupted")
    first, *others = outputs[:REPEATS]
    for other in others:
        if any(differs(first[name], other[name], strict=False).any() for name in first):
            raise UnansweredError("unstable: the same run gives other bits when it is repeated")
    return outputs[REPEATS]


def _single(asked: Asked, observe: Observe) -> Outputs | None:
    """Return the outputs of padding alone at one position, where the tail is one vector on paper.

    So it is where the net has one output and pads nothing within.
    """
    paper, fields = asked.paper, asked.question.fields
    if len(fields) > 1 or asked.paper.pads:
        return None
    (field,) = fields.values()
    least = next(filter(paper.positions, range(1, paper.fixed)), paper.fixed)
    if field.period > 1 or paper.positions(least) > 1:
        return None
    for _, result, _ in observe([Run(0, least)]):
        return None if isinstance(result, NoBits) else result
    return None


def _bits(run: Run, result: Outputs | NoBits) -> Outputs:
    if isinstance(result, NoBits):
        raise UnansweredError(f"length {run.length:,}: {result.reason}")
    return result


def _rule(asked: Asked, safe: Sequence[Safe]) -> Rule | None:
    multiple = lcm(*(field.step for field in asked.question.fields.values()))
    rule = find_rule(asked.groups, [one.length for one in safe], multiple)
    if rule is None or not rule.least or len(asked.question.fields) > 1:
        return rule
    positions = asked.paper.positions(rule.least)
    first = positions > asked.paper.positions(rule.least - 1)
    return replace(rule, positions=positions if first else 0)


def _seconds(safe: Sequence[Safe], fixed: int, observe: Observe) -> dict[int, float]:
    """Return the shortest time of a run at the first and the last answer and the fixed length."""
    data = {one.length: one.group.data[-1] for one in (safe[0], safe[-1])}
    data[fixed] = safe[-1].group.data[-1]
    runs = [Run(data[n], n, repeat=repeat) for repeat in range(1, 1 + TIMED) for n in data]
    taken: dict[int, float] = {}
    for run, _, seconds in observe(runs):
        taken[run.length] = min(seconds, taken.get(run.length, seconds))
    return taken
