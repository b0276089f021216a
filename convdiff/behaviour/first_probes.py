"""The probes that every questioned cell gets."""

from __future__ import annotations

from convdiff.behaviour.constant_inputs import first_constants
from convdiff.behaviour.probes import Probe, contamination, integer_sets, integers, weight_delta
from convdiff.behaviour.seen import outputs_of_tap
from convdiff.worker.ops.convolution import Convolution

ENOUGH_OUTPUTS, MOST_TURNS = 32, 8
"""Outputs that a probe is to have, and how often it is repeated at most to have them."""
LEAST_INTEGERS = 2
"""How often integers are asked for at the least."""


def first_probes(conv: Convolution, shape: tuple[int, ...], bias: bool) -> list[Probe]:
    """Return the probes that every questioned cell gets; `shape` is the NHWC of its input.

    Those that rest on chance are repeated with other numbers where a cell has few outputs; integers
    always are: two that are exchanged may be alike once.
    """
    turns = max(1, min(MOST_TURNS, -(-ENOUGH_OUTPUTS // outputs_of_tap(conv, shape))))
    probes = integer_sets(conv, shape, bias)
    for turn in range(1, max(turns, LEAST_INTEGERS)):
        probes.append(integers(conv, shape, bias, turn, turn))
    for turn in range(turns):
        probes.append(weight_delta(conv, shape, bias, turn))
        probes.append(contamination(conv, shape, bias, turn))
    return [*probes, *(one.probe(conv, shape, bias) for one in first_constants(conv, shape, bias))]
