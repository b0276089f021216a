"""An --input that a model does not read is a mistake of usage, told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from program import convdiff

from convdiff.errors import ConvdiffError
from convdiff.net.models.feeds import feeds_of

GOOD = np.ones((1, 3, 8, 9), np.float32)
BAD: dict[str, tuple[Any, str]] = {
    "extent": (np.ones((1, 3, 7, 9), np.float32), "is 1×3×7×9; the model reads ?×3×8×?"),
    "channels": (np.ones((1, 4, 8, 9), np.float32), "is 1×4×8×9; the model reads ?×3×8×?"),
    "axes": (np.ones((3, 8), np.float32), "is 3×8; the model reads"),
    "number": (np.float32(1), "is one number; the model reads"),
    "wide": (GOOD.astype(np.float64), "holds float64; the model reads float32"),
    "whole": (GOOD.astype(np.int64), "holds int64; the model reads float32"),
    "complex": (GOOD.astype(np.complex64), "holds complex64; the model reads float32"),
    "words": (np.array(["a"]), "the model reads float32"),
    "empty": (GOOD[:0], "has no values"),
    "objects": (np.array([1, None], object), "pickled objects: those are never read"),
    "text": (b"hello", "no .npy or .npz file"),
    "cut": (b"\x93NUMPY\x01\x00", "or damaged"),
    "none": (b"", "no .npy or .npz file"),
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, "T"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    graph = helper.make_graph([node], "g", [x], [y], [weights])
    opset = helper.make_opsetid("", 17)
    whole = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(whole.SerializeToString())
    return tmp_path / "m.onnx"


def written(folder: Path, data: Any) -> Path:
    """Return an .npy file of an array, or of these bytes."""
    path = folder / "given.npy"
    if isinstance(data, bytes):
        path.write_bytes(data)
    else:
        np.save(path, data, allow_pickle=True)
    return path


@pytest.mark.parametrize("what", BAD)
def test_what_a_file_as_it_is_does_not_read_is_refused(model: Path, tmp_path: Path, what: str):
    data, words = BAD[what]
    with pytest.raises(ConvdiffError) as caught:
        feeds_of(model, written(tmp_path, data), {}, 1)
    assert caught.value.exit_code == 2
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert str(tmp_path / "given.npy") in str(caught.value)


def test_a_file_that_is_none_is_refused(model: Path, tmp_path: Path):
    np.savez(tmp_path / "empty.npz")
    for name, words in (
        ("nowhere.npy", "does not exist"),
        (".", "is not a regular file"),
        ("empty.npz", "holds no arrays"),
    ):
        with pytest.raises(ConvdiffError, match=words):
            feeds_of(model, tmp_path / name, {}, 1)


def test_steps_and_open_extents_are_read(model: Path, tmp_path: Path):
    assert len(feeds_of(model, written(tmp_path, GOOD), {}, 1).steps) == 1
    assert len(feeds_of(model, written(tmp_path, np.stack([GOOD] * 3)), {}, 1).steps) == 3
    longer = feeds_of(model, written(tmp_path, np.ones((2, 3, 8, 50), np.float32)), {}, 1)
    assert longer.steps[0]["x"].shape == (2, 3, 8, 50)


@pytest.mark.parametrize("what", ["extent", "channels", "axes", "complex", "empty", "objects"])
@pytest.mark.parametrize("command", ["trace", "as layers", "extract"])
def test_every_command_that_reads_an_input_says_so(
    model: Path, tmp_path: Path, what: str, command: str
):
    given = written(tmp_path, BAD[what][0])
    words = {
        "trace": ("trace", model, "--framework", "onnxruntime", "--threads", "1,2"),
        "as layers": ("trace", model, "--framework", "numpy", "--threads", "1,2"),
        "extract": (
            *("extract", model, "--layer", "conv", "--framework", "numpy"),
            *("-o", tmp_path / "case.yaml"),
        ),
    }[command]
    ran = convdiff(*words, "--input", given)
    assert ran.code == 2, ran
    assert ran.out == "" and ran.err.count("\n") == 1
    assert not (tmp_path / "case.yaml").exists()
