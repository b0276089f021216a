"""What outputs see, against perturbed inputs and NaN, in NumPy, over random graphs."""

import numpy as np
from drawn_nets import DrawnNet, nets
from hypothesis import HealthCheck, given
from small_nets import conv, net
from soak import soak

from convdiff.errors import ConvdiffError
from convdiff.net.along import along
from convdiff.net.field import aligned, shifted, spans
from convdiff.net.receptive_field import receptive_field
from convdiff.worker.ops.net import Net

TRIALS = 24
"""Random inputs: of two values the larger one may be the same by chance, by a half each time."""
CHOICES = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def inputs(drawn: DrawnNet, length: int, trial: int) -> np.ndarray:
    """The first inputs of one long random input, (length, 1)."""
    return np.random.default_rng([drawn.seed, trial]).normal(size=(max(drawn.lengths), 1))[:length]


def touched(drawn: DrawnNet, length: int, change) -> dict[str, np.ndarray]:
    """Which positions change, bool (inputs, positions), where one input at a time is changed."""
    plain = inputs(drawn, length, 0)
    batch = np.repeat(plain[None], length + 1, axis=0)
    every = np.arange(length)
    batch[every, every] = change(batch[every, every])
    return {
        name: ((array[:-1] != array[-1:]).any(axis=2)) for name, array in drawn.run(batch).items()
    }


def nan(values):
    return np.full_like(values, np.nan)


def perturb(values):
    return values + 1.5


@soak(1600, **CHOICES)
@given(nets())
def test_outputs_depend_on_what_lies_between_their_first_and_last_input(drawn):
    length = drawn.lengths[0]
    reached, changed = touched(drawn, length, nan), touched(drawn, length, perturb)
    for name, (first, last) in spans(along(drawn.net), length).items():
        at = np.arange(length)[:, None]
        within = (at >= first) & (at <= last)
        assert not (changed[name] & ~within).any(), f"{name}: an input outside of the field matters"
        assert not (reached[name] & ~within).any(), f"{name}: NaN beyond the field"
        for position in range(len(first)):
            inside = np.flatnonzero(reached[name][:, position])
            ends = (inside[0], inside[-1]) if len(inside) else (length, -1)
            assert (first[position], last[position]) == ends, f"{name}: position {position}"


def repeats(net: Net) -> bool:
    """Whether a layer is joined to itself: positions may be equal to its others, or 0."""
    return any(len(set(layer.sources)) < len(layer.sources) for layer in net.layers)


@soak(1600, **CHOICES)
@given(nets())
def test_outputs_are_aligned_exactly_where_they_see_the_same(drawn):
    masks = aligned(along(drawn.net), drawn.lengths)
    one, other = (
        drawn.run(np.stack([inputs(drawn, length, trial) for trial in range(TRIALS)]))
        for length in drawn.lengths
    )
    reached = [touched(drawn, length, nan) for length in drawn.lengths]
    moved = shifted(drawn.net, drawn.lengths)
    for name, mask in masks.items():
        count = len(mask)
        assert count == min(one[name].shape[1], other[name].shape[1])
        equal = (one[name][:, :count] == other[name][:, :count]).all(axis=(0, 2))
        assert not (mask & ~equal).any(), f"{name}: aligned, and unequal"
        shorter = min(drawn.lengths)
        nans = [at[name][:, :count] for at in reached]
        same = (nans[0][:shorter] == nans[1][:shorter]).all(axis=0)
        beyond = nans[1][shorter:].any(axis=0)
        assert not (mask & (~same | beyond)).any()
        if not (moved or repeats(drawn.net)):
            sees = nans[0].any(axis=0)  # what sees no input is equal whatever it is aligned with
            missed = ~mask & equal & same & ~beyond & sees
            assert not missed.any(), f"{name}: equal, and not aligned"


@soak(1600, **CHOICES)
@given(nets(shifts=False))
def test_the_field_of_each_phase_is_what_outputs_read_far_from_borders(drawn):
    for layer in drawn.net.layers:
        check_phases(drawn.net, layer.name, max(drawn.lengths))


def check_phases(net: Net, output: str, length: int) -> None:
    """Hold an output's field against what its middle positions read at a length long enough."""
    try:
        field = receptive_field(net, output, length)
        length = 4 * max(field.sizes) + 64 * field.step
        first, last = spans(along(net), length)[output]
        field = receptive_field(net, output, length)
    except ConvdiffError as error:
        assert "different strides" in str(error) or "position by position" in str(error)
        return
    except ValueError:  # what is joined is of one size at some lengths only
        return
    middle = len(first) // 2
    for position in range(middle, middle + 2 * field.period):
        span = (int(first[position]), int(last[position]))
        assert field.at(position) == (span if span[1] >= 0 else None)


def test_strides_that_are_fractions_have_fields_by_phase():
    up = {"op": "conv2d_transpose", "strides": 3}
    check_phases(net(conv("a", 2, (1, 1), **up), conv("b", 2, (1, 1), strides=2)), "b", 40)
    for kernel, sizes in ((1, (1, 0, 0)), (2, (1, 1, 0)), (4, (2, 1, 1))):
        layers = net(conv("a", kernel, (1, 1), **up))
        assert receptive_field(layers, "a", 40).sizes == sizes
        check_phases(layers, "a", 40)
