"""A case with switches set: on its own input, on others, and against the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.axes import Axis
from convdiff.case.model import Case
from convdiff.numerics.bits import same_bits
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.plan import Plan
from convdiff.search.cure.bench import AbsentError, Bench, Open
from convdiff.search.cure.cost import Cost, Way, relative_cost
from convdiff.search.cure.padded import Pads
from convdiff.search.cure.recheck import (
    BEYOND,
    INPUTS,
    Recheck,
    at_lengths,
    inputs_of,
    joined,
    lengths_outside,
    lengths_within,
)
from convdiff.search.cure.setting import pads_of, set_on, slowed
from convdiff.search.cure.switches import Switch
from convdiff.search.cure.today import Today
from convdiff.search.cure.trial import Trial, plan_along, trial_of
from convdiff.search.ledger import PASSING

ROUNDS = 16
"""Of a cost."""


@dataclass(frozen=True)
class Trying:
    """Some switches on a bench."""

    bench: Bench
    switches: tuple[Switch, ...]
    today: Today
    equal: tuple[int, ...]
    """Lengths that have the longest one's bits unpadded: inputs are padded to them."""

    @property
    def pads(self) -> Pads:
        """To what the case's inputs are padded."""
        return pads_of(self.bench.case, self.switches, self.equal)

    def trial(self) -> Trial:
        """Run the case, and hold its bits against today's."""
        parts = [self.today.key, self.switches, self.equal]
        try:
            with self.bench.opened(self.switches) as opened:
                value, _ = self.bench.step("trial", opened, parts, lambda: self._trial(opened))
        except AbsentError as absent:
            return Trial(reason=str(absent))
        return Trial.of_json(value["trial"])

    def _trial(self, opened: Open) -> Mapping[str, Any]:
        bench = self.bench
        plan = plan_along(bench.case, opened.runtimes, self.today.axes)
        followed = bench.follow(opened, plan, bench.tensors, self.pads)
        trial = trial_of(bench.case, followed.result.findings)
        changed = elements = cells = 0
        for cell, before in self.today.outputs.items():
            after = followed.outputs.get(self._switched(cell))
            if after is not None and after.shape == before.shape:
                changed += int(np.count_nonzero(~same_bits(before, after)))
                elements, cells = elements + before.size, cells + 1
        trial = replace(trial, cells=cells, changed=changed, elements=elements)
        return {"trial": trial.to_json(), PASSING: followed.result.died}

    def _switched(self, cell: Cell) -> Cell:
        return replace(cell, runtime=set_on(cell.runtime, self.switches))

    def recheck(self) -> Recheck:
        """Run other inputs and other lengths."""
        case = self.bench.case
        (lengths, fresh), outside = lengths_within(case), lengths_outside(case)
        if any(switch.pads == "length" for switch in self.switches):
            outside = tuple(one for one in outside if one < case.lengths[-1])
        anchor = case.lengths[-1:] if len(case.lengths) > 1 and outside else ()
        beyond = tuple(sorted({*outside, *anchor}))
        parts = [self.today.axes, self.switches, self.equal, lengths, beyond]
        with self.bench.opened(self.switches) as opened:

            def work() -> Mapping[str, Any]:
                trials = self._seen(opened, lengths, INPUTS), self._seen(opened, beyond, BEYOND)
                return {
                    "within": trials[0].to_json(),
                    "beyond": trials[1].to_json(),
                    PASSING: bool(trials[0].reason),
                }

            value, _ = self.bench.step("recheck", opened, parts, work)
        within, beyond_them = (Trial.of_json(value[name]) for name in ("within", "beyond"))
        return Recheck(within, lengths, fresh, beyond_them, outside)

    def _seen(self, opened: Open, lengths: Sequence[int], count: int) -> Trial:
        """Run some lengths on so many random inputs."""
        case = at_lengths(self.bench.case, lengths) if lengths else None
        if case is None:
            return Trial(reason="the case has no other lengths")
        return joined([self._at(opened, case, one) for one in inputs_of(case, count)])

    def _at(self, opened: Open, case: Case, tensors: Tensors) -> Trial:
        plan = self._plan(opened, case)
        pads = pads_of(case, self.switches, self.equal)
        return trial_of(case, self.bench.follow(opened, plan, tensors, pads).result.findings)

    def _plan(self, opened: Open, case: Case) -> Plan:
        """Return the comparisons of a recheck: with exact only where that is what is at stake."""
        several = len(self.bench.case.lengths) > 1
        axes: list[Axis] = [axis for axis in self.today.axes if axis != "length" or several]
        exact = self.today.trial.counts.get("exact")
        whole = plan_along(case, opened.runtimes, axes)
        if exact is not None and exact.drifting:
            return whole
        others = plan_along(case, opened.runtimes, set(axes) - {"exact"})
        return others if others.pairs else whole

    def cost(self) -> Cost | NoBits:
        """Return how many times as long a cell takes, where the switches cost the most.

        With the most threads of the runtimes that they change, in the largest batch, at the middle
        length; what is padded where most zeros are appended.
        """
        bench, case = self.bench, self.bench.case
        batch = case.batches[0] if self.pads.batch else case.batches[-1]
        length = self.pads.longest_of(case)
        before = Cell(slowed(bench.subject.runtimes, self.switches), case.conv.op, length, batch)
        after = self.pads.of(self._switched(before))
        parts = [self.today.key, self.switches, length, batch, after.length, after.batch, ROUNDS]
        with bench.opened(()) as one, bench.opened(self.switches) as other:

            def work() -> Mapping[str, Any]:
                today = Way(one.session.pool, case, bench.tensors, before)
                switched = Way(other.session.pool, case, bench.tensors, after)
                cost = relative_cost(today, switched, ROUNDS)
                if isinstance(cost, NoBits):
                    return {"reason": cost.reason, PASSING: cost.died}
                return asdict(cost)

            value, _ = bench.step("cost", other, parts, work)
        bench.refuse_stopped(other.session)
        return NoBits(value["reason"]) if "reason" in value else Cost(**value)
