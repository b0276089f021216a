"""A net run on data followed by padding, by a runtime of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from convdiff.lab.jobs import trial_input
from convdiff.lab.nets import Activations, NetRun, Subject, Watched, observe_net
from convdiff.lab.pool import Pool
from convdiff.net.padding.result import Run
from convdiff.net.padding.runs import Outputs
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Runtime

MOST_BYTES = 2**27
"""Of inputs in one message."""


class Live:
    """Runs one net on one runtime; the net's outputs alone are watched."""

    def __init__(self, subject: Subject, runtime: Runtime, pool: Pool, value: float) -> None:
        """value: what follows the data."""
        self._subject, self._runtime, self._pool, self._value = subject, runtime, pool, value

    def __call__(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Outputs | NoBits, float]]:
        """See `Observe`."""
        own = self._subject.input_nhwc
        column = own.nbytes // own.shape[2]
        longest = max((run.length for run in runs), default=1)
        most = max(1, MOST_BYTES // max(1, column * longest))
        rest = iter(runs)
        while some := list(islice(rest, most)):
            yield from self._observe(some)

    def _observe(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Outputs | NoBits, float]]:
        longest = max(run.length for run in runs)
        batch = len(self._subject.input_nhwc)
        keys, given = dict[tuple[int, int], int](), dict[int, Array]()
        asked: dict[NetRun, Run] = {}
        for run in runs:
            key = keys.setdefault((run.data, run.trial), len(keys) + 1)
            if key not in given:
                given[key] = self._input(run.data, run.trial, longest)
            asked[NetRun(self._runtime, run.length, batch, run.repeat, key)] = run
        watched = [Watched(name) for name in self._subject.net.outputs]
        observed = observe_net(
            self._subject, list(asked), watched, self._pool, given, observe="outputs"
        )
        for one, outputs, seconds in observed:
            yield asked[one], _arrays(outputs), seconds

    def _input(self, data: int, trial: int, length: int) -> Array:
        """Return data and padding, NHWC."""
        own = self._subject.input_nhwc
        values = trial_input(own, trial) if trial else own
        shape = (*own.shape[:2], length, own.shape[3])
        padded = np.full(shape, self._value, own.dtype)
        padded[:, :, :data] = values[:, :, :data]
        return padded


def _arrays(outputs: Activations | NoBits) -> Outputs | NoBits:
    if isinstance(outputs, NoBits):
        return outputs
    return {name: array for name, array in outputs.items() if not isinstance(array, bytes)}
