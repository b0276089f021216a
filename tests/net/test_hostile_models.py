"""A model file that somebody made to do harm ends in one line; nothing of it is run."""

from __future__ import annotations

import random
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hostile_models import (
    HOSTILE,
    keras_config,
    keras_layer,
    node,
    write_keras,
    write_onnx,
    write_pt2,
    write_saved_model,
)
from onnx import helper, numpy_helper
from program import environment

from convdiff.net.models.formats import read_model
from convdiff.net.models.limits import ModelError

MEMORY = 1 << 30
"""Bytes of address space that the program may have; NumPy's threads take some of it."""


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def inspect(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "convdiff", *(words or ("inspect",)), str(path)]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env={**environment(), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=limited,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_in_a_line_and_nothing_of_it_runs(what, folder):
    canary = folder.parent / "canary"
    write, said = HOSTILE[what]
    path = write(folder, canary)
    start = time.perf_counter()
    done = inspect(path)
    assert done.returncode == 2, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"convdiff: {path}"), done.stderr
    assert said in lines[0], lines[0]
    assert not canary.exists()
    assert time.perf_counter() - start < 20


def test_external_data_beside_the_model_are_read(folder):
    from hostile_models import _external, _product

    values = np.arange(6, dtype="float32")
    (folder / "w").write_bytes(values.tobytes())
    model = read_model(_product(_external("w"), folder / "m.onnx"))
    assert not model.unread
    assert np.array_equal(model.arrays["product.filter"].ravel(), values)


@pytest.mark.slow
def test_operators_of_others_are_named_and_not_run(folder):
    foreign = helper.make_node("ReadsFiles", ["x"], ["y"], "evil", domain="com.evil")
    path = write_onnx(folder / "m.onnx", [foreign], [], domain="com.evil")
    assert "com.evil.ReadsFiles *" in inspect(path).stdout
    for words in (
        ("extract", "--layer", "evil", "-o", str(folder / "c.yaml")),
        ("trace", "--framework", "numpy"),
        ("trace", "--framework", "onnxruntime", "--threads", "1,2"),
    ):
        done = inspect(path, *words)
        assert done.returncode == 2, done
        assert "evil" in done.stderr and "com.evil.ReadsFiles" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (folder / "c.yaml").exists()


def samples(folder: Path) -> list[Path]:
    """Write a sound file of each format that takes no framework to write."""
    weights = numpy_helper.from_array(np.ones((3, 2), "float32"), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"], "product"),
        helper.make_node("Softmax", ["p"], ["y"], "softmax", axis=-1),
    ]
    relu = keras_layer("ReLU", {"name": "r", "max_value": None})
    flatten = keras_layer("Flatten", {"name": "f"})
    return [
        write_onnx(folder / "m.onnx", nodes, [weights]),
        write_keras(folder / "m.keras", keras_config(relu, flatten)),
        write_pt2(folder / "m.pt2", {}, bytes(24)),
        small_tflite(folder / "m.tflite"),
        write_saved_model(folder, node("r", "Relu", "x"), node("y", "Sigmoid", "r")),
    ]


def small_tflite(path: Path) -> Path:
    """Write a model of one product, as convdiff writes them for TensorFlow Lite."""
    schema = pytest.importorskip(
        "ai_edge_litert.schema_py_generated", reason="LiteRT writes it, and is not installed here"
    )
    from convdiff.worker.tflite_model import Model

    model = Model(schema)
    x = model.tensor((1, 3), "float32")
    weights, bias = (model.constant(np.ones(s, "float32")) for s in ((2, 3), (2,)))
    y = model.tensor((1, 2), "float32")
    model.node("FULLY_CONNECTED", [x, weights, bias], y, "FullyConnectedOptions")
    path.write_bytes(model.finished([x], y))
    return path


@pytest.mark.slow
def test_damaged_files_are_refused_and_never_a_traceback(folder):
    rng = random.Random(0)
    refused = 0
    for path in samples(folder):
        assert not read_model(path).unread, path
        file = path / "saved_model.pb" if path.is_dir() else path
        whole = file.read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            for _ in range(rng.randint(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            file.write_bytes(data[: rng.randint(1, len(data))] if rng.random() < 0.3 else data)
            try:
                read_model(path)
            except ModelError:
                refused += 1
    assert refused > 150


REFUSED = {
    "model.pt": "write the model as data: torch.export.save(",
    "model.pth": "torch.onnx.export",
    "model.safetensors": "holds arrays and no layers",
    "saved_model.pb": "name the SavedModel's folder",
    "model.npy": "no model that is known; expected .onnx, .keras",
    "text.keras": "is no zip archive, as .keras files are",
    "text.pt2": "is no zip archive, as .pt2 files are",
    "text.onnx": "is not an ONNX model",
    "text.tflite": "is not a TensorFlow Lite model",
    "text.h5": "holds no HDF5 file",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_is_refused_with_what_to_do(name, folder):
    (folder / name).write_text("this is text\n" * 20)
    with pytest.raises(ModelError, match=re.escape(REFUSED[name])):
        read_model(folder / name)


@pytest.mark.parametrize("name", ["a.onnx", "a.keras", "a.h5", "a.tflite", "a.pt2"])
def test_an_empty_file_is_called_empty(name, folder):
    (folder / name).write_bytes(b"")
    with pytest.raises(ModelError, match="the file is empty"):
        read_model(folder / name)
