"""`convdiff pad` as a user calls it: what it refuses, and the nine-layer net in TensorFlow."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from program import REPOSITORY, Ran, convdiff

NINE = REPOSITORY / "cases" / "nine_layer_net.yaml"
SSE41 = ("--vary", "TF_ENABLE_ONEDNN_OPTS=0", "--vary", "ONEDNN_MAX_CPU_ISA=SSE41")
"""TensorFlow 2 without oneDNN's convolutions, and with Eigen's own matrix product on any CPU."""
DATA = "20,64,65,128,129,400"
PAPER = [452, 516, 580, 836]


def pad(*arguments: object) -> Ran:
    return convdiff("pad", NINE, "--data", DATA, *arguments)


def answer(*arguments: object) -> dict[str, Any]:
    ran = pad("--format", "json", *arguments)
    assert ran.code == 0, ran.err
    (runtime,) = json.loads(ran.out)["runtimes"]
    return runtime


def lengths(runtime: dict[str, Any]) -> list[int]:
    return [group["length"] for group in runtime["groups"]]


def shows_the_askers_picture(runtime: dict[str, Any]) -> None:
    assert [group["paper_minimum"] for group in runtime["groups"]] == PAPER
    assert lengths(runtime) == [516, 516, 580, 836]
    rule = runtime["rule"]
    assert (rule["least"], rule["least_positions"]) == (516, 2)
    assert (rule["multiple"], rule["more"]) == (64, 388)
    below = runtime["groups"][0]["differing_below"]
    assert [miss["length"] for miss in below] == list(range(452, 516))
    assert not runtime["above"]["relapses"]
    assert runtime["tail"]["held"] == runtime["tail"]["of"] == 6
    assert runtime["tail"]["differing_at_one_position"] > 20
    assert runtime["unseen_inputs"] == 16 and runtime["unseen_runs"] == 64


@pytest.mark.framework
def test_tf1_needs_two_output_positions(tf1_python):
    shows_the_askers_picture(answer("--python", tf1_python))


@pytest.mark.framework
def test_tf2_without_onednn_needs_two_output_positions():
    shows_the_askers_picture(answer(*SSE41))


@pytest.mark.framework
def test_padding_with_a_value_of_weight_differs_by_more_than_a_ten_thousandth(tf1_python):
    runtime = answer("--python", tf1_python, "--value", -150)
    assert lengths(runtime) == [516, 516, 580, 836]
    assert max(miss["max_abs"] for miss in runtime["groups"][0]["differing_below"]) > 1e-4


@pytest.mark.framework
def test_onnxruntime_needs_no_more_than_the_paper_minimum():
    runtime = answer("--framework", "onnxruntime")
    assert lengths(runtime) == PAPER
    assert runtime["rule"]["least"] == runtime["rule"]["positions_beyond"] == 0


@pytest.mark.framework
def test_thorough_tries_every_longer_length(tf1_python):
    runtime = answer("--python", tf1_python, "--thorough", "--fixed", 900)
    assert runtime["above"]["every_length_at"] == [20, 128, 400]
    assert runtime["above"]["runs"] == 2 * (899 - 516) + (899 - 836)
    assert not runtime["above"]["relapses"]


HEADER = "input: {normal: 1.0}\nlengths: [64]\nlayers:\n"
SMALL = """
name: small
input: {normal: 1.0}
lengths: [64]
layers:
  - conv2d: {filter: [1.0, 2.0, 3.0]}
  - max_pool: {size: [1, 2]}
  - conv2d: {filter: [1.0, -1.0, 2.0]}
  - max_pool: {size: [1, 2]}
"""
"""Of a field of 10 and a stride of 4."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


@pytest.mark.slow
def test_numpy_gives_the_same_bits_at_every_length(small):
    ran = convdiff("pad", small, "--data", "3..16", "--framework", "numpy", "--value", 0.5)
    assert ran.code == 0
    for text in (
        "receptive field 10, stride 4",
        "data of 3..16, then 0.5 up to 64",
        "small: pad every input to 22: then all outputs of data of 3..16 are\nbit-identical",
        "L_min, the paper minimum is enough",
        "L_min = 4·⌈data/4⌉ + 6",
        "pad_to_multiple_of=4, then 6 more",
        "bucket_boundaries=[5, 9, 13]",
        "padded to [10, 14, 18, 22]",
        "right for 14 of 14 data",
    ):
        assert text in ran.out


@pytest.mark.slow
def test_what_is_written_as_python_pads_as_it_says(small):
    asked = ("--data", "3,4,5,16", "--framework", "numpy", "--format", "python")
    scope: dict[str, Any] = {}
    exec(convdiff("pad", small, *asked).out, scope)
    assert [scope["padded_length"](data) for data in (3, 4, 5, 16)] == [10, 10, 14, 22]
    with pytest.raises(AssertionError):
        scope["padded_length"](6)
    buckets = zip([*scope["bucket_boundaries"], 17], scope["padded_lengths"], strict=True)
    assert list(buckets) == [(5, 10), (6, 14), (17, 22)]


@pytest.mark.slow
def test_a_grid_that_moves_with_the_length_is_named(tmp_path: Path):
    file = tmp_path / "moving.yaml"
    file.write_text(f"{HEADER}  - conv2d: {{filter: [1.0, 2.0, 3.0], strides: 2, padding: same}}\n")
    ran = convdiff("pad", file, "--data", "5..9", "--framework", "numpy")
    assert ran.code == 0 and "grid     conv2d_1: starts elsewhere at some lengths" in ran.out


@pytest.mark.slow
def test_csv_has_a_row_a_group(small):
    asked = ("--data", "3..9", "--framework", "numpy", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(convdiff("pad", small, *asked).out)))
    assert [int(row["length"]) for row in rows] == [10, 14, 18]
    assert (rows[0]["data_from"], rows[0]["data_to"]) == ("3", "4")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--fixed", 400), "--data 400: the fixed length is 400; name a longer one"),
        (("--fixed", 451, "--data", 20), "--fixed 451: layer conv2d_9: too few positions to read"),
        (("--data", 3000), "--data 3000: the net's input has 2,048 columns"),
        (("--fixed", 10**9), "--fixed 1000000000: too long: it needs about "),
        (("--fixed", 10**18), "--fixed 1000000000000000000: too long: it needs about "),
        (("--format", "jsn"), "did you mean json?"),
        (("--framework", "tensorflw"), "did you mean tensorflow?"),
    ],
)
def test_what_can_not_be_asked_is_refused_in_a_line(arguments, message):
    ran = pad(*arguments)
    assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1


UNBOUNDED = {
    "global_avg_pool": "layer global_avg_pool_1: global_avg_pool reads the whole length",
    "flatten": "layer flatten_1: flatten reads the whole length",
}


@pytest.mark.parametrize("kind", UNBOUNDED)
def test_a_net_that_reads_its_whole_input_is_refused_by_the_layers_name(kind, tmp_path: Path):
    file = tmp_path / "net.yaml"
    file.write_text(f"{HEADER}  - conv2d: {{filter: [1.0, 2.0, 3.0]}}\n  - {kind}\n")
    ran = convdiff("pad", file, "--data", 5)
    assert ran.code == 2 and UNBOUNDED[kind] in ran.err


def test_a_case_of_one_convolution_is_no_net(tmp_path: Path):
    ran = convdiff("pad", REPOSITORY / "cases" / "variable_padding.yaml", "--data", 5)
    assert ran.code == 2 and "no net" in ran.err


def test_a_framework_that_is_not_there_is_untested(tmp_path: Path):
    ran = pad("--python", "/usr/bin/python3", "--framework", "tensorflow")
    assert ran.code == 125 and "untested" in ran.out
