"""Whatever the mistake and the geometry: a bug is never called rounding, nor rounding a bug."""

from __future__ import annotations

import numpy as np
from findings import judged, tensors
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from kernels import (
    Kernel,
    direct,
    fourier,
    half_accumulator,
    rounded_inputs,
    shifted,
    shuffled,
    to_bits,
    winograd,
    with_bias,
    with_filter,
    with_tap,
)
from soak import soak

from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

TRIALS = soak(500, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def geometries(draw: st.DrawFn, *, least_outputs: int = 1) -> tuple[Convolution, Tensors]:
    """Draw a convolution with its data; every output position is there."""
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 5)))
    groups = draw(st.sampled_from([1, 1, 2]))
    conv = Convolution(
        kernel,
        groups * draw(st.integers(1, 4)),
        groups * draw(st.integers(1, 3)),
        strides=draw(st.sampled_from([(1, 1), (2, 1), (1, 3)])),
        dilations=draw(st.sampled_from([(1, 1), (1, 2), (2, 2)])),
        groups=groups,
        dtype=draw(st.sampled_from(["float32", "float32", "float64"])),
    )
    more = draw(st.tuples(st.integers(least_outputs - 1, 5), st.integers(least_outputs - 1, 9)))
    height, length = (
        reach + stride * extra
        for reach, stride, extra in zip(conv.reach, conv.strides, more, strict=True)
    )
    shape = (draw(st.integers(1, 2)), height, length, conv.channels_in)
    return conv, tensors(conv, shape, draw(st.integers(0, 2**32)), bias=draw(st.booleans()))


@TRIALS
@given(geometries(), st.integers(0, 2**20), st.sampled_from([0.0, 2.0, -1.0]))
def test_a_tap_that_is_lost_doubled_or_negated_is_wrong(drawn, place: int, times: float):
    conv, data = drawn
    tap, channel = place % conv.taps, place % conv.channels_out
    finding = judged(conv, data, direct, with_tap(tap, channel, times))
    assert finding.verdict == "wrong"
    assert not finding.allowed


@TRIALS
@given(geometries(least_outputs=2), st.integers(0, 2**20), st.sampled_from([0.0, 2.0]))
def test_a_lost_or_doubled_tap_gets_its_name(drawn, place: int, times: float):
    conv, data = drawn
    tap, channel = place % conv.taps, place % conv.channels_out
    finding = judged(conv, data, direct, with_tap(tap, channel, times))
    where = tuple(int(i) for i in np.unravel_index(tap, conv.filter_shape[:3]))
    assert finding.fits is not None
    names = [f"tap {where} "]
    if conv.kernel == (1, 1) and conv.channels_out == 1:  # there a tap is all of an input channel
        names.append(f"input channel {where[2]} is left out")
    # A filter of one tap that is doubled is a filter twice as large, and nothing else fits either.
    assert any(name in finding.fits for name in names) or conv.taps <= 2


@TRIALS
@given(
    geometries(least_outputs=2),
    st.integers(-2, 2),
    st.integers(-2, 2),
    st.sampled_from([direct, rounded_inputs(to_bits(7))]),
)
def test_a_shift_is_wrong(drawn, down: int, right: int, kernel: Kernel):
    conv, data = drawn
    if down == right == 0:
        down = 1
    finding = judged(conv, data, kernel, shifted(down, right))
    assert finding.verdict == "wrong"
    assert not finding.allowed


@TRIALS
@given(geometries(), st.integers(0, 2**20), st.integers(1, 2**20))
def test_two_weights_in_each_others_place_are_wrong(drawn, first: int, step: int):
    conv, data = drawn
    size = int(np.prod(conv.filter_shape))
    one, other = first % size, (first + step) % size
    if one == other:
        other = (one + 1) % size

    def swap(w):
        flat = w.reshape(-1).copy()
        flat[[one, other]] = flat[[other, one]]
        return flat.reshape(w.shape)

    finding = judged(conv, data, direct, with_filter(swap))
    expected = "same" if size == 1 else "wrong"
    assert finding.verdict == expected


@TRIALS
@given(geometries(), st.sampled_from([0.0, 2.0]))
def test_a_bias_lost_or_doubled_is_wrong(drawn, times: float):
    conv, data = drawn
    if data.bias is None:
        data = Tensors(
            data.filter_hwio, np.ones(conv.channels_out, data.input_nhwc.dtype), data.input_nhwc
        )
    finding = judged(conv, data, direct, with_bias(times))
    assert finding.verdict == "wrong"
    assert finding.fits


@TRIALS
@given(geometries(), st.integers(0, 1000), st.integers(0, 1000))
def test_two_orders_are_rounding_or_same_and_allowed_between_devices(drawn, one: int, other: int):
    conv, data = drawn
    finding = judged(conv, data, shuffled(one), shuffled(other))
    assert finding.verdict in ("same", "rounding")
    assert finding.allowed


@TRIALS
@given(geometries(), st.sampled_from([4, 7, 10, 14]))
def test_rounded_inputs_are_precision_whichever_side(drawn, bits: int):
    conv, data = drawn
    if conv.dtype != "float32":
        return
    narrow = rounded_inputs(to_bits(bits))
    for sides in ((direct, narrow), (narrow, direct)):
        finding = judged(conv, data, *sides)
        assert finding.verdict == "precision", finding.evidence
        assert not finding.allowed
        assert f"keep {bits} of 23" in " ".join(map(str, finding.evidence))


@TRIALS
@given(geometries(), st.data())
def test_transforms_are_never_rounding_and_never_wrong(drawn, data_: st.DataObject):
    conv, data = drawn
    conv = Convolution((3, 3), conv.channels_in, conv.channels_out)
    shape = (1, data_.draw(st.integers(3, 9)), data_.draw(st.integers(5, 12)), conv.channels_in)
    data = tensors(conv, shape, data_.draw(st.integers(0, 2**32)), bias=data.bias is not None)
    kernel = data_.draw(st.sampled_from([winograd(2), winograd(4), fourier]))
    assert judged(conv, data, direct, kernel).verdict in ("transform", "same")


@TRIALS
@given(geometries())
def test_a_narrow_accumulator_is_precision(drawn):
    conv, data = drawn
    if conv.dtype != "float32" or conv.taps < 3:
        return
    finding = judged(conv, data, direct, half_accumulator)
    assert finding.verdict == "precision", finding.evidence
    assert "accumulator" in " ".join(map(str, finding.evidence))
