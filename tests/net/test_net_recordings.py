"""A net's recording as one side of a trace: what it proves, what it can't, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import Ran, convdiff
from safetensors import safe_open
from safetensors.numpy import save_file

from convdiff.recording.sealed import _seal

pytestmark = pytest.mark.slow

NET = """
name: small
input: {normal: 1, seed: 1}
lengths: [8, 12]
layers:
  - conv2d: {filter: {normal: 1, shape: [1, 3, 2, 4], seed: 2}, bias: [1, 2, 3, 4], name: first}
  - relu
  - conv2d: {filter: {normal: 1, shape: [1, 3, 4, 4], seed: SEED}, name: second}
  - sqrt: {name: root, from: relu_1}
  - tanh: {from: second}
"""
KERNELS = '''
import numpy as np


def loop(x, w, b, order=list):
    columns = x.shape[2] - w.shape[1] + 1
    y = np.float32(0)
    for j, c in order(list(np.ndindex(*w.shape[1:3]))):
        y = y + x[:, :, j : j + columns, c, None] * w[0, j, c]
    return y if b is None else y + b


def backwards(x, w, b):
    """Adds backwards in the second layer alone."""
    return loop(x, w, b, reversed if w.shape[2] == 4 else list)


def shifted(x, w, b):
    """Has another bias in the second layer alone."""
    return loop(x, w, b) + np.float32(0.01 * (w.shape[2] == 4))
'''


FIRST = """

def other_first(x, w, b):
    \"\"\"Adds backwards in the first layer alone.\"\"\"
    return loop(x, w, b, reversed if w.shape[2] == 2 else list)


def wrong_second(x, w, b):
    \"\"\"And has another bias in the second.\"\"\"
    return other_first(x, w, b) + np.float32(0.01 * (w.shape[2] == 4))
"""


def ran(folder: Path, *arguments: object) -> Ran:
    return convdiff("trace", *arguments, cwd=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the net and the recordings of what adds forwards."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "net.yaml").write_text(NET.replace("SEED", "3"))
    (folder / "other.yaml").write_text(NET.replace("SEED", "4"))
    (folder / "kernels.py").write_text(KERNELS + FIRST)
    for name, more in (("all", ()), ("few", ("--layers", "first"))):
        arguments = ("net.yaml", "--kernel", "kernels:loop", "--save", f"{name}.safetensors")
        saved = ran(folder, *arguments, *more)
        assert saved.code == 0, saved.err
    return folder


def against(folder: Path, kernel: str, *more: object, recording: str = "all") -> dict[str, Any]:
    arguments = ("net.yaml", "--kernel", kernel, "--baseline", f"{recording}.safetensors")
    found = ran(folder, *arguments, *more, "--json", "-")
    return dict(json.loads(found.out), code=found.code)


def recorded_pairs(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [pair for pair in report["pairs"] if pair["axis"] == "baseline"]


def statuses(pair: dict[str, Any]) -> dict[str, str]:
    return {layer["name"]: layer["status"] for layer in pair["layers"]}


def test_the_same_bits_again_are_the_same(folder: Path):
    report = against(folder, "kernels:loop")
    assert report["code"] == 0
    pairs = recorded_pairs(report)
    assert sorted(pair["candidate"]["length"] for pair in pairs) == [8, 12]
    assert all(set(statuses(pair).values()) == {"untouched"} for pair in pairs)
    assert all(pair["baseline"]["runtime"].endswith("[recorded=all.safetensors]") for pair in pairs)


def test_another_order_enters_where_it_is(folder: Path):
    report = against(folder, "kernels:backwards", "--lengths", "12")
    assert report["code"] == 1
    (pair,) = recorded_pairs(report)
    layers = ("untouched", "untouched", "entered", "untouched", "carried")
    assert tuple(statuses(pair).values()) == layers
    assert pair["verdict"] == "rounding" and not pair["allowed"]
    (entry,) = report["entries"]
    assert (entry["layer"], entry["verdict"], entry["alone"]) == ("second", "rounding", "same")
    assert not entry["proved"]  # nobody can be asked how the recorded side adds


def test_another_bias_is_wrong_and_not_rounding(folder: Path):
    report = against(folder, "kernels:shifted", "--lengths", "8")
    (pair,) = recorded_pairs(report)
    assert (report["code"], pair["verdict"], pair["entered"]) == (1, "wrong", ["second"])


def test_a_layer_that_passes_a_difference_on_is_held_against_what_it_reads(folder: Path):
    report = against(folder, "kernels:other_first", "--lengths", "12")
    (pair,) = recorded_pairs(report)
    assert statuses(pair)["second"] == "carried"
    assert (pair["verdict"], [one["layer"] for one in report["entries"]]) == ("rounding", ["first"])
    report = against(folder, "kernels:wrong_second", "--lengths", "12")
    (pair,) = recorded_pairs(report)
    verdicts = {one["layer"]: one["verdict"] for one in report["entries"]}
    assert (pair["verdict"], verdicts) == ("wrong", {"first": "rounding", "second": "wrong"})


def test_what_passes_a_difference_on_without_its_bits_is_not_known(folder: Path):
    report = against(folder, "kernels:other_first", "--lengths", "12", recording="few")
    (pair,) = recorded_pairs(report)
    verdicts = {one["layer"]: one["verdict"] for one in report["entries"]}
    assert (pair["verdict"], verdicts) == ("untested", {"first": "rounding", "second": "untested"})


def test_a_digest_alone_names_the_layer_and_no_more(folder: Path):
    report = against(folder, "kernels:backwards", "--lengths", "12", recording="few")
    (pair,) = recorded_pairs(report)
    assert (report["code"], pair["verdict"], pair["entered"]) == (1, "untested", ["second"])
    (entry,) = report["entries"]
    assert "digest and not its bits" in entry["reason"]
    assert sum(bool(layer["growth"]) for layer in pair["layers"]) == 1  # the output's bits are kept


def test_another_runtime_is_held_against_the_recorded_one(folder: Path):
    arguments = ("net.yaml", "--framework", "numpy", "--baseline", "all.safetensors", "--json", "-")
    report = json.loads(ran(folder, *arguments).out)
    assert {pair["candidate"]["runtime"] for pair in recorded_pairs(report)} == {"numpy:cpu"}
    assert [one["id"] for one in report["runtimes"]] == [
        "numpy:cpu",
        "kernels:loop:cpu[recorded=all.safetensors]",
    ]


def test_one_run_alone_is_recorded_and_that_is_fine(folder: Path):
    arguments = ("net.yaml", "--framework", "numpy", "--lengths", "9", "--save", "one.safetensors")
    found = ran(folder, *arguments)
    assert found.code == 0
    assert "recorded, and compared with nothing" in found.out
    assert "recorded 1 run of 5 layers, all their bits: one.safetensors" in found.err


def test_another_input_is_not_compared(folder: Path):
    (folder / "moved.yaml").write_text(NET.replace("seed: 1}", "seed: 7}").replace("SEED", "3"))
    found = ran(folder, "moved.yaml", "--kernel", "kernels:loop", "--baseline", "all.safetensors")
    assert found.code == 125
    assert "it was recorded of another input" in found.out


REFUSED = {
    ("other.yaml", "--baseline", "all.safetensors"): "records another net",
    ("net.yaml", "--baseline", "all.safetensors", "--strict"): "recorded without --strict",
    ("net.yaml", "--baseline", "all.safetensors", "--lengths", "9"): "it has length 12, 8",
    ("net.yaml", "--baseline", "none.safetensors"): "No such file",
    ("net.yaml", "--baseline", "net.yaml"): "name a net's recording *.safetensors",
    ("net.yaml", "--save", "x.json"): "name a net's recording *.safetensors",
    ("net.yaml", "--save", "none/x.safetensors"): "the folder none does not exist",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_can_not_be_held_against_it_is_refused(folder: Path, arguments: tuple[str, ...]):
    found = ran(folder, *arguments, "--framework", "numpy")
    assert found.code == 2
    assert REFUSED[arguments] in found.err
    assert len(found.err.splitlines()) == 1


def test_a_recording_of_cases_is_none_of_a_net(folder: Path):
    (folder / "case.yaml").write_text("filter: [1, 2]\ninput: {ramp: 1}\nlengths: [5, 6]\n")
    convdiff("run", "case.yaml", "--framework", "numpy", "--save", "case.safetensors", cwd=folder)
    found = ran(folder, "net.yaml", "--framework", "numpy", "--baseline", "case.safetensors")
    assert (found.code, "not a convdiff recording of a net" in found.err) == (2, True)
    back = convdiff("show", "all.safetensors", cwd=folder)
    assert (back.code, "not a convdiff recording" in back.err) == (2, True)


Change = Callable[[dict[str, Any], dict[str, np.ndarray]], None]


def flipped(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    next(iter(arrays.values())).view(np.uint8).flat[0] ^= 1


def renamed(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["0/else"] = arrays.pop("0/first")


def digest_changed(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    header["runs"][0]["layers"]["first"] = "0" * 32


def unsealed(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    header.pop("sha256")


def too_short(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    header["runs"][0]["length"] = 1
    body = {key: value for key, value in header.items() if key != "sha256"}
    header["sha256"] = _seal(body)


@pytest.mark.parametrize("change", [too_short, flipped, renamed, digest_changed, unsealed])
def test_what_was_changed_in_it_is_noticed(folder: Path, change: Change):
    with safe_open(folder / "all.safetensors", framework="numpy") as file:
        header = json.loads(file.metadata()["convdiff"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, arrays)
    save_file(arrays, folder / "changed.safetensors", {"convdiff": json.dumps(header)})
    found = ran(folder, "net.yaml", "--framework", "numpy", "--baseline", "changed.safetensors")
    assert found.code == 2
    assert len(found.err.splitlines()) == 1


def test_a_recording_is_left_as_it_is_where_no_run_gave_anything(folder: Path, tmp_path: Path):
    kept = tmp_path / "kept.safetensors"
    kept.write_bytes(b"as it was")
    (folder / "dies.py").write_text("import os\n\n\ndef at_once(x, w, b):\n    os._exit(7)\n")
    found = ran(folder, "net.yaml", "--kernel", "dies:at_once", "--save", kept)
    assert found.code == 125
    assert "nothing was recorded" in found.err
    assert kept.read_bytes() == b"as it was"
