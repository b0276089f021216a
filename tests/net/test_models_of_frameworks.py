"""Files that Keras, TensorFlow Lite and PyTorch wrote give, rebuilt, what their makers predict."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from model_runs import output_of, runtime_of
from program import convdiff, environment
from soak import one_in

from convdiff.case.load import load_case
from convdiff.lab.session import Session
from convdiff.net.models.extract import extract
from convdiff.net.models.formats import read_model
from convdiff.net.models.limits import ModelError
from convdiff.net.models.subject import subject_of
from convdiff.plan.cell import NoBits

MADE = Path(__file__).parents[1] / "support" / "made_models.py"
FILES = {
    "two.keras": "keras",
    "two.h5": "keras",
    "two.tflite": "keras",
    "hlf.tflite": "keras",
    "two_saved": "keras",
    "one.keras": "keras",
    "one.h5": "keras",
    "nst.keras": "keras",
    "nst.h5": "keras",
    "net.pt2": "torch",
    "core.pt2": "torch",
    "core_decomposed.pt2": "torch",
}
RUNS = ("numpy", "torch", "jax", "onnxruntime", "openvino:f32", "tensorflow")
ROUNDING = 3e-5
"""Of the largest value: float32 sums of some hundred products, in layers."""


@pytest.fixture(scope="module")
def written(tmp_path_factory, runs_framework) -> Path:
    """Return the folder with all files; each framework writes its own, in a process of its own."""
    folder = tmp_path_factory.mktemp("models")
    for framework in ("keras", "torch"):
        command = [sys.executable, str(MADE), str(folder), framework]
        subprocess.run(command, check=True, capture_output=True, env=environment())
    return folder


@pytest.fixture(scope="module")
def session(runs_framework) -> Iterator[Session]:
    """Yield one session for all layers that are extracted."""
    with Session([runtime_of(spec).interpreter for spec in ("numpy", "torch")], 60) as session:
        yield session


def held(folder: Path, name: str):
    arrays = np.load(folder / f"{name[:3]}.npz")
    return arrays["x"], arrays["y"]


@one_in(2, "spec", RUNS)
def test_a_rebuilt_file_gives_what_its_maker_predicts(spec, written, workers):
    for name in FILES:
        model = read_model(written / name)
        assert not model.unread, name
        x, y = held(written, name)
        found = output_of(model, x, spec, workers)
        assert not isinstance(found, NoBits), (name, found)
        assert found.shape == y.shape
        assert np.abs(found - y).max() <= ROUNDING * np.abs(y).max(), name


def test_formats_of_one_model_hold_the_same_numbers(written):
    one, other = (read_model(written / f"two.{ending}") for ending in ("keras", "h5"))
    assert one.parameters == other.parameters > 10_000
    assert one.net == other.net
    assert all(np.array_equal(one.arrays[key], other.arrays[key]) for key in one.arrays)


@pytest.mark.parametrize("name", ["weights_int8.tflite", "all_int8.tflite"])
def test_integers_that_stand_for_numbers_are_never_taken_for_them(written, name):
    model = read_model(written / name)
    assert all(array.dtype == np.float32 for array in model.arrays.values())
    said = " ".join(node.unread for node in model.unread)
    assert "int8: quantised; save or convert the model in floating point" in said
    ran = convdiff("inspect", written / name)
    assert (ran.code, "quantised" in ran.out) == (0, True)
    with pytest.raises(ModelError, match="quantised"):
        subject_of(model)


@pytest.mark.parametrize("name", ["train.pt2", "train_decomposed.pt2"])
def test_a_model_that_is_as_in_training_is_named_with_the_remedy(written, name):
    ran = convdiff("inspect", written / name)
    assert (ran.code, "damaged" in ran.out) == (0, False)
    told = [line for line in ran.out.splitlines() if line.startswith("* ")]
    remedy = "as in training; export it after model.eval()"
    assert [line.endswith(remedy) for line in told] == [True, True, False]
    ran = convdiff("trace", written / name, "--framework", "numpy")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert remedy in ran.err


def test_models_within_a_model_are_layers_of_it(written):
    for name in ("nst.keras", "nst.h5"):
        model = read_model(written / name)
        inside = ["row/c", "row/normal", "deep/branch/fork", "deep/branch/sum", "deep/cut"]
        assert [layer.name for layer in model.net.layers] == [*inside, "c"]


def test_an_open_length_is_one_that_the_layers_leave_something_of(written):
    model = read_model(written / "long.keras")
    assert (model.open_axes, model.input_shape, model.unread) == ("NW", (1, 128, 4), ())


def test_padding_is_the_same_in_every_format(written):
    """36 inputs are read by an output, and outputs are 8 apart: L = 8·ceil(data/8) + 28."""
    found = []
    for name in ("long.keras", "long.h5", "long_saved"):
        asked = ("--data", "20..60", "--fixed", "200", "--framework", "numpy")
        ran = convdiff("pad", written / name, *asked, "--format", "python")
        assert ran.code == 0, ran.err
        found.append(ran.out.partition("\n")[2])
    assert set(found) == {found[0]}
    assert "padded_lengths = [52, 60, 68, 76, 84, 92]" in found[0]


def test_a_model_that_reads_the_whole_length_is_not_padded(written):
    ran = convdiff("pad", written / "one.keras", "--data", "20..25", "--framework", "numpy")
    assert ran.code == 2
    assert "global_max_pooling1d" in ran.err and len(ran.err.splitlines()) == 1


def test_a_length_that_the_file_leaves_open_may_be_any(written, workers):
    model = read_model(written / "one.keras")
    assert model.open_axes == "NW"
    x, _ = held(written, "one.keras")
    whole, part = (output_of(model, x[:, :n], "numpy", workers) for n in (31, 17))
    assert whole.shape == part.shape and not np.array_equal(whole, part)


@pytest.mark.parametrize(
    ("name", "layer", "op", "spec"),
    [
        ("two.keras", "first", "conv2d", "numpy"),
        ("two.keras", "depthwise_conv2d", "conv2d", "torch"),
        ("two.keras", "up", "conv2d_transpose", "torch"),
        ("two.h5", "wide", "conv2d_transpose", "numpy"),
        ("two.keras", "last", "dense", "numpy"),
        ("one.keras", "conv1d", "conv1d", "torch"),
        ("net.pt2", "conv2d_1", "conv2d", "torch"),
        ("net.pt2", "linear", "dense", "numpy"),
    ],
)
def test_a_layer_that_is_extracted_has_the_bits_that_it_has_in_the_net(
    name, layer, op, spec, written, session, tmp_path
):
    x, _ = held(written, name)
    model = read_model(written / name)
    made = extract(model, layer, x, tmp_path / "case.yaml", runtime_of(spec), session)
    assert (made.alone, made.differing) == ("same", 0) and made.elements > 0
    assert load_case(tmp_path / "case.yaml").conv.op == op


def test_what_is_no_product_is_no_case(written, tmp_path):
    model = read_model(written / "two.keras")
    with pytest.raises(ModelError, match=r"add is add: it sums no products"):
        extract(model, "add", None, tmp_path / "case.yaml", None, None)
    with pytest.raises(ModelError, match=r"did you mean first\?"):
        extract(model, "frist", None, tmp_path / "case.yaml", None, None)
    assert not list(tmp_path.iterdir())
