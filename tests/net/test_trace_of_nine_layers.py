"""The net behind the question: which layer gives other bits, on which lengths, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import CAPPED as IS_CAPPED
from asking import need
from program import Ran, convdiff

pytestmark = pytest.mark.slow

NET = Path(__file__).parents[2] / "cases" / "nine_layer_net.yaml"
CAPPED = ("--vary", "TF_ENABLE_ONEDNN_OPTS=0", "--vary", "ONEDNN_MAX_CPU_ISA=SSE41")
"""Without AVX-512 TensorFlow's own kernels ask oneDNN for products of matrices; without AVX not."""
DATA = "input: {file: padded.npy}"


def traced(*arguments: str, cwd: Path | None = None, net: Path = NET) -> tuple[Ran, dict[str, Any]]:
    ran = convdiff("trace", net, *arguments, "--json", "-", cwd=cwd)
    return ran, json.loads(ran.out)


def orders(report: dict[str, Any]) -> dict[str, set[str]]:
    (comparison,) = report["entries"][0]["case"]["comparisons"]
    found: dict[str, set[str]] = {"baseline": set(), "candidate": set()}
    for order in comparison["explanation"]["orders"]:
        found[order["side"]].add(order["notation"])
    return found


def check_the_askers_picture(report: dict[str, Any], chain: str) -> None:
    for pair in report["pairs"]:
        short = pair["candidate"]["length"] < 516
        assert pair["entered"] == (["conv2d_9"] if short else [])
        assert all(one["status"] == "untouched" for one in pair["layers"][:-1])
    (entry,) = report["entries"]
    assert (entry["layer"], entry["verdict"]) == ("conv2d_9", "rounding")
    assert entry["proved"]
    assert entry["alone"] == "same"
    assert orders(report) == {"baseline": {chain}, "candidate": {"[([0..15])^10+16 b]"}}
    replayed = entry["case"]["comparisons"][0]["explanation"]["replayed"]
    assert replayed == {"baseline": [800, 800], "candidate": [32, 32]}
    assert all(run["changed"] == 0 for run in report["looking"])


def test_tf1_differs_at_the_last_layer_alone_below_two_output_positions(tf1_python: str):
    ran, report = traced("--python", tf1_python, "--lengths", "452,470,515..517,700,2048")
    assert ran.code == 1
    check_the_askers_picture(report, "[0..159 b]")
    assert report["answer"].startswith("conv2d_9 gives other bits, and nothing before it does")


def test_tensorflow_2_without_onednn_has_the_same_picture():
    need("tensorflow")
    ran, report = traced(*CAPPED, "--lengths", "452,515,516,2048")
    assert ran.code == 1
    chain = "[0..159 b]" if orders(report)["baseline"] == {"[0..159 b]"} else "[0..159 b]*"
    check_the_askers_picture(report, chain)


def test_with_onednn_nothing_differs_where_the_cpu_has_avx512_and_else_it_is_proved():
    need("tensorflow")
    ran, report = traced("--vary", "TF_ENABLE_ONEDNN_OPTS=1", "--lengths", "452,516,1024")
    entries = [(entry["verdict"], entry["proved"]) for entry in report["entries"]]
    assert (set(entries) <= {("rounding", True)}, ran.code) == (True, bool(entries))
    if entries:
        assert IS_CAPPED or "avx512f" not in Path("/proc/cpuinfo").read_text()
        return
    statuses = {one["status"] for pair in report["pairs"] for one in pair["layers"]}
    assert statuses == {"untouched"}


def test_batches_of_several_images_have_several_rows(tf1_python: str):
    """A product of one row is what differs: two images have two."""
    _, report = traced("--python", tf1_python, "--lengths", "452,516", "--batch", "1,2")
    entered = {
        (pair["axis"], pair["candidate"]["length"], pair["candidate"]["batch"]): pair["entered"]
        for pair in report["pairs"]
    }
    assert entered == {
        ("batch", 516, 1): [],
        ("length", 452, 2): [],
        ("length", 452, 1): ["conv2d_9"],
        ("batch", 452, 1): ["conv2d_9"],
    }


def test_two_versions_of_a_framework_are_two_sides(tf1_python: str):
    need("tensorflow")
    ran, report = traced("--python", "this", "--python", tf1_python, "--lengths", "452")
    (pair,) = report["pairs"]
    assert pair["axis"] == "runtime"
    assert pair["entered"][:1] == [pair["layers"][0]["name"]] or pair["entered"]
    assert all(entry["verdict"] == "rounding" for entry in report["entries"])
    assert ran.code == 0  # rounding between runtimes is expected
