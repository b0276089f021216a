"""The arrays of a case: what each generator makes, prefixes, formats, size."""

from __future__ import annotations

import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convdiff.case import arrays
from convdiff.case.arrays import digest, make_array, make_input, make_tensors, refuse_too_big
from convdiff.case.device import Device
from convdiff.case.model import ArraySpec
from convdiff.case.override import vary
from convdiff.case.rounded import rounding_notes
from convdiff.errors import CaseError, ConvdiffError

RANDOM = [("normal", (1.0,)), ("uniform", (-2.0, 3.0)), ("integers", (-8.0, 8.0))]
OF_A_SHAPE = (
    "normal: 1",
    "uniform: [-1, 1]",
    "integers: [-8, 8]",
    "ones: true",
    "zeros: true",
    "delta: 3",
    "ramp: 1",
)


def test_a_ramp_rises_along_the_length_of_an_input(load):
    case = load(
        "filter: {ones: true, shape: [2, 1, 3, 1]}\ninput: {ramp: 0.5}\nlengths: 4\nbatch: 2"
    )
    made = make_tensors(case).input_nhwc
    assert made.shape == (2, 2, 4, 3)
    assert np.array_equal(made, np.broadcast_to(np.arange(4).reshape(1, 1, 4, 1) / 2, made.shape))


@pytest.mark.parametrize("shape", [[5], [1, 5], [1, 5, 1, 1]])
def test_a_ramp_rises_along_the_width_of_a_filter(load, shape):
    case = load(f"filter: {{ramp: 2, shape: {shape}}}\ninput: {{ones: true}}\nlengths: 7")
    assert make_tensors(case).filter_hwio.shape == (1, 5, 1, 1)
    assert make_tensors(case).filter_hwio.ravel().tolist() == [0, 2, 4, 6, 8]


def test_a_ramp_rises_along_a_bias(load):
    case = load(
        "filter: {ones: true, shape: [1, 1, 1, 3]}\n"
        "input: {ones: true}\nlengths: 7\nbias: {ramp: 1}"
    )
    assert make_tensors(case).bias.tolist() == [0, 1, 2]


def test_scale_multiplies_every_kind(load):
    for kind in ("ramp: 1", "ones: true", "normal: 1", "integers: [1, 9]", "delta: 2"):
        text = "filter: [1]\ninput: {%s%s}\nlengths: 5"
        plain = make_tensors(load(text % (kind, ""))).input_nhwc
        scaled = make_tensors(load(text % (kind, ", scale: 4"))).input_nhwc
        assert np.array_equal(scaled, 4 * plain) and plain.any()


@pytest.mark.parametrize("index", ["3", "3.0", "[0, 0, 3, 0]"])
def test_a_delta_is_one_at_its_place_and_zero_elsewhere(load, index):
    case = load(f"filter: [1]\ninput: {{delta: {index}}}\nlengths: 5")
    assert make_tensors(case).input_nhwc.ravel().tolist() == [0, 0, 0, 1, 0]


def test_a_delta_keeps_its_place_when_the_input_grows(load):
    case = load("filter: [[1], [1]]\ninput: {delta: [1, 1, 2, 0]}\nlengths: 5\nbatch: 2\n")
    for lengths, batches in (((9,), (2,)), ((5,), (1, 4)), ((2,), (1,))):
        varied = vary(case, lengths, batches)
        made = make_input(varied.input, "float32")
        assert np.argwhere(made).tolist() == [[1, 1, 2, 0]]
        run = make_tensors(varied).input_nhwc
        assert run.shape == (batches[-1], 2, lengths[-1], 1)
        assert np.array_equal(run, made[: batches[-1], :, : lengths[-1]])


@pytest.mark.parametrize(
    ("given", "batches"),
    [
        ("[1, 2, 3, 4, 5]", (1,)),
        ("[[1, 2, 3, 4, 5]]", (1,)),
        ("[[[[1], [2], [3]]], [[[4], [5], [6]]], [[[7], [8], [9]]]]", (3,)),
        *((f"{{{kind}, shape: [4, 1, 6, 1]}}", (4,)) for kind in OF_A_SHAPE),
        ("{normal: 1, shape: [6]}", (1,)),
        ("{normal: 1}\nlengths: 7", (1,)),
        ("{normal: 1, shape: [4, 1, 6, 1]}\nlengths: 5", (4,)),
        ("{normal: 1, shape: [4, 1, 6, 1]}\nbatch: 1", (1,)),
        ("{normal: 1, shape: [4, 1, 6, 1]}\nbatch: [1, 3]", (1, 3)),
        ("{normal: 1}\nlengths: 7\nbatch: 3", (3,)),
        ("{file: x.npy}", (5,)),
        ("{file: x.npz#inner}", (5,)),
        ("{file: x.npy}\nlayout: nchw", (5,)),
        ("{file: x.npy}\nbatch: 2", (2,)),
    ],
)
def test_an_input_is_run_with_all_of_its_images(load, tmp_path, given, batches):
    x = np.arange(30, dtype=np.float32).reshape(5, 1, 6, 1)
    np.save(tmp_path / "x.npy", x.transpose(0, 3, 1, 2) if "nchw" in given else x)
    np.savez(tmp_path / "x.npz", inner=x)
    case = load(f"filter: [1, 2]\ninput: {given}\n")
    assert case.batches == batches
    made = make_tensors(case).input_nhwc
    assert made.shape == (batches[-1], 1, case.lengths[-1], 1)
    if "file" in given:
        assert np.array_equal(made, x[: batches[-1]])


@pytest.mark.parametrize(("kind", "values"), RANDOM)
def test_random_inputs_have_the_distribution_they_name(kind, values):
    made = make_input(ArraySpec(kind, (1, 1, 20_000, 1), values), "float64")
    if kind == "normal":
        assert abs(made.mean()) < 0.05 and abs(made.std() - 1) < 0.05
    else:
        assert values[0] <= made.min() and made.max() <= values[1]
        assert made.min() < values[0] + 0.01 and made.max() > values[1] - 0.01
        assert abs(made.mean() - sum(values) / 2) < 0.2


@settings(max_examples=40)
@given(
    generator=st.sampled_from(RANDOM),
    batch=st.integers(1, 3),
    length=st.integers(1, 9),
    height=st.integers(1, 3),
    channels=st.integers(1, 3),
    more=st.tuples(st.integers(0, 3), st.integers(0, 40)),
    seed=st.integers(0, 2**40),
)
def test_a_generated_input_is_a_prefix_of_the_larger_one(
    generator, batch, length, height, channels, more, seed
):
    small = ArraySpec(generator[0], (batch, height, length, channels), generator[1], seed=seed)
    large = replace(small, shape=(batch + more[0], height, length + more[1], channels))
    a, b = make_input(small, "float32"), make_input(large, "float32")
    assert np.array_equal(a, b[:batch, :, :length])


def test_the_images_of_a_batch_differ():
    made = make_input(ArraySpec("normal", (2, 1, 50, 1), (1.0,)), "float32")
    assert not np.array_equal(made[0], made[1])


def test_the_same_seed_makes_the_same_bits_and_another_makes_others():
    spec = ArraySpec("normal", (1, 1, 8, 1), (1.0,), seed=1)
    first = digest(make_input(spec, "float32"))
    assert digest(make_input(spec, "float32")) == first
    assert digest(make_input(replace(spec, seed=2), "float32")) != first


def test_a_digest_tells_dtype_shape_and_bytes_apart():
    zeros = np.zeros((2, 3), np.float32)
    other = zeros.copy()
    other[0, 0] = -0.0
    different = [zeros, zeros.reshape(3, 2), zeros.astype(np.float16), other, zeros.view(np.uint32)]
    assert len({digest(array) for array in different}) == len(different)
    assert digest(np.ones((4, 4))[:, :2]) == digest(np.ones((4, 2)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_values_are_rounded_once_to_the_cases_dtype(dtype):
    made = make_array(ArraySpec("values", (3,), (0.1, -1.1043, 3.0)), dtype)
    assert made.dtype.name == dtype
    assert np.array_equal(made, np.array([0.1, -1.1043, 3.0]).astype(arrays.numpy_dtype(dtype)))


@pytest.mark.parametrize(
    ("dtype", "fits", "too_large"),
    [
        ("float16", 65504.0, 65520.0),
        ("bfloat16", 3.3895313892515355e38, 3.4e38),
        ("float32", 3.4028234663852886e38, 3.41e38),
    ],
)
def test_a_value_beyond_the_dtype_is_refused_not_made_infinite(load, dtype, fits, too_large):
    text = "filter: [1]\ninput: [1.0, %r]\ndtype: %s\n"
    assert float(make_tensors(load(text % (fits, dtype))).input_nhwc[0, 0, 1, 0]) == fits
    with pytest.raises(CaseError, match=f"case.yaml:2:8: a value is beyond the range of {dtype}"):
        make_tensors(load(text % (too_large, dtype)))


def test_a_scale_that_overflows_is_refused_without_a_warning(load):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("normal: 1.0e+308", "ramp: 1.0e+308"):
            case = load(f"filter: [1]\ninput: {{{kind}, scale: 1.0e+308}}\nlengths: 9\n")
            with pytest.raises(CaseError, match="NaN or infinity in the data"):
                make_tensors(case)


@pytest.mark.parametrize(
    "text",
    [
        "filter: [1, 2]\ninput: {ones: true}\nlengths: 1000000000\nbatch: 100000\n",
        "filter: {ones: true, shape: [100000, 100000, 100, 1]}\n"
        "input: {ones: true}\nlengths: 100000\nheight: 100000\n",
        "filter: {zeros: true, shape: [1, 1, 1, 1000000000]}\n"
        "input: {ones: true}\nlengths: 100000\n",
    ],
)
def test_a_case_too_big_for_memory_is_refused_with_its_size_before_allocating(load, text):
    case = load(text)
    tracemalloc.start()
    try:
        with pytest.raises(
            CaseError, match=r"too big: input .*need about [\d.e+]+ [TPE]B; .* avail"
        ):
            refuse_too_big(case)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_what_is_refused_depends_on_the_memory_there_is(load, monkeypatch):
    case = load("filter: [1, 2]\ninput: {ones: true}\nlengths: 1000\n")
    refuse_too_big(case)
    monkeypatch.setattr(arrays, "_available_bytes", lambda: 10_000)
    with pytest.raises(CaseError, match="10 kB is available"):
        refuse_too_big(case)


def test_loading_a_big_case_makes_no_array(load):
    tracemalloc.start()
    try:
        load("filter: {normal: 1, shape: [9, 9, 512, 512]}\ninput: {normal: 1}\nlengths: 100000\n")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000  # the filter alone is 85 MB
    finally:
        tracemalloc.stop()


def test_vary_replaces_what_is_given_and_grows_a_generated_input(load):
    case = load("filter: [1, 2, 3]\ninput: {ramp: 1}\nlengths: 7\n")
    varied = vary(case, lengths=(5, 9), batches=(1, 4), devices=(Device("gpu"),))
    assert (varied.lengths, varied.batches, varied.devices) == ((5, 9), (1, 4), (Device("gpu"),))
    assert varied.input.shape == (4, 1, 9, 1)
    assert vary(case) == case


@pytest.mark.parametrize(
    ("lengths", "batches", "words"),
    [((2, 9), (1,), "length 2 is below the width 3"), ((9,), (1,), "fixed"), ((5,), (2,), "fixed")],
)
def test_vary_refuses_what_the_case_cannot_give(load, lengths, batches, words):
    case = load("filter: [1, 2, 3]\ninput: [1, 2, 3, 4, 5]\n")
    with pytest.raises(ConvdiffError, match=words):
        vary(case, lengths, batches)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_nan_and_infinity_that_are_written_down_are_data(load, dtype):
    text = "filter: [[1, .nan], [.inf, -.INF]]\ninput: [[.NaN, 1.0, +.inf], [1, 2, 3]]\n"
    text += "bias: [-.inf]\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        case = load(f"{text}dtype: {dtype}\n")
        tensors = make_tensors(case)
        assert not list(rounding_notes(case, tensors))
    expected = [1, np.nan, np.inf, -np.inf]
    assert np.array_equal(tensors.filter_hwio.reshape(-1).astype(float), expected, equal_nan=True)
    first = tensors.input_nhwc[0, 0, :, 0].astype(float)
    assert np.array_equal(first, [np.nan, 1, np.inf], equal_nan=True)
    assert tensors.bias is not None and np.isneginf(tensors.bias.astype(float)).all()


def test_a_finite_value_that_a_scale_makes_infinite_is_refused_beside_an_infinity(load, tmp_path):
    path = "filter: {file: w.npy, scale: 1.0e+300}\ninput: {ones: true}\nlengths: 9\n"
    for values, refused in (([1e300, np.inf], True), ([1.0, np.inf], False)):
        np.save(tmp_path / "w.npy", np.array(values))
        case = load(path + "dtype: float64\n")
        if refused:
            with pytest.raises(CaseError, match="lead beyond float64"):
                make_tensors(case)
        else:
            assert np.isinf(make_tensors(case).filter_hwio).any()
