"""`layout: nchw`: the arrays mean what PyTorch computes of them; shapes that look so are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convdiff.case.arrays import make_tensors, refuse_too_big
from convdiff.case.load import load_case
from convdiff.case.override import vary
from convdiff.compare.fp64 import plain_fp64
from convdiff.errors import CaseError

NCHW = "layout: nchw\n"


def pytorch_conv(x: Any, w: Any, b: Any, strides: Any, dilations: Any, groups: int) -> Any:
    """Return what torch.nn.functional.conv2d does, written from its documentation. NCHW, fp64."""
    n, _, height, width = x.shape
    cout, per_group, kh, kw = w.shape
    rows = (height - dilations[0] * (kh - 1) - 1) // strides[0] + 1
    columns = (width - dilations[1] * (kw - 1) - 1) // strides[1] + 1
    out = np.zeros((n, cout, rows, columns))
    for o, i, j in np.ndindex(cout, rows, columns):
        first = o // (cout // groups) * per_group
        for c, p, q in np.ndindex(per_group, kh, kw):
            row, column = i * strides[0] + p * dilations[0], j * strides[1] + q * dilations[1]
            out[:, o, i, j] += w[o, c, p, q] * x[:, first + c, row, column]
    return out + np.asarray(b)[None, :, None, None]


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a convolution with its arrays as PyTorch has them; small whole numbers, so exact."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    per_group, kh, kw = (draw(st.integers(1, 3)) for _ in range(3))
    cout = groups * draw(st.integers(1, 2))
    strides, dilations = ([draw(st.integers(1, 2)) for _ in range(2)] for _ in range(2))
    height = dilations[0] * (kh - 1) + draw(st.integers(1, 3))
    width = dilations[1] * (kw - 1) + draw(st.integers(1, 3))
    n = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return {
        "x": rng.integers(-8, 9, (n, per_group * groups, height, width)).astype(np.float32),
        "w": rng.integers(-8, 9, (cout, per_group, kh, kw)).astype(np.float32),
        "b": rng.integers(-8, 9, cout).astype(np.float32),
        "strides": strides,
        "dilations": dilations,
        "groups": groups,
    }


def case_text(problem: dict[str, Any], arrays: dict[str, Any]) -> str:
    """Write a case, which JSON is; its batch is the input's."""
    keys = {key: problem[key] for key in ("strides", "dilations", "groups")}
    return json.dumps({"layout": "nchw", **keys, **arrays})


@pytest.mark.parametrize("written", ["inline", "C order", "Fortran order", "npz"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(problem=problems())
def test_the_arrays_mean_what_pytorch_computes_of_them(tmp_path, written, problem):
    arrays = {"filter": problem["w"], "bias": problem["b"], "input": problem["x"]}
    if written == "inline":
        given_arrays = {key: array.tolist() for key, array in arrays.items()}
    elif written == "npz":
        np.savez(tmp_path / "all.npz", **arrays)
        given_arrays = {key: {"file": f"all.npz#{key}"} for key in arrays}
    else:
        for key, array in arrays.items():
            np.save(tmp_path / f"{key}.npy", np.asarray(array, order=written[0]))
        given_arrays = {key: {"file": f"{key}.npy"} for key in arrays}
    path = tmp_path / "case.yaml"
    path.write_text(case_text(problem, given_arrays))
    case = load_case(path)
    found = plain_fp64(case.conv, make_tensors(case))
    settings_of = (problem["strides"], problem["dilations"], problem["groups"])
    wanted = pytorch_conv(problem["x"], problem["w"], problem["b"], *settings_of)
    assert np.array_equal(found.transpose(0, 3, 1, 2), wanted)


def test_a_1d_convolution_is_out_in_k_on_ncl(load):
    w = [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]], [[1, 0, 0], [0, 0, 1]]]
    x = [[[1, 2, 3, 4], [5, 6, 7, 8]]]
    case = load(f"{NCHW}filter: {w}\ninput: {x}\n")
    assert case.conv.filter_shape == (1, 3, 2, 3)
    assert (case.input.shape, case.lengths) == ((1, 1, 4, 2), (4,))
    tensors = make_tensors(case)
    assert tensors.filter_hwio[0, :, :, 1].tolist() == [[7, 10], [8, 11], [9, 12]]
    assert tensors.input_nhwc[0, 0].tolist() == [[1, 5], [2, 6], [3, 7], [4, 8]]


def test_depthwise_filters_are_channels_by_one(load):
    case = load(
        f"{NCHW}filter: {{ones: true, shape: [8, 1, 3, 3]}}\ngroups: 8\n"
        "input: {ones: true, shape: [2, 8, 5, 9]}\n"
    )
    conv = case.conv
    assert (conv.channels_in, conv.channels_out, conv.filter_shape) == (8, 8, (3, 3, 1, 8))
    assert case.input.shape == (2, 5, 9, 8)


def test_flat_and_2d_lists_mean_the_same_either_way(load):
    for arrays in (
        "filter: [1, 2]\ninput: [3, 4, 5]\n",
        "filter: [[1, 2], [3, 4]]\ninput: [[1, 2, 3], [4, 5, 6]]\n",
    ):
        one, other = (make_tensors(load(text + arrays)) for text in ("", NCHW))
        assert np.array_equal(one.filter_hwio, other.filter_hwio)
        assert np.array_equal(one.input_nhwc, other.input_nhwc)


def test_what_is_drawn_has_the_same_numbers_either_way(load):
    """Else a case could not be written in the other layout."""
    one, other = (
        make_tensors(
            load(
                f"{layout}filter: {{normal: 1, shape: {w}, seed: 1}}\n"
                f"input: {{uniform: [0, 1], shape: {x}, seed: 2}}\n"
            )
        )
        for layout, w, x in (
            ("", [2, 3, 4, 5], [1, 6, 7, 4]),
            (NCHW, [5, 4, 2, 3], [1, 4, 6, 7]),
        )
    )
    assert np.array_equal(one.filter_hwio, other.filter_hwio)
    assert np.array_equal(one.input_nhwc, other.input_nhwc)


@pytest.mark.parametrize("index", ["[1, 2, 0, 3]", 1 * 30 + 2 * 10 + 0 * 5 + 3])
def test_delta_points_into_the_shape_as_it_is_written(load, index):
    case = load(
        f"{NCHW}filter: {{ones: true, shape: [1, 3, 1, 1]}}\nbatch: 2\n"
        f"input: {{delta: {index}, shape: [2, 3, 2, 5]}}\n"
    )
    x = make_tensors(case).input_nhwc
    assert (x.sum(), x[1, 0, 3, 2]) == (1, 1)
    grown = make_tensors(vary(case, lengths=(4,), batches=(3,))).input_nhwc
    assert (grown.sum(), grown[1, 0, 3, 2]) == (1, 1)


def test_a_ramp_runs_along_the_length(load):
    case = load(
        f"{NCHW}filter: {{ramp: 1, shape: [2, 2, 1, 3]}}\n"
        "input: {ramp: 10, shape: [1, 2, 1, 4]}\n"
    )
    tensors = make_tensors(case)
    assert tensors.filter_hwio[0, :, 1, 1].tolist() == [0, 1, 2]
    assert tensors.input_nhwc[0, 0, :, 1].tolist() == [0, 10, 20, 30]


def test_lengths_cut_the_width(load):
    case = load(
        f"{NCHW}filter: {{ones: true, shape: [4, 3, 1, 2]}}\ninput: {{normal: 1}}\nlengths: 5..7\n"
    )
    assert case.input.shape == (1, 1, 7, 3)


def shapes(filter_shape: list[int], input_shape: list[int], more: str = "") -> str:
    """Write a case of arrays of these shapes."""
    return (
        f"filter: {{ones: true, shape: {filter_shape}}}\n"
        f"input: {{ones: true, shape: {input_shape}}}\n{more}"
    )


LOOKS = {
    "ResNet's first": ([64, 3, 7, 7], [1, 3, 224, 224], "", "these look like OIHW and NCHW"),
    "square filter": ([3, 3, 3, 3], [1, 3, 8, 8], "", "these look like OIHW and NCHW"),
    "depthwise": ([8, 1, 3, 3], [1, 8, 9, 9], "groups: 8\n", "these look like OIHW and NCHW"),
    "grouped": ([6, 2, 3, 3], [1, 4, 9, 9], "groups: 2\n", "these look like OIHW and NCHW"),
    "batch": ([16, 8, 1, 1], [4, 8, 12, 12], "batch: 4\n", "these look like OIHW and NCHW"),
    "1-D": ([64, 16, 5], [2, 16, 100], "", "these look like OIK and NCL"),
    "1-D on NCHW": ([64, 16, 5], [2, 16, 1, 100], "", "these look like OIK and NCHW"),
    "bias": (
        [4, 2, 2, 2],
        [1, 2, 8, 8],
        "bias: [1, 2, 3, 4]\n",
        "these look like OIHW and NCHW",
    ),
    "channels": ([4, 3, 5, 5], [1, 3, 8, 8], "channels: 3\n", "these look like OIHW and NCHW"),
}


@pytest.mark.parametrize("name", LOOKS)
def test_shapes_that_fit_the_other_way_round_are_told(refusal, name):
    weights, x, more, words = LOOKS[name]
    assert refusal(shapes(weights, x, more)).endswith(f"; {words}: `layout: nchw`")


def test_only_what_has_a_shape_is_said_to_look_like_it(refusal):
    message = refusal(
        "filter: {ones: true, shape: [64, 3, 5, 7]}\n"
        "input: {normal: 1}\nlengths: 32\nheight: 32\nchannels: 3\n"
    )
    assert message.endswith("; this looks like OIHW: `layout: nchw`")
    message = refusal("filter: [[1, 2], [3, 4]]\ninput: {ones: true, shape: [1, 1, 8, 8]}\n")
    assert message.endswith("; this looks like NCHW: `layout: nchw`")


def test_so_it_is_the_other_way_round(refusal):
    message = refusal(NCHW + shapes([3, 3, 2, 8], [1, 20, 21, 2]))
    assert message.endswith("; these look like HWIO and NHWC: `layout: nhwc`")


@pytest.mark.parametrize(
    ("weights", "x"),
    [([5, 3, 2, 4], [1, 8, 8, 3]), ([3, 3, 3, 3], [1, 2, 8, 3]), ([9, 9, 9, 9], [1, 8, 8, 8])],
    ids=str,
)
def test_what_fits_neither_way_is_told_nothing_of_layouts(refusal, weights, x):
    assert "look" not in refusal(shapes(weights, x))


def test_what_fits_as_it_is_says_nothing(load):
    """A 3×3 filter of 3 channels on three rows fits both ways; HWIO and NHWC is what is read."""
    assert load(shapes([3, 3, 3, 3], [1, 3, 3, 3])).input.shape == (1, 3, 3, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            shapes([8, 3, 3, 3], [1, 4, 9, 9]),
            "input has shape 1×4×9×9 NCHW, but the case needs 1×3×9×9 (",
        ),
        (
            shapes([8, 3, 3, 3], [3, 224, 224]),
            "input has shape 3×224×224 NCL; expected NCHW, 4 numbers",
        ),
        (shapes([8, 3, 3, 3], [1, 3, 9, 9], "batch: 2\n"), "the case needs 2×3×9×9 ("),
        (shapes([8, 3, 5], [1, 4, 9]), "input has shape 1×4×1×9 NCHW, but the case needs 1×3×1×9"),
        (shapes([8, 3, 5], [1, 3, 4]), "length 4 is below the filter's width 5"),
    ],
    ids=lambda value: "",
)
def test_shapes_are_spoken_as_the_file_has_them(refusal, text, words):
    assert words in refusal(NCHW + text)


def test_what_is_too_big_is_said_in_the_layout_of_the_file(load):
    case = load(NCHW + shapes([10**6, 10**6, 1, 3], [7, 10**6, 1, 9]))
    with pytest.raises(CaseError, match="input 7×1000000×1×9, filter 1000000×1000000×1×3 and"):
        refuse_too_big(case)


def test_an_unknown_layout_names_those_that_are_known(refusal):
    assert "'layout': expected nhwc or nchw" in refusal(
        "layout: NCHW\n" + shapes([1, 1, 1, 1], [1, 1, 1, 1])
    )


@pytest.mark.parametrize(
    ("key", "layout", "name"),
    [
        ("filter", "", "DHWIO filter"),
        ("input", "", "NDHWC input"),
        ("filter", NCHW, "OIDHW filter"),
        ("input", NCHW, "NCDHW input"),
    ],
)
@pytest.mark.parametrize("written", ["shape", "list", "file"])
def test_a_3d_convolution_is_refused_by_name(refusal, tmp_path, key, layout, name, written):
    np.save(tmp_path / "five.npy", np.ones((1, 1, 1, 1, 1)))
    five = {
        "shape": "{ones: true, shape: [1, 1, 1, 1, 1]}",
        "list": "[[[[[1]]]]]",
        "file": "{file: five.npy}",
    }[written]
    arrays = {"filter": "[1]", "input": "[1, 2]", key: five}
    lines = "".join(f"{one}: {arrays[one]}\n" for one in ("filter", "input"))
    message = refusal(layout + lines + "strides: [1, 1, 1]\n" * (written == "shape"))
    line = 1 + bool(layout) + (key == "input")
    assert message.startswith(f"case.yaml:{line}:")
    assert f"a 3-D convolution ({name}): `op: conv3d`" in message


def test_the_ticket_of_a_pytorch_user(tmp_path: Path):
    """A weight (64, 3, 7, 7) and an input (1, 3, 32, 32) from files: refused, then read."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "w.npy", rng.standard_normal((64, 3, 7, 7), np.float32))
    np.save(tmp_path / "x.npy", rng.standard_normal((1, 3, 32, 32), np.float32))
    text = "filter: {file: w.npy}\ninput: {file: x.npy}\n"
    path = tmp_path / "case.yaml"
    path.write_text(text)
    with pytest.raises(CaseError, match="these look like OIHW and NCHW: `layout: nchw`"):
        load_case(path)
    path.write_text(text + NCHW)
    case = load_case(path)
    assert case.conv.filter_shape == (7, 7, 3, 64)
    assert case.input.shape == (1, 32, 32, 3)
