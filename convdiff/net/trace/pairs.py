"""Which two runs of a net are compared: along each axis, all else equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from convdiff.case.axes import Axis
from convdiff.case.net_model import NetCase
from convdiff.lab.nets import NetRun
from convdiff.plan.expand import partners_of
from convdiff.runtime.model import Runtime

Kind = tuple[Axis, Runtime, Runtime]


@dataclass(frozen=True)
class NetPair:
    """Two runs of a net, and along which axis they differ."""

    axis: Axis
    baseline: NetRun
    candidate: NetRun

    @property
    def runs(self) -> tuple[NetRun, NetRun]:
        """Both, the baseline first."""
        return self.baseline, self.candidate

    @property
    def images(self) -> int:
        """How many images both have."""
        return min(self.baseline.batch, self.candidate.batch)

    @property
    def is_recorded(self) -> bool:
        """Whether its baseline comes from a recording, and can't be run again."""
        return bool(self.baseline.runtime.origin)

    @property
    def kind(self) -> Kind:
        """What is told once of all pairs that have it in common: a cause of one is that of all."""
        return self.axis, self.baseline.runtime, self.candidate.runtime


def pairs_of(
    case: NetCase, runtimes: Sequence[Runtime], *, pairwise: bool = False
) -> tuple[NetPair, ...]:
    """Return the comparisons of a net: each with the longest, the largest batch, the first.

    pairwise: each runtime is compared with every other, not just with the first.
    """
    partners, pairs = partners_of(pairwise=pairwise), list[NetPair]()
    for runtime in runtimes:
        pairs += _of_runtime(case, runtime, partners(runtimes, runtime))
    return tuple(pairs)


def _of_runtime(
    case: NetCase, runtime: Runtime, partners: Sequence[tuple[Axis, Runtime]]
) -> Iterator[NetPair]:
    whole = NetRun(runtime, case.lengths[-1], case.batches[-1])
    for length, batch in product(reversed(case.lengths), reversed(case.batches)):
        run = replace(whole, length=length, batch=batch)
        if length != whole.length:
            yield NetPair("length", replace(run, length=whole.length), run)
        if batch != whole.batch:
            yield NetPair("batch", replace(run, batch=whole.batch), run)
        for axis, other in partners:
            yield NetPair(axis, replace(run, runtime=other), run)
    for repeat in range(1, case.repeat):
        yield NetPair("repeat", whole, replace(whole, repeat=repeat))


def runs_of_all(case: NetCase, runtimes: Sequence[Runtime]) -> list[NetRun]:
    """Return each runtime's run of each length and batch, the longest first."""
    sizes = list(product(reversed(case.lengths), reversed(case.batches)))
    return [NetRun(runtime, *size) for runtime in runtimes for size in sizes]


def runs_of(pairs: Sequence[NetPair]) -> list[NetRun]:
    """Return the runs of some pairs, each once, baselines before what is compared with them."""
    runs = dict[NetRun, None]()
    for pair in pairs:
        runs |= dict.fromkeys(pair.runs)
    return list(runs)
