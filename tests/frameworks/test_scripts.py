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

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.load import case_of
from convdiff.case.model import Case
from convdiff.compare.align import shared
from convdiff.errors import ConvdiffError
from convdiff.lab.jobs import observe
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell
from convdiff.report.script import script
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
    "dense": "op: dense\nfilter: {normal: 1, shape: [64, 3], seed: 1}\nbias: [1, 2, 3]\n"
    "input: {normal: 1, seed: 2}\nlengths: [1, 5]\n",
}
REFUSED = {("onnxruntime", "dense"), ("onnxruntime:cpu+constant", "dense")}


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


@pytest.mark.parametrize("framework", ["tensorflow:cpu+xla", "torch:cpu+compiled", "jax"])
def test_scripts_give_the_bits_of_a_mode(framework: str, frameworks: Path) -> None:
    _check([framework], ["in one dimension"], frameworks)


@pytest.mark.parametrize(
    "framework", ["tensorflow", "torch", "onnxruntime", "onnxruntime:cpu+constant"]
)
def test_scripts_give_the_bits_of_the_runtime(framework: str, frameworks: Path) -> None:
    _check([framework], list(CASES), frameworks)


def test_scripts_of_an_old_tensorflow_run_there(tf1_python: str, tmp_path: Path) -> None:
    _check(["tensorflow"], ["plain", "moved", "in one dimension"], tmp_path, tf1_python)


@pytest.fixture
def frameworks(runs_framework: None, tmp_path: Path) -> Path:
    return tmp_path


def _check(specs: list[str], names: list[str], folder: Path, python: str = "") -> None:
    threads = () if "jax" in specs else (2,)
    paths, expected = [], []
    with Session(interpreters(specs, [python] if python else [], threads, ()), 120) as lab:
        lab.start()
        for name in names:
            text = CASES[name] if not python else CASES[name].replace("dilations: 2\n", "")
            made = _made(text, lab)
            if (specs[0], name) in REFUSED:
                with pytest.raises(ConvdiffError, match="no script"):
                    script(*made, "Two cells.")
                continue
            path = folder / f"{name.replace(' ', '_')}.py"
            path.write_text(script(*made, "Two cells."))
            assert "convdiff" not in path.read_text()
            paths.append(str(path))
            expected.append(_bits(*made[:3], lab))
    driver = folder / "driver.py"
    driver.write_text(DRIVER)
    done = subprocess.run(
        [python or sys.executable, str(driver), *paths],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "2", "TF_NUM_INTRAOP_THREADS": "2"},
        check=True,
        timeout=180,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"[[")]
    assert dict(zip(paths, found, strict=True)) == dict(zip(paths, expected, strict=True))


def _made(text: str, lab: Session) -> tuple[Case, Tensors, list[Cell], dict[Runtime, Any]]:
    """Return a case, its arrays, its largest and its smallest cell, and the fingerprint."""
    case = case_of(text, Path("case.yaml"))
    (standing,) = [one for one in lab.availability(case) if one.available]
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
