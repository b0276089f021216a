"""The wire: frames survive the trip in both directions, and what is no frame is refused."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convdiff.worker import wire

DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint16", "bool", ml_dtypes.bfloat16]
WIRE = Path(wire.__file__)


def through_a_pipe(header, held):
    """Send a frame through a real pipe and return what arrives."""
    reader, writer = os.pipe()
    sender = threading.Thread(target=lambda: wire.write(writer, wire.encode(header, held)))
    sender.start()
    try:
        found, payload = wire.read_frame(reader)
        return found, wire.decode_arrays(found, payload)
    finally:
        sender.join()
        os.close(reader)
        os.close(writer)


def assert_same_bits(sent, arrived):
    """Compare bit for bit; bfloat16 arrives as its uint16 bits."""
    expected = sent.view(np.uint16) if sent.dtype.name == "bfloat16" else sent
    assert arrived.dtype == expected.dtype and arrived.shape == expected.shape
    assert arrived.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(3,), (1, 1, 7, 2), (0,), (2, 0, 3), ()], ids=str)
def test_an_array_arrives_bit_for_bit(dtype, shape):
    raw = np.random.default_rng(0).integers(0, 2, (*shape, np.dtype(dtype).itemsize), np.uint8)
    sent = np.ascontiguousarray(raw).view(dtype).reshape(shape)
    header, [arrived] = through_a_pipe({"a": 1}, [sent])
    assert header["a"] == 1
    assert_same_bits(sent, arrived)


@pytest.mark.slow
@given(
    st.lists(
        arrays.arrays(
            st.sampled_from([np.float16, np.float32, np.float64, np.int32]),
            arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=9), max_size=4),
)
def test_any_header_and_arrays_arrive(held, header):
    header.pop("arrays", None)
    found, arrived = through_a_pipe(header, held)
    assert {key: found[key] for key in header} == header
    assert len(arrived) == len(held)
    for sent, got in zip(held, arrived, strict=True):
        assert_same_bits(sent, got)


@given(
    st.lists(
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), max_size=3)), max_size=6
    )
)
def test_arrays_lie_as_if_each_had_memory_of_its_own(described):
    held = [np.ones(shape, dtype) for dtype, shape in described]
    _, came = through_a_pipe({}, held)
    assert [array.ctypes.data % wire.ALIGNMENT for array in came if array.size] == [
        0 for array in held if array.size
    ]


def test_a_frame_larger_than_a_pipe_arrives_whole():
    sent = np.random.default_rng(0).standard_normal(1_000_000)
    _, [arrived] = through_a_pipe({}, [sent])
    assert np.array_equal(sent, arrived)


def test_frames_follow_each_other_and_the_end_is_none():
    reader, writer = os.pipe()
    wire.write(writer, wire.encode({"n": 1}, [np.ones(3)]))
    wire.write(writer, wire.encode({"n": 2}))
    os.close(writer)
    assert wire.read_frame(reader)[0]["n"] == 1
    assert wire.read_frame(reader)[0]["n"] == 2
    assert wire.read_frame(reader) is None
    os.close(reader)


def test_a_frame_that_breaks_off_is_the_end():
    for kept in (3, 16, 20, -1):
        reader, writer = os.pipe()
        os.write(writer, b"".join(bytes(part) for part in wire.encode({}, [np.ones(3)]))[:kept])
        os.close(writer)
        assert wire.read_frame(reader) is None
        os.close(reader)


def test_numbers_travel_little_endian_and_nothing_is_pickled():
    raw = b"".join(bytes(part) for part in wire.encode({}, [np.array([1.0, -2.0], np.float32)]))
    assert raw.endswith(struct.pack("<ff", 1.0, -2.0))
    magic, header, payload = struct.unpack("<4sIQ", raw[:16])
    assert (magic, payload) == (b"cvd1", 8)
    assert json.loads(raw[16 : 16 + header]) == {"arrays": [["float32", [2]]]}
    assert "pickle" not in WIRE.read_text().replace("No pickle", "")


@pytest.mark.parametrize(
    "data",
    [b"\0" * 16, b"Traceback (most ", struct.pack("<4sIQ", b"cvd1", 2**31, 0)],
)
def test_a_foreign_head_is_refused(data):
    with pytest.raises(wire.WireError, match="not a frame"):
        wire.decode_head(data)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"3", b"{}", b'{"arrays": 3}', b"\xff"])
def test_a_damaged_header_is_refused(text):
    with pytest.raises(wire.WireError):
        wire.decode_header(text)


@pytest.mark.parametrize(
    "described",
    [
        [["float99", [1]]],
        [["object", [1]]],
        [["float32", [-1]]],
        [["float32", "x"]],
        [["float32", [1.5]]],
        [["float32", [3]]],
        [["float32", [1]], ["float64", [1]]],
        [["float32", [10**30]]],
        ["x"],
        [3],
        [[None, [1]]],
    ],
    ids=str,
)
def test_arrays_that_do_not_fit_their_payload_are_refused(described):
    with pytest.raises(wire.WireError):
        wire.decode_arrays({"arrays": described}, bytearray(8))


ECHO = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("wire", sys.argv[1])
wire = importlib.util.module_from_spec(spec); spec.loader.exec_module(wire)
while True:
    frame = wire.read_frame(0)
    if frame is None: break
    header, payload = frame
    header = dict(header, python=sys.version_info[:2])
    wire.write(1, wire.encode(header, wire.decode_arrays(*frame)))
"""


def test_arrays_come_back_unchanged_from_python_3_6(tf1_python):
    sent = [
        np.random.default_rng(0).standard_normal((2, 3, 4)).astype(dtype)
        for dtype in ("float16", "float32", "float64", "int16", ml_dtypes.bfloat16)
    ] + [np.zeros((0, 2), np.float32)]
    frame = b"".join(bytes(part) for part in wire.encode({"text": "ü"}, sent))
    done = subprocess.run(
        [tf1_python, "-c", ECHO, str(WIRE)], input=frame, capture_output=True, check=True
    )
    size, payload = wire.decode_head(done.stdout[:16])
    header = wire.decode_header(done.stdout[16 : 16 + size])
    assert (header["text"], header["python"]) == ("ü", [3, 6])
    back = wire.decode_arrays(header, bytearray(done.stdout[16 + size :]))
    assert len(done.stdout) == 16 + size + payload
    for before, after in zip(sent, back, strict=True):
        assert_same_bits(before, after)
