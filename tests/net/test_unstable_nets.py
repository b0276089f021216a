"""A side that differs from itself is called unstable, and neither looking nor a layer is blamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import Ran, convdiff
from soak import one_in

NET = """
name: two
input: {normal: 1, seed: 7}
lengths: 12
height: 5
layers:
  - conv2d: {filter: {normal: 0.3, shape: [3, 3, 4, 5], seed: 1}, padding: same, name: first}
  - batch_norm: {scale: 1.5, shift: 0.1, mean: 0.2, variance: 0.8}
  - relu
  - conv2d: {filter: {normal: 0.2, shape: [3, 3, 5, 6], seed: 2}, padding: same, name: second}
  - relu
  - conv2d: {filter: {normal: 0.2, shape: [1, 1, 6, 7], seed: 3}, name: last}
"""
KERNELS = '''
"""Right kernels, of which one sums in another order now and then, or each time."""

import numpy as np

CALLS = []
ODD = {odd}


def loop(x, w, b, padding, order):
    x = np.pad(x, [(0, 0), *padding, (0, 0)])
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    taps = list(np.ndindex(*w.shape[:3]))
    y = np.float32(0)
    for at in order(len(taps)):
        i, j, c = taps[at]
        y = y + x[:, i : i + rows, j : j + columns, c, None] * w[i, j, c]
    return y if b is None else y + b


def right(x, w, b, padding=((0, 0), (0, 0))):
    return loop(x, w, b, padding, range)


def reverse(count):
    return range(count)[::-1]


def shuffled(count):
    return np.random.default_rng().permutation(count)


def reordered(x, w, b, padding=((0, 0), (0, 0))):
    return loop(x, w, b, padding, reverse if w.shape[3] == 6 else range)


def noisy(x, w, b, padding=((0, 0), (0, 0))):
    return loop(x, w, b, padding, shuffled if w.shape[3] == 6 else range)


def noisy_and_reordered(x, w, b, padding=((0, 0), (0, 0))):
    orders = {{5: reverse, 6: shuffled}}
    return loop(x, w, b, padding, orders.get(w.shape[3], range))


def odd_call(x, w, b, padding, usual):
    CALLS.append(w.shape[3])
    is_odd = w.shape[3] == 6 and CALLS.count(6) == ODD
    return loop(x, w, b, padding, (lambda n: np.roll(range(n), 7)) if is_odd else usual)


def once(x, w, b, padding=((0, 0), (0, 0))):
    return odd_call(x, w, b, padding, range)


def once_and_reordered(x, w, b, padding=((0, 0), (0, 0))):
    return odd_call(x, w, b, padding, reverse if w.shape[3] == 6 else range)
'''


def traced(folder: Path, *kernels: str, odd: int = 0, more: tuple[str, ...] = ()) -> Any:
    (folder / "net.yaml").write_text(NET)
    (folder / "patients.py").write_text(KERNELS.format(odd=odd))
    words = [word for kernel in kernels for word in ("--kernel", f"patients:{kernel}")]
    ran: Ran = convdiff("trace", "net.yaml", *words, *more, "--json", "-", cwd=folder)
    return ran, json.loads(ran.out)


def statuses(pair: dict[str, Any]) -> dict[str, str]:
    return {layer["name"]: layer["status"] for layer in pair["layers"]}


@pytest.mark.slow
def test_a_side_that_differs_from_itself_is_unstable_from_there_on(tmp_path: Path):
    ran, report = traced(tmp_path, "right", "noisy")
    (pair,) = report["pairs"]
    assert statuses(pair) == {
        "first": "untouched",
        "batch_norm_1": "untouched",
        "relu_1": "untouched",
        "second": "unstable",
        "relu_2": "unstable",
        "last": "unstable",
    }
    assert pair["entered"] == [] and report["entries"] == []
    assert (pair["verdict"], ran.code) == ("unstable", 1)
    (noise,) = report["unstable"]
    assert (noise["begins"], noise["layers"]) == (["second"], ["second", "relu_2", "last"])
    assert not report["looks_less"], "nor is it blamed on looking"
    assert all(run["changed"] == 0 for run in report["looking"])
    assert "second differs from one run to the next (#2)" in report["answer"]


@pytest.mark.slow
def test_what_enters_before_is_told_all_the_same(tmp_path: Path):
    _, report = traced(tmp_path, "right", "noisy_and_reordered")
    (pair,) = report["pairs"]
    assert pair["entered"] == ["first"] and pair["verdict"] == "unstable"
    (entry,) = report["entries"]
    assert (entry["layer"], entry["verdict"], entry["proved"]) == ("first", "rounding", True)
    assert statuses(pair)["relu_1"] == "carried" and statuses(pair)["second"] == "unstable"


@pytest.mark.slow
def test_lengths_of_one_unstable_runtime_blame_no_layer(tmp_path: Path):
    more = ("--lengths", "9,10,12")
    ran, report = traced(tmp_path, "noisy", more=more)
    assert {pair["verdict"] for pair in report["pairs"]} == {"unstable"}
    assert report["entries"] == [] and ran.code == 1


@pytest.mark.slow
def test_repeats_say_where_the_noise_enters(tmp_path: Path):
    (tmp_path / "net.yaml").write_text(NET + "repeat: 3\n")
    (tmp_path / "patients.py").write_text(KERNELS.format(odd=0))
    words = ("trace", "net.yaml", "--kernel", "patients:noisy", "--json", "-")
    report = json.loads(convdiff(*words, cwd=tmp_path).out)
    for pair in report["pairs"]:
        assert (pair["entered"], pair["verdict"]) == (["second"], "unstable")


@one_in(2, "odd", range(1, 9))
def test_one_odd_call_blames_nothing_whichever_it_is(tmp_path: Path, odd: int):
    """Digests, bits, reruns, runs with nothing looked at and the layer alone: each may be odd."""
    _, equal = traced(tmp_path, "right", "once", odd=odd)
    assert equal["entries"] == [] and not equal["looks_less"]
    assert equal["pairs"][0]["verdict"] in ("unstable", "same")
    assert (equal["pairs"][0]["verdict"] == "unstable") == (odd <= 2)
    _, other = traced(tmp_path, "right", "once_and_reordered", odd=odd)
    assert not other["looks_less"] and all(run["changed"] == 0 for run in other["looking"])
    verdict = other["pairs"][0]["verdict"]
    for entry in other["entries"]:
        proved = (entry["verdict"], entry["alone"], entry["proved"]) == ("rounding", "same", True)
        assert proved or entry["verdict"] == "unstable", (odd, entry)
    assert verdict == ("unstable" if other["unstable"] else other["entries"][0]["verdict"])
