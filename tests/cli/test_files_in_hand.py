"""Whatever file a command is given: one line that says what to do with it, and exit code 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from program import case_file, convdiff

ONNX = b'\x08\x08\x3a\x92\x04\x0a\x22\x0a\x01x\x0a\x01w\x12\x01y"\x04Conv'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a model of several megabytes and an array."""
    (tmp_path / "m.onnx").write_bytes(ONNX + bytes(2**22))
    np.save(tmp_path / "a.npy", np.ones((1, 6, 6, 4), np.float32))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("run", "m.onnx"), "m.onnx: is not an ONNX model"),
        (("sweep", "m.onnx", "--lengths", "7"), "m.onnx: is not an ONNX model"),
        (
            ("explain", "m.onnx"),
            "m.onnx: an ONNX model, no case; convdiff trace m.onnx compares",
        ),
        (("run", "a.npy"), "a.npy: a NumPy array, no case; it holds float32 1×6×6×4;"),
        (("run", "."), "this folder holds no .yaml case; a.npy in it is a NumPy array;"),
        (("compare", "m.onnx", "a.npy"), "m.onnx: an ONNX model, no recording; `convdiff run CASE"),
        (("compare", "a.npy", "a.npy"), "a.npy: a NumPy array, no recording; `convdiff run CASE"),
        (("show", "a.npy"), "a.npy: a NumPy array, no recording; `convdiff run CASE --save"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_one_line_says_what_to_do(folder: Path, command: tuple[str, ...], words: str):
    ran = convdiff(*command, cwd=folder)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert words in ran.err


def test_a_baseline_that_is_a_model_is_none(folder: Path):
    case = case_file(folder, "filter: [1, 2]\ninput: {ramp: 1}\nlengths: 4\n")
    ran = convdiff("run", case, "--framework", "numpy", "--baseline", "m.onnx", cwd=folder)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
