"""What a case shows as it stands, and the bits that switches are held against."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convdiff.case.arrays import numpy_dtype
from convdiff.case.axes import Axis
from convdiff.case.nonfinite import is_finite
from convdiff.numerics.array import Array
from convdiff.plan.expand import expand
from convdiff.plan.plan import Plan
from convdiff.search.cure.bench import Bench, Followed, Open, Outputs, own_cells
from convdiff.search.cure.trial import OTHERS, OWN, Trial, plan_along, trial_of
from convdiff.search.ledger import PASSING

MOST_KEPT = 8 << 20
"""Bytes of outputs up to which the ledger has them, too; more are run again."""


@dataclass(frozen=True)
class Today:
    """A case without any switch."""

    trial: Trial
    axes: tuple[Axis, ...]
    """Along which a search looks."""
    outputs: Outputs
    key: str
    """Of its step in the ledger; empty where nobody can tell what decides it."""


def today(bench: Bench) -> Today:
    """Run a case as it stands; its lengths on random inputs, too: none is safe by chance.

    Where two identical calls differ, the bench's case is repeated from here on: what makes it equal
    has to hold from run to run, too.
    """
    now, is_restless = _today(bench)
    if is_restless and bench.case.repeat < 2:
        bench.case = replace(bench.case, repeat=2)
        now, _ = _today(bench)
    return now


def _today(bench: Bench) -> tuple[Today, bool]:
    """Return what a case shows, and whether two identical calls were seen to differ."""
    plan = _plan(bench)
    held: list[Followed] = []
    with bench.opened(()) as opened:
        value, key = bench.step("today", opened, (), lambda: _followed(bench, opened, plan, held))
        outputs = _outputs_of(value["outputs"], plan)
        if not held and not outputs:
            _followed(bench, opened, plan, held)
        if held:
            outputs = held[0].outputs
    now = Today(Trial.of_json(value["trial"]), tuple(value["axes"]), outputs, key)
    return now, value["restless"]


def _plan(bench: Bench) -> Plan:
    """Return the plan of `convdiff run`, with every convolution held against exact."""
    case, runtimes = bench.case, bench.subject.runtimes
    whole = expand(case, runtimes, clean=not is_finite(bench.tensors))
    exact = plan_along(case, runtimes, ["exact"])
    pairs = [pair for pair in whole.pairs if pair.axis != "exact"]
    return replace(whole, pairs=(*pairs, *exact.pairs))


def _followed(bench: Bench, opened: Open, plan: Plan, held: list[Followed]) -> Mapping[str, Any]:
    followed = bench.follow(opened, plan, bench.tensors, again=True)
    held.append(followed)
    result, outputs = followed.result, followed.outputs
    drifting = {finding.axis for finding in result.findings if not finding.allowed}
    axes: list[Axis] = [*OWN, *(axis for axis in OTHERS if axis in drifting)]
    findings = [finding for finding in result.findings if finding.axis in axes]
    trial = trial_of(bench.case, findings)
    safe = [one.lengths for one in result.safe_lengths]
    trial = replace(
        trial,
        equal=tuple(sorted(set(trial.equal).intersection(*safe))),
        cells=len(outputs),
        elements=sum(output.size for output in outputs.values()),
        seconds=followed.seconds,
    )
    is_small = sum(output.nbytes for output in outputs.values()) <= MOST_KEPT
    texts = [_text(outputs[cell]) for cell in own_cells(plan) if cell in outputs]
    return {
        "trial": trial.to_json(),
        "axes": axes,
        "outputs": texts * is_small,
        "restless": followed.is_restless,
        PASSING: result.died,
    }


def _outputs_of(outputs: list[list[Any]], plan: Plan) -> Outputs:
    cells = own_cells(plan)
    if len(outputs) != len(cells):
        return {}
    return dict(zip(cells, map(_array, outputs), strict=True))


def _text(output: Array) -> list[Any]:
    data = base64.b64encode(np.ascontiguousarray(output).tobytes()).decode()
    return [output.dtype.name, list(output.shape), data]


def _array(written: list[Any]) -> Array:
    name, shape, data = written
    flat: Array = np.frombuffer(base64.b64decode(data), numpy_dtype(name)).reshape(shape)
    return flat
