"""A case as a script of its own: it computes the bits that the runtimes gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import CAPPED, lasting
from soak import WHOLE

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.load import case_of
from convdiff.case.model import Case
from convdiff.compare.align import shared
from convdiff.lab.jobs import observe
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell
from convdiff.report.script import script
from convdiff.report.script_calls import CALLS
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Runtime

CASES = {
    "plain": "filter: {normal: 1, shape: [2, 3, 4, 6], seed: 1}\nbias: {normal: 1, shape: [6]}\n"
    "input: {normal: 1, seed: 2}\nheight: 5\nlengths: [7, 9]\n",
    "moved": "filter: {normal: 1, shape: [3, 3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nheight: 6\nlengths: [9]\nbatch: [1, 3]\n"
    "strides: [2, 2]\npadding: [[2, 1], [0, 3]]\n",
    "depthwise": "filter: {normal: 1, shape: [3, 3, 1, 8], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nheight: 6\nlengths: [9, 12]\ngroups: 4\npadding: same\n",
    "in one dimension": "op: conv1d\nfilter: {normal: 1, shape: [3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: [9, 11]\ndilations: 2\n",
    "of three": "op: conv3d\nfilter: {normal: 1, shape: [2, 2, 3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\ndepth: 3\nheight: 4\nlengths: [5, 6]\n",
    "causal": "op: conv1d\nfilter: {normal: 1, shape: [3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: [9, 11]\npadding: causal\n",
    "not finite": "filter: {normal: 1, shape: [1, 3, 1, 2], seed: 1}\n"
    "input: [[[[1], [.nan], [3], [.inf], [5], [6], [-.inf], [8]]]]\nlengths: [7, 8]\n",
    "dense": "op: dense\nfilter: {normal: 1, shape: [64, 3], seed: 1}\nbias: [1, 2, 3]\n"
    "input: {normal: 1, seed: 2}\nlengths: [1, 5]\n",
}
TRANSPOSED = {
    "spread": "op: conv2d_transpose\nfilter: {normal: 1, shape: [3, 3, 4, 6], seed: 1}\n"
    "bias: {normal: 1, shape: [6]}\ninput: {normal: 1, seed: 2}\nheight: 4\nlengths: [5, 7]\n"
    "strides: [2, 3]\n",
    "spread, the same": "op: conv2d_transpose\nfilter: {normal: 1, shape: [4, 3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nheight: 4\nlengths: [5, 7]\nstrides: 2\npadding: same\n",
    "spread and cut": "op: conv2d_transpose\nfilter: {normal: 1, shape: [3, 4, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nheight: 4\nlengths: [5]\nbatch: [1, 2]\nstrides: 2\n"
    "padding: [[1, 0], [2, 1]]\n",
    "spread along one": "op: conv1d_transpose\nfilter: {normal: 1, shape: [5, 3, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nlengths: [6, 8]\nstrides: 2\n",
    "spread along three": "op: conv3d_transpose\n"
    "filter: {normal: 1, shape: [2, 2, 3, 2, 4], seed: 1}\n"
    "input: {normal: 1, seed: 2}\ndepth: 3\nheight: 4\nlengths: [5, 6]\nstrides: [1, 2, 2]\n",
}
GROUPS = {
    "spread in groups": "op: conv2d_transpose\nfilter: {normal: 1, shape: [3, 3, 2, 6], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nheight: 4\nlengths: [5, 7]\nstrides: 2\ngroups: 2\n",
    "spread and longer": "op: conv2d_transpose\nfilter: {normal: 1, shape: [3, 3, 2, 6], seed: 1}\n"
    "input: {normal: 1, seed: 2}\nheight: 4\nlengths: [5, 7]\nstrides: 2\n"
    "output_padding: [1, 0]\n",
}
"""What TensorFlow has no op for."""
BASE = "filter: {normal: 1, shape: [2, 3, 4, 6], seed: 1}\ninput: {normal: 1, seed: 2}\n"
BASE += "height: 5\nlengths: [7, 9]\nbatch: [1, 2]\n"
WITH_BIAS = "bias: {normal: 1, shape: [6]}\n"
STEPS = {
    "relu": f"{BASE}then: relu\n",
    "relu with a bias": f"{BASE}{WITH_BIAS}then: relu\n",
    "relu6": f"{BASE}{WITH_BIAS}then: relu6\n",
    "add": f"{BASE}then: {{add: {{normal: 1, shape: [2, 4, 7, 6], seed: 4}}}}\n",
    "add to each": f"{BASE}{WITH_BIAS}then: {{add: {{normal: 1, shape: [6], seed: 4}}}}\n",
    "add to a dense": CASES["dense"] + "then: {add: {normal: 1, shape: [3], seed: 4}}\n",
}
SHORT = {
    "short": "dtype: bfloat16\n" + CASES["plain"],
    "short, spread": "dtype: bfloat16\n" + TRANSPOSED["spread"],
    "short, dense": "dtype: bfloat16\n" + CASES["dense"],
    "short, relu": "dtype: bfloat16\n" + STEPS["relu with a bias"],
    "short, add": "dtype: bfloat16\n" + STEPS["add"],
}
KINDS = {**CASES, **TRANSPOSED, **GROUPS, **STEPS, **SHORT}


DRIVER = """
import contextlib, io, json, runpy, sys

for path in sys.argv[1:]:
    found, script = [], runpy.run_path(path)
    for side in script["SIDES"]:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            script["outputs"](side)
        found.append([script["bits"](value) for value in json.loads(said.getvalue())])
    print(json.dumps(found))
"""
"""Computes the sides of several scripts in one process, which imports a framework once."""


FRAMEWORKS = ["tensorflow", "torch", "jax", "onnxruntime", "openvino"]
MODES = {
    "tensorflow": ("xla", "graph"),
    "torch": (
        *("compiled", "channels_last", "input_channels_last", "weights_channels_last"),
        *("input_sliced", "input_channel_slice", "input_permuted", "weights_sliced"),
        *("weights_channel_slice", "weights_permuted"),
        *("deterministic", "mkldnn_off"),  # last: what a process has set stays so
    ),
    "jax": ("default", "high", "highest", "op_by_op"),
    "onnxruntime": ("disabled", "basic", "extended", "all", "constant"),
    "openvino": ("f32", "bf16", "f16", "constant"),
}


@pytest.mark.soak
@pytest.mark.parametrize("framework", MODES)
def test_scripts_give_the_bits_of_each_mode(framework: str, frameworks: Path) -> None:
    specs = lasting(*(f"{framework}:cpu+{mode}" for mode in MODES[framework]))
    if not WHOLE:
        specs = specs[(len(specs) - 1) % 4 :: 4]  # the last is one of them
    _check(specs, ["relu with a bias"], frameworks)


def test_every_mode_is_asked_for() -> None:
    for framework, call in CALLS.items():
        assert set(call.MODES) == set(MODES[framework])


@pytest.mark.soak
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_scripts_give_the_bits_of_the_runtime(framework: str, frameworks: Path) -> None:
    names = [*CASES, *TRANSPOSED, *STEPS]
    names += [] if framework == "tensorflow" else GROUPS
    has_short = framework in ("torch", "jax") or (framework == "tensorflow" and not CAPPED)
    names += SHORT if has_short else []
    spec = framework if lasting(framework) else f"{framework}:cpu+f32"
    turn = FRAMEWORKS.index(framework)
    _check([spec], names if WHOLE else names[turn % 3 :: 3], frameworks)


def test_scripts_of_an_old_tensorflow_run_there(tf1_python: str, tmp_path: Path) -> None:
    names = ["plain", "moved", "in one dimension", "dense", "spread", "spread and cut"]
    names += ["spread, the same", "relu6", "add", "add to each"]
    _check(["tensorflow"], names, tmp_path, tf1_python)


@pytest.fixture
def frameworks(runs_framework: None, tmp_path: Path) -> Path:
    return tmp_path


def _check(specs: list[str], names: list[str], folder: Path, python: str = "") -> None:
    threads = () if specs[0].startswith("jax") else (2,)
    expected = {}
    with Session(interpreters(specs, [python] if python else [], threads, ()), 120) as lab:
        lab.start()
        for number in range(len(specs)):
            for name in names:
                text = KINDS[name] if not python else KINDS[name].replace("dilations: 2\n", "")
                made = _made(text, lab, number)
                path = folder / f"{number}_{name.replace(' ', '_')}.py"
                path.write_text(script(*made, "Two cells."))
                assert "convdiff" not in path.read_text()
                expected[str(path)] = _bits(*made[:3], lab)
    driver = folder / "driver.py"
    driver.write_text(DRIVER)
    done = subprocess.run(
        [python or sys.executable, str(driver), *expected],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "2", "TF_NUM_INTRAOP_THREADS": "2"},
        check=True,
        timeout=180,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"[[")]
    assert dict(zip(expected, found, strict=True)) == expected


def _made(
    text: str, lab: Session, number: int
) -> tuple[Case, Tensors, list[Cell], dict[Runtime, Any]]:
    """Return a case, its arrays, its largest and its smallest cell, and the fingerprint.

    number: which of the runtimes.
    """
    case = case_of(text, Path("case.yaml"))
    standing = lab.availability(case)[number]
    assert standing.available, standing.reason
    large = Cell(standing.runtime, case.conv.op, case.lengths[-1], case.batches[-1])
    small = replace(large, length=case.lengths[0], batch=case.batches[0])
    return case, make_tensors(case), [large, small], {standing.runtime: standing.fingerprint}


def _bits(case: Case, tensors: Tensors, cells: list[Cell], lab: Session) -> list[list[str]]:
    """Return the bits that the runtime gives of what both cells share."""
    answers = observe(case, cells, tensors, lab.pool, _nowhere)
    outputs = {cell: bits for cell, bits, _ in answers}
    columns = shared(case.conv, (cells[0].length, cells[1].length))
    return [[_hex(value) for value in _cut(outputs[one], cells[1].batch, columns)] for one in cells]


def _nowhere(cell: Cell) -> None:
    return None


def _cut(output: object, batch: int, columns: int) -> Array:
    assert isinstance(output, np.ndarray), output
    return output[:batch, :, :columns].reshape(-1)


def _hex(value: np.float32) -> str:
    return value.tobytes()[::-1].hex()
