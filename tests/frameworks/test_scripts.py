"""A case as a script of its own: it prints the bits that the runtimes gave."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convdiff.case.arrays import make_tensors
from convdiff.case.load import case_of
from convdiff.compare.align import shared
from convdiff.errors import ConvdiffError
from convdiff.lab.jobs import observe
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell
from convdiff.report.script import script
from convdiff.runtime.matrix import interpreters

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
REFUSED = {("onnxruntime", "dense")}


@pytest.mark.parametrize(
    "framework",
    ["tensorflow", "tensorflow:cpu+xla", "torch", "torch:cpu+compiled", "jax", "onnxruntime"],
)
def test_a_script_prints_the_bits_of_the_runtime(
    framework: str, runs_framework: None, tmp_path: Path
) -> None:
    with Session(interpreters([framework], (), (2,) if framework != "jax" else (), ()), 120) as lab:
        lab.start()
        for name, text in CASES.items():
            _check(framework, name, text, lab, tmp_path)


def test_a_script_of_an_old_tensorflow_runs_there(tf1_python: str, tmp_path: Path) -> None:
    with Session(interpreters(["tensorflow"], [tf1_python], (), ()), 120) as lab:
        lab.start()
        for name in ("plain", "moved", "in one dimension"):
            text = CASES[name].replace("dilations: 2\n", "")
            _check("tensorflow", name, text, lab, tmp_path, tf1_python)


def _check(
    framework: str, name: str, text: str, lab: Session, folder: Path, python: str = sys.executable
) -> None:
    case = case_of(text, Path("case.yaml"))
    (standing,) = [one for one in lab.availability(case) if one.available]
    tensors = make_tensors(case)
    large = Cell(standing.runtime, case.conv.op, case.lengths[-1], case.batches[-1])
    small = replace(large, length=case.lengths[0], batch=case.batches[0])
    prints = {standing.runtime: standing.fingerprint}
    if (framework, name) in REFUSED:
        with pytest.raises(ConvdiffError, match="no script"):
            script(case, tensors, [large, small], prints, "Two lengths.")
        return
    path = folder / f"{name.replace(' ', '_')}.py"
    path.write_text(script(case, tensors, [large, small], prints, "Two lengths."))
    assert "convdiff" not in path.read_text()
    outputs = {
        cell: bits for cell, bits, _ in observe(case, [large, small], tensors, lab.pool, _nowhere)
    }
    columns = shared(case.conv, (large.length, small.length))
    expected = [_cut(outputs[cell], small.batch, columns) for cell in (large, small)]
    done = subprocess.run(
        [python, str(path)], capture_output=True, text=True, check=False, timeout=120
    )
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    printed = [[row[column] for row in rows] for column in (1, 3)]
    assert printed == [[_hex(value) for value in side] for side in expected], (name, done.stderr)
    assert done.returncode == int(printed[0] != printed[1])


def _nowhere(cell: Cell) -> None:
    return None


def _cut(output: object, batch: int, columns: int) -> Array:
    assert isinstance(output, np.ndarray), output
    return output[:batch, :, :columns].reshape(-1)


def _hex(value: np.float32) -> str:
    return value.tobytes()[::-1].hex()


def test_a_script_is_plain_python_that_python_3_6_reads(tmp_path: Path) -> None:
    from convdiff.report.script import SCRIPT

    fields = dict.fromkeys(("filter", "bias", "input", "shared"), "1")
    words = dict.fromkeys(("python", "packages", "title", "where", "dtype", "sides", "calls"), "")
    ast.parse(SCRIPT.format(**fields, **words), feature_version=(3, 6))
