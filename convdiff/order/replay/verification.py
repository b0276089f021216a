"""The numbers on which a replay has to give the kernel's bits: the case's own, and random ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Data
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


def random_data(geometry: Geometry, seed: int) -> Data:
    """Return the numbers that a `random` probe with this seed has."""
    taps = np.full((geometry.cout, 4), seed, np.int64)
    weights, bias = probes.probe_weights(
        "random", taps, geometry.filter_hwio, geometry.bias, geometry.dtype
    )
    return Data(
        probes.probe_input("random", taps, geometry.input_nhwc, geometry.dtype), weights, bias
    )


def observe_calls(kernel: Kernel, data: Data, observed: Array | None) -> list[ObservedCall]:
    """Run the case's numbers and random ones, the first of each twice; the case comes first.

    observed: (positions, cout) output of an earlier run of the case, to be explained.
    Raises RefusedError (unstable) where a repeat differs in any bit.
    """
    geometry = kernel.geometry
    rounds = next((calls for terms, calls in _ROUNDS if geometry.leaves <= terms), 2)
    again = kernel.run(data.input_nhwc, data.filter_hwio, data.bias)
    first = observed
    if first is None:
        first = kernel.run(data.input_nhwc, data.filter_hwio, data.bias)
    seeds = [*range(1, rounds + 1), 1]
    taps = np.broadcast_to(np.array(seeds)[:, None, None], (len(seeds), geometry.cout, 4))
    (outputs,) = kernel.probe([Batch("random", taps.astype(np.int64))])
    for one, other in ((first, again), (outputs[0], outputs[-1])):
        differing = int((~same_bits(one, other)).sum())
        if differing:
            raise RefusedError(
                "unstable", f"two identical calls differed in {differing} of {one.size} elements"
            )
    calls = [ObservedCall(data, first)]
    for seed, output in zip(seeds[:-1], outputs, strict=False):
        calls.append(ObservedCall(random_data(geometry, seed), output))
    return calls
