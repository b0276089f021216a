"""The numbers on which a replay has to give the kernel's bits: the case's own, and random ones."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Data, Order, replay
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.refusal import RefusedError
from convdiff.worker import probes

#: Random calls for up to so many terms. The fewer terms, the likelier it is that another order
#: gives the same bits by accident, and the cheaper is a call.
_ROUNDS = ((63, 16), (511, 6))


@dataclass(frozen=True, eq=False)
class ObservedCall:
    """One call: its numbers, and the (positions, cout) output that the kernel gave."""

    data: Data
    output: Array


def gives(
    order: Order, geometry: Geometry, call: ObservedCall, position: int, channel: int
) -> bool:
    """Return whether the replay gives the bits of one element."""
    rows, lanes = np.array([position]), np.array([channel])
    sums = replay(order, geometry, call.data, rows, lanes)
    return bool(same_bits(sums, call.output[np.ix_(rows, lanes)]).all())


def random_data(geometry: Geometry, seed: int) -> Data:
    """Return the numbers that a `random` probe with this seed has."""
    taps = np.full((geometry.cout, 4), seed, np.int64)
    weights, bias = probes.probe_weights(
        "random", taps, geometry.filter_hwio, geometry.bias, geometry.dtype
    )
    return Data(
        probes.probe_input("random", taps, geometry.input_nhwc, geometry.dtype), weights, bias
    )


class Trials:
    """The calls on which a replay is tried: the case's own, and random ones once they are needed.

    Where vectors verify a tree, they are not.
    """

    def __init__(self, kernel: Kernel, data: Data, observed: Array | None) -> None:
        """Run the case's numbers, twice; observed: (positions, cout) output of an earlier run.

        Raises RefusedError (unstable) where a repeat differs in any bit.
        """
        again = kernel.run(data.input_nhwc, data.filter_hwio, data.bias)
        first = observed
        if first is None:
            first = kernel.run(data.input_nhwc, data.filter_hwio, data.bias)
        _check_equal(first, again)
        self.geometry = kernel.geometry
        self._calls = [ObservedCall(data, first)]
        self._kernel = kernel

    def seen_by(self, geometry: Geometry) -> Trials:
        """Return the same calls as outputs see them that have this geometry."""
        trials = copy(self)  # what is called is called for both
        trials.geometry = geometry
        return trials

    @property
    def case(self) -> ObservedCall:
        """The case's own call."""
        return self._seen(self._calls[0])

    @property
    def made(self) -> tuple[ObservedCall, ...]:
        """The calls so far, the case's first."""
        return tuple(map(self._seen, self._calls))

    def all(self) -> tuple[ObservedCall, ...]:
        """Return the case's call and random ones, the first of these run twice.

        Raises RefusedError (unstable) where its repeat differs in any bit.
        """
        if len(self._calls) == 1:
            self._calls.extend(_random_calls(self._kernel))
        return self.made

    def _seen(self, call: ObservedCall) -> ObservedCall:
        data = call.data
        weights = self.geometry.cut(data.filter_hwio)
        return replace(call, data=replace(data, filter_hwio=weights))


def _random_calls(kernel: Kernel) -> Iterator[ObservedCall]:
    geometry = kernel.geometry
    rounds = next((calls for terms, calls in _ROUNDS if geometry.leaves <= terms), 2)
    seeds = [*range(1, rounds + 1), 1]
    taps = np.broadcast_to(np.array(seeds)[:, None, None], (len(seeds), geometry.cout, 4))
    (outputs,) = kernel.probe([Batch("random", taps.astype(np.int64))])
    _check_equal(outputs[0], outputs[-1])
    for seed, output in zip(seeds[:-1], outputs, strict=False):
        yield ObservedCall(random_data(geometry, seed), output)


def _check_equal(one: Array, other: Array) -> None:
    differing = int((~same_bits(one, other)).sum())
    if differing:
        raise RefusedError(
            "unstable", f"two identical calls differed in {differing} of {one.size} elements"
        )
