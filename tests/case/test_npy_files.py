""".npy and .npz files in a case: read without pickles, refused in one line when damaged."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from soak import soak

from convdiff.case.arrays import make_tensors, refuse_too_big
from convdiff.case.load import load_case
from convdiff.case.npy import array_shape, read_values
from convdiff.errors import CaseError, Place

VALUES = np.arange(10, dtype=np.float32).reshape(1, 5, 1, 2)


def case_of(folder: Path, name: str) -> Path:
    path = folder / "case.yaml"
    path.write_text(f"filter:\n  file: {name!r}\ninput: {{ramp: 1}}\nlengths: 7\n")
    return path


def refusal(folder: Path, name: str) -> str:
    """Return the error of a case whose filter is this file, be it at loading or at reading."""
    with pytest.raises(CaseError) as caught:
        make_tensors(load_case(case_of(folder, name)))
    message = str(caught.value)
    assert message.startswith(f"{folder}/case.yaml:2:9: "), message
    assert len(message.splitlines()) == 1
    return message


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def with_header(header: str, data: bytes = b"\0" * 64) -> bytes:
    text = header.encode("latin1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint16", ">f4"])
def test_a_npy_file_gives_its_shape_and_values(tmp_path, dtype):
    np.save(tmp_path / "w.npy", VALUES.astype(dtype))
    case = load_case(case_of(tmp_path, "w.npy"))
    assert case.filter.shape == VALUES.shape
    assert np.array_equal(make_tensors(case).filter_hwio, VALUES)


def test_a_fortran_ordered_file_keeps_its_meaning(tmp_path):
    array = np.asfortranarray(np.arange(24.0).reshape(1, 3, 2, 4))
    np.save(tmp_path / "w.npy", array)
    assert np.array_equal(make_tensors(load_case(case_of(tmp_path, "w.npy"))).filter_hwio, array)


def test_a_member_of_an_npz_file_is_named_after_a_hash(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", a=VALUES, b=2 * VALUES)
    tensors = make_tensors(load_case(case_of(tmp_path, "w.npz#b")))
    assert np.array_equal(tensors.filter_hwio, 2 * VALUES)


def test_the_only_member_of_an_npz_file_needs_no_name(tmp_path):
    np.savez(tmp_path / "w.npz", a=VALUES)
    assert load_case(case_of(tmp_path, "w.npz")).filter.shape == VALUES.shape


@pytest.mark.parametrize("name", ["w.npz", "w.npz#c", "w.npz#../a"])
def test_an_npz_member_that_is_missing_names_those_there(tmp_path, name):
    np.savez(tmp_path / "w.npz", a=VALUES, b=VALUES)
    assert "w.npz holds a, b; name one as w.npz#member" in refusal(tmp_path, name)


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_pickle_in_an_array_file_is_never_loaded(tmp_path, suffix):
    trace = tmp_path / "trace"
    array = np.array([Malicious(trace)], dtype=object)
    if suffix == ".npy":
        np.save(tmp_path / "w.npy", array, allow_pickle=True)
    else:
        np.savez(tmp_path / "w.npz", a=array)
    assert "pickled objects, which are never loaded" in refusal(tmp_path, f"w{suffix}")
    assert not trace.exists()
    np.load(tmp_path / f"w{suffix}", allow_pickle=True)["a" if suffix == ".npz" else 0]
    assert trace.exists(), "the trap works, so the assertion above means something"


def test_reading_the_values_alone_loads_no_pickle_either(tmp_path):
    trace = tmp_path / "trace"
    np.save(tmp_path / "w.npy", np.array([Malicious(trace)], dtype=object), allow_pickle=True)
    with pytest.raises(CaseError, match="is damaged"):
        read_values(tmp_path / "w.npy", None, Place("case.yaml", 1, 1))
    assert not trace.exists()


def test_a_bare_pickle_named_npy_is_never_loaded(tmp_path):
    trace = tmp_path / "trace"
    (tmp_path / "w.npy").write_bytes(pickle.dumps(Malicious(trace)))
    assert "is not an .npy file" in refusal(tmp_path, "w.npy")
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0, 3, 20, -1])
def test_a_truncated_file_is_refused(tmp_path, kept):
    (tmp_path / "w.npy").write_bytes(npy_bytes(VALUES)[:kept])
    message = refusal(tmp_path, "w.npy")
    assert "is not an .npy file" in message or "is damaged" in message


def test_an_npz_file_damaged_in_the_middle_of_its_data_is_refused(tmp_path):
    path = tmp_path / "w.npz"
    for offset in range(0, 4000, 500):
        np.savez_compressed(path, a=np.arange(20_000).reshape(1, 5, 1, -1) ** 2 % 8191)
        raw = bytearray(path.read_bytes())
        start = len(raw) // 2 + offset
        raw[start : start + 8] = b"\xff" * 8
        path.write_bytes(raw)
        assert "w.npz is damaged" in refusal(tmp_path, "w.npz")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-5,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }",
        "{'descr': (), 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{1: 2, 'b': 3, 'c': 4}",
        "{[]: 1}",
        "-" * 9000 + "1",
        "(" * 9000,
        "{'a': " * 90,
        "\0",
        "",
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, header):
    (tmp_path / "w.npy").write_bytes(with_header(header))
    assert "w.npy" in refusal(tmp_path, "w.npy")


def test_a_header_that_promises_too_much_is_refused_before_allocating(tmp_path):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,), }"
    (tmp_path / "x.npy").write_bytes(with_header(header))
    (tmp_path / "case.yaml").write_text("filter: [1]\ninput: {file: x.npy}\n")
    with pytest.raises(CaseError, match=r"too big: input 1×1×10000000000000×1"):
        refuse_too_big(load_case(tmp_path / "case.yaml"))


def test_nan_and_infinity_in_a_file_are_data(tmp_path):
    (tmp_path / "case.yaml").write_text("filter: {file: w.npy}\ninput: {ones: true}\nlengths: 5\n")
    for value in (np.nan, np.inf, -np.inf):
        np.save(tmp_path / "w.npy", np.array([1, value]))
        found = make_tensors(load_case(tmp_path / "case.yaml")).filter_hwio.reshape(-1)
        assert np.array_equal(found, [1, value], equal_nan=True)


def test_a_value_that_only_float64_holds_is_refused_beside_a_nan(tmp_path):
    np.save(tmp_path / "w.npy", np.array([np.nan, np.inf, 1e39]))
    assert "a value is beyond the range of float32" in refusal(tmp_path, "w.npy")


def test_a_file_brings_its_own_shape(tmp_path):
    np.save(tmp_path / "w.npy", VALUES)
    path = tmp_path / "case.yaml"
    path.write_text("filter: {file: w.npy, shape: [10]}\ninput: {ramp: 1}\nlengths: 7\n")
    with pytest.raises(CaseError, match="brings its own shape"):
        load_case(path)


def test_a_missing_file_is_named(tmp_path):
    assert "gone.npy does not exist" in refusal(tmp_path, "gone.npy")


def test_a_dangling_link_is_called_that(tmp_path):
    (tmp_path / "w.npy").symlink_to(tmp_path / "gone.npy")
    assert "w.npy is a symbolic link to nothing" in refusal(tmp_path, "w.npy")


def test_a_circle_of_links_is_refused(tmp_path):
    (tmp_path / "w.npy").symlink_to(tmp_path / "v.npy")
    (tmp_path / "v.npy").symlink_to(tmp_path / "w.npy")
    assert "w.npy" in refusal(tmp_path, "w.npy")


@pytest.mark.parametrize("name", ["../w.npy", "inside/../../w.npy", "link.npy", "linked/w.npy"])
def test_a_path_or_link_out_of_the_folder_is_refused(tmp_path, name):
    folder = tmp_path / "cases"
    (folder / "inside").mkdir(parents=True)
    np.save(tmp_path / "w.npy", VALUES)
    (folder / "link.npy").symlink_to(tmp_path / "w.npy")
    (folder / "linked").symlink_to(tmp_path)
    assert "leads out of the case file's folder" in refusal(folder, name)


def test_an_absolute_path_out_of_the_folder_is_refused(tmp_path):
    assert "leads out" in refusal(tmp_path, "/etc/hostname")


def test_a_link_that_stays_in_the_folder_is_followed(tmp_path):
    np.save(tmp_path / "real.npy", VALUES)
    (tmp_path / "w.npy").symlink_to("real.npy")
    assert load_case(case_of(tmp_path, "w.npy")).filter.shape == VALUES.shape


def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "w.npy")
    assert "not a regular file" in refusal(tmp_path, "w.npy")


@pytest.mark.parametrize("name", ["", "#a", ".", "a\0b.npy", "a\nb.npy", "x" * 5000])
def test_a_name_that_is_none_is_refused_in_one_line(tmp_path, name):
    path = tmp_path / "case.yaml"
    text = name.replace("\0", "\\0").replace("\n", "\\n")
    path.write_text(f'filter: {{file: "{text}"}}\ninput: {{ramp: 1}}\nlengths: 7\n')
    with pytest.raises(CaseError) as caught:
        load_case(path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


def test_an_encrypted_or_unreadable_npz_member_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", npy_bytes(VALUES))
    raw = bytearray((tmp_path / "w.npz").read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + flags] |= 1  # the flag that says: encrypted
    (tmp_path / "w.npz").write_bytes(raw)
    assert "w.npz cannot be read" in refusal(tmp_path, "w.npz")


SOURCES = [npy_bytes(VALUES)]
for save in (np.savez, np.savez_compressed):
    _stream = io.BytesIO()
    save(_stream, x=np.random.default_rng(0).normal(size=300))
    SOURCES.append(_stream.getvalue())


@soak(1500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.integers(0, 2),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    kept=st.just(1.0) | st.floats(0, 1),
)
def test_a_damaged_file_is_values_or_a_case_error(tmp_path, source, changes, kept):
    raw = bytearray(SOURCES[source])
    for where, byte in changes:
        raw[int(where * len(raw))] = byte
    path = tmp_path / ("w.npy" if source == 0 else "w.npz")
    path.write_bytes(raw[: int(kept * len(raw))])
    place = Place("case.yaml", 1, 1)
    try:
        shape = array_shape(path, None, place)
        assert all(extent >= 1 for extent in shape)
        assert read_values(path, None, place).size >= 1
    except CaseError as error:
        assert str(error).isprintable()
