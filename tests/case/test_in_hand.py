"""Files in hand that are no case: one line says what each is and how a case is made of it."""

from __future__ import annotations

import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from convdiff.case.arrays import make_tensors
from convdiff.case.in_hand import MODELS, kind_of
from convdiff.case.load import find_cases, load_case
from convdiff.errors import CaseError

GOOD = "filter: [1, 2, 3]\ninput: {ramp: 1}\nlengths: 7..9\n"
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(40)
TFLITE = b"\x1c\0\0\0TFL3" + bytes(40)
ONNX = b'\x08\x08\x3a\x92\x04\x0a\x22\x0a\x01x\x0a\x01w\x12\x01y"\x04Conv' + bytes(range(128, 200))
SAVED_MODEL = b"\x08\x01\x12\xd4\x10\x0a\x9f\x01\x12\x11saved_model_main" + bytes(40)
OPENVINO = b'<?xml version="1.0"?>\n<net name="m" version="11">\n</net>\n'


def archive(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def safetensors(path: Path, metadata: Mapping[str, str]) -> None:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"w": entry, **({"__metadata__": metadata} if metadata else {})}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def raw(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


KERAS = {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": HDF5}
TORCH = {"m/data.pkl": b"\x80\x02}.", "m/data/0": bytes(4), "m/version": b"3"}
FILES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "m.onnx": (raw(ONNX), "an ONNX model"),
    "named_otherwise": (raw(ONNX), "an ONNX model"),
    "m.tflite": (raw(TFLITE), "a TensorFlow Lite model"),
    "m.keras": (lambda path: archive(path, KERAS), "a Keras model"),
    "m.h5": (raw(HDF5), "an HDF5 file, as Keras writes them"),
    "model.pt": (lambda path: archive(path, TORCH), "a PyTorch model"),
    "old.pth": (
        lambda path: path.write_bytes(pickle.dumps({"w": [1.0]}, 2)),
        "a PyTorch model, or another pickle, which is never loaded",
    ),
    "w.safetensors": (lambda path: safetensors(path, {}), "weights in safetensors"),
    "w2.safetensors": (lambda path: safetensors(path, {"format": "pt"}), "weights in safetensors"),
    "saved_model.pb": (raw(SAVED_MODEL), "a TensorFlow graph"),
    "m.xml": (raw(OPENVINO), "an OpenVINO model"),
    "a.npy": (lambda path: np.save(path, np.ones((1, 2, 3), np.float32)), "a NumPy array"),
    "all.npz": (
        lambda path: np.savez(path, w=np.ones(3), x=np.ones(8)),
        "an archive of NumPy arrays",
    ),
    "r.json": (
        raw(b'{\n "arrays": {},\n "kind": "convdiff recording",\n "values": {}\n}\n'),
        "a recording",
    ),
    "r.safetensors": (
        lambda path: safetensors(path, {"convdiff": '{"kind": "convdiff recording"}'}),
        "a recording",
    ),
}


def made(folder: Path, name: str) -> Path:
    """Make one of FILES and return its path."""
    path = folder / name
    FILES[name][0](path)
    return path


def refused(path: Path) -> str:
    """Return the line that a file is refused with, less its folder."""
    with pytest.raises(CaseError) as caught:
        load_case(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert not message.endswith("…"), "cut"
    return message.removeprefix(f"{path.parent}/")


@pytest.mark.parametrize("name", FILES)
def test_each_is_told_by_what_it_is(tmp_path, name):
    assert refused(made(tmp_path, name)).startswith(f"{name}: {FILES[name][1]}, no case; ")


@pytest.mark.parametrize("name", FILES)
def test_a_name_that_says_otherwise_does_not_hide_what_it_is(tmp_path, name):
    """But for a graph of TensorFlow, which looks much as ONNX does."""
    if name == "saved_model.pb":
        return
    path = made(tmp_path, name)
    for suffix in (".yaml", ".txt", ""):
        other = path.rename(tmp_path / f"other{suffix}")
        assert f"{other.name}: {FILES[name][1]}, no case" in refused(other)
        path = other


@pytest.mark.parametrize("name", FILES)
def test_the_case_that_is_proposed_is_one(tmp_path, name):
    """Once its arrays are there: four output channels of a 3×3 filter on two channels."""
    path = made(tmp_path, name)
    if path.suffix in MODELS:
        assert f"convdiff trace {path} compares it; inspect " in refused(path)
        assert "extract, with --layer NAME" in refused(path)
        path = path.rename(tmp_path / "other")
    line = refused(path)
    found = re.search(r"\{(layout: nchw, )?filter: .*\}", line)
    if found is None:
        assert FILES[name][1] == "a recording"
        return
    oihw = "layout: nchw" in found[0]
    weights = np.ones((4, 2, 3, 3) if oihw else (3, 3, 2, 4))
    arrays = {"a.npy": np.ones((1, 9, 9, 2)), "filter.npy": weights, "bias.npy": np.ones(4)}
    for file, array in arrays.items():
        np.save(tmp_path / file, array)
    (tmp_path / "case.yaml").write_text(found[0])
    case = load_case(tmp_path / "case.yaml")
    make_tensors(case)
    if name != "all.npz":
        assert case.conv.filter_shape == (3, 3, 2, 4)


def test_a_lone_array_says_what_it_holds(tmp_path):
    np.save(tmp_path / "my y.npy", np.ones((2, 3, 4), np.float16))
    line = refused(tmp_path / "my y.npy")
    assert "it holds float16 2×3×4;" in line
    assert 'input: {file: "my y.npy"}' in line


def test_an_array_that_is_none_says_so(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00")
    assert "is not an .npy file" in refused(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([{}]), allow_pickle=True)
    assert "pickled objects, which are never loaded" in refused(tmp_path / "b.npy")


def test_an_archive_names_its_arrays(tmp_path):
    path = tmp_path / "many.npz"
    np.savez(path, **{f"a{n}": np.ones(1) for n in range(20)})
    assert "it holds a0, a1, a2, a3, a4, a5, a6, a7, …; a case names them" in refused(path)


@pytest.mark.parametrize("name", ["m.onnx", "m.keras", "a.npy", "case", "m.pb", "r.json"])
def test_text_is_a_case_under_any_name(tmp_path, name):
    path = tmp_path / name
    for text in (GOOD, json.dumps({"filter": [1, 2, 3], "input": {"ramp": 1}, "lengths": 7})):
        path.write_text(text)
        assert load_case(path).conv.kernel == (1, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"PK\x03\x04",
        b"PK\x03\x04" + bytes(99),
        b"\x89PNG\r\n\x1a\n",
        b"{",
        b"\x08\x04\x12\x10a Core ML model\x00",
        b"\x08",
    ],
    ids=str,
)
def test_what_is_none_of_these_is_told_as_before(tmp_path, content):
    path = tmp_path / "case.yaml"
    path.write_bytes(content)
    assert kind_of(path) is None
    with pytest.raises(CaseError):
        load_case(path)


def test_what_is_not_there_is_not_told_by_its_name(tmp_path):
    for path in (tmp_path / "m.onnx", Path(f"{tmp_path}/a\0b"), tmp_path):
        assert kind_of(path) is None
    with pytest.raises(CaseError, match=r"m\.onnx: no such file"):
        load_case(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", FILES)
def test_a_folder_without_cases_says_what_it_holds(tmp_path, name):
    (tmp_path / "README.md").write_text("none")
    made(tmp_path, name)
    with pytest.raises(CaseError) as caught:
        find_cases((tmp_path,))
    wanted = f"{tmp_path}: this folder holds no .yaml case; {name} in it is {FILES[name][1]}; "
    assert str(caught.value).startswith(wanted)


def test_a_folder_with_a_case_is_its_cases(tmp_path):
    made(tmp_path, "m.onnx")
    (tmp_path / "case.yaml").write_text(GOOD)
    assert find_cases((tmp_path,)) == [tmp_path / "case.yaml"]


def test_an_empty_folder_holds_no_case(tmp_path):
    with pytest.raises(CaseError, match=r"this folder holds no \.yaml case$"):
        find_cases((tmp_path,))
