"""A residual net of some hundred thousand numbers, with one layer broken on purpose at a time."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import Ran, convdiff, environment
from soak import one_in

pytestmark = pytest.mark.slow
MAKER = Path(__file__).parents[1] / "support" / "residual_models.py"

KERNELS = '''
"""One convolution, right or with one fault, told by the filter where the fault is."""

import numpy as np


def loop(x, w, b, dilations=(1, 1), padding=((0, 0), (0, 0)), order=list, groups=1, strides=(1, 1)):
    x = np.pad(x, [(0, 0), *padding, (0, 0)])
    kh, kw = w.shape[:2]
    rows = x.shape[1] - (kh - 1) * dilations[0]
    columns = x.shape[2] - (kw - 1) * dilations[1]
    y = np.float32(0)
    for i, j, c in order(list(np.ndindex(*w.shape[:3]))):
        top, left = i * dilations[0], j * dilations[1]
        y = y + x[:, top : top + rows, left : left + columns, c, None] * w[i, j, c]
    return y if b is None else y + b


def right(x, w, b, **more):
    return loop(x, w, b, **more)


def dilation(x, w, b, dilations, padding=((0, 0), (0, 0)), **more):
    if dilations != (1, 1):  # and no zeros for it either
        padding = [(1, 1), (1, 1)]
    return loop(x, w, b, (1, 1), padding, **more)


def shifted(x, w, b, **more):
    return loop(x, np.roll(w, 1, axis=1) if w.shape[:2] == (5, 5) else w, b, **more)


def bfloat16(array):
    raw = array.astype(np.float32).view(np.uint32).astype(np.uint64)
    raw = (raw + 0x7FFF + ((raw >> 16) & 1)) >> 16 << 16
    return raw.astype(np.uint32).view(np.float32)


def narrowed(x, w, b, **more):
    if w.shape[3] == 40:
        x, w = bfloat16(x), bfloat16(w)
    return loop(x, w, b, **more)


def reordered(x, w, b, **more):
    return loop(x, w, b, order=reversed if w.shape[3] == 72 else list, **more)
'''


def conv(name: str, kernel: int, channels: tuple[int, int], **more: Any) -> dict[str, Any]:
    shape = [kernel, kernel, *channels]
    scale = (kernel * kernel * channels[0]) ** -0.5
    seed = sum(map(ord, name))
    layer = {
        "filter": {"normal": scale, "shape": shape, "seed": seed},
        "bias": {"normal": 0.1, "shape": channels[1:], "seed": seed + 1},
        "padding": "same",
        "name": name,
    }
    return {"conv2d": {**layer, **more}}


def norm(channels: int) -> dict[str, Any]:
    arrays = {"scale": 1.5, "shift": 0.1, "mean": 0.05, "variance": 0.8}
    return {"batch_norm": {key: {"ones": True, "scale": value} for key, value in arrays.items()}}


LAYERS = [
    conv("stem", 3, (3, 32)),
    norm(32),
    "relu",
    conv("wide", 3, (32, 64)),
    {"relu": {"name": "a"}},
    conv("dilated", 3, (64, 64), dilations=2),
    norm(64),
    "relu",
    conv("block", 3, (64, 64)),
    {"add": {"from": ["block", "a"], "name": "sum"}},
    {"relu": {"name": "b"}},
    conv("five", 5, (64, 48)),
    "tanh",
    conv("narrow", 1, (48, 40)),
    {"max_pool": {"size": 2}},
    conv("order", 3, (40, 72)),
    "relu",
    conv("last", 1, (72, 64)),
    "global_avg_pool",
    conv("logits", 1, (64, 10)),
]
NET = {
    "name": "residual",
    "input": {"uniform": [0.1, 1.0], "seed": 9},
    "height": 8,
    "lengths": 10,
    "layers": LAYERS,
}
FOUND = {
    "dilation": ("dilated", "wrong", "the dilation is ignored"),
    "shifted": ("five", "wrong", ""),
    "narrowed": ("narrow", "precision", ""),
    "reordered": ("order", "rounding", ""),
}


FILES: dict[str, tuple[str, ...]] = {
    "net.yaml": (),
    "residual.keras": ("--input", "nhwc.npy"),
    "residual.onnx": ("--input", "nchw.npy"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("residual")
    (folder / "net.yaml").write_text(json.dumps(NET))
    (folder / "patients.py").write_text(KERNELS)
    data = np.random.default_rng(9).uniform(0.1, 1, (1, 8, 10, 3)).astype("float32")
    np.save(folder / "nhwc.npy", data)
    np.save(folder / "nchw.npy", np.moveaxis(data, 3, 1))
    command = [sys.executable, str(MAKER), str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment())
    return folder


def traced(folder: Path, *arguments: str, net: str = "net.yaml") -> tuple[Ran, dict[str, Any]]:
    ran = convdiff("trace", net, *FILES[net], *arguments, "--json", "-", cwd=folder)
    return ran, json.loads(ran.out)


def check(entry: dict[str, Any], pair: dict[str, Any], fault: str) -> None:
    layer, verdict, fits = FOUND[fault]
    assert pair["entered"] == [entry["layer"]] == [layer]
    assert entry["verdict"] == pair["verdict"] == verdict
    assert entry["alone"] == "same"
    assert entry["proved"] or verdict != "rounding"
    (comparison,) = entry["case"]["comparisons"]
    assert fits in str(comparison["fits"])


@one_in(2, "fault", FOUND)
def test_a_broken_layer_is_named_alone_with_its_verdict(folder: Path, fault: str):
    kernels = ("--kernel", "patients:right", "--kernel", f"patients:{fault}")
    ran, report = traced(folder, *kernels)
    (entry,), (pair,) = report["entries"], report["pairs"]
    check(entry, pair, fault)
    assert ran.code == (0 if pair["verdict"] == "rounding" else 1)


@one_in(2, "net", [name for name in FILES if name != "net.yaml"])
def test_each_broken_layer_of_a_model_file_is_named_with_its_verdict(folder: Path, net: str):
    kernels = [word for fault in ("right", *FOUND) for word in ("--kernel", f"patients:{fault}")]
    ran, report = traced(folder, *kernels, net=net)
    pairs = {pair["candidate"]["runtime"]: pair for pair in report["pairs"]}
    entries = {entry["candidate"]["runtime"]: entry for entry in report["entries"]}
    assert len(pairs) == len(report["entries"]) == len(FOUND)
    for fault in FOUND:
        (side,) = (name for name in pairs if name.startswith(f"patients:{fault}"))
        check(entries[side], pairs[side], fault)
    assert ran.code == 1


@pytest.mark.parametrize("net", FILES)
def test_a_net_has_a_few_hundred_thousand_numbers_and_a_right_one_is_untouched(
    folder: Path, net: str
):
    weights = [layer for layer in LAYERS if isinstance(layer, dict)]
    shapes = [one["conv2d"]["filter"]["shape"] for one in weights if "conv2d" in one]
    assert sum(map(math.prod, shapes)) > 200_000
    ran, report = traced(folder, "--kernel", "patients:right", "--framework", "numpy", net=net)
    assert ran.code == 0
    assert {layer["status"] for layer in report["pairs"][0]["layers"]} == {"untouched"}


def test_two_faults_in_two_branches_are_two_entries(folder: Path, tmp_path: Path):
    layers = [
        {"conv2d": {**LAYERS[0]["conv2d"], "name": "stem"}},  # type: ignore[index]
        conv("five", 5, (32, 48), **{"from": "stem"}),
        conv("order", 3, (32, 72), **{"from": "stem"}),
        {"concat": {"from": ["five", "order"]}},
    ]
    (tmp_path / "net.yaml").write_text(json.dumps({**NET, "layers": layers}))
    both = "\ndef both(*given, **more):\n    fault = shifted if len(given[1]) == 5 else reordered\n"
    both += "    return fault(*given, **more)\n"
    (tmp_path / "patients.py").write_text(KERNELS + both)
    kernels = ("--kernel", "patients:right", "--kernel", "patients:both")
    _, report = traced(tmp_path, *kernels)
    assert {one["layer"]: one["verdict"] for one in report["entries"]} == {
        "five": "wrong",
        "order": "rounding",
    }
    assert report["pairs"][0]["verdict"] == "wrong"
