"""What is written is read again, in both formats: every bit, order, probe and word."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import (
    ARITHMETIC,
    FINGERPRINT,
    case_of,
    recorded,
    recording,
    runtime,
    same,
    seal,
    tensors_of,
    together,
    unsealed_tensors,
)

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.axes import AXES
from convdiff.case.device import Device
from convdiff.case.model import NOTED, Allowance
from convdiff.numerics.floats import FORMATS
from convdiff.plan.cell import Cell
from convdiff.recording.files import CODECS, read_recording, write_recording
from convdiff.recording.model import (
    Entry,
    RecordedCase,
    Recording,
    SavedOrder,
    SavedOrders,
    SavedProbes,
)
from convdiff.runtime.model import Interpreter, Runtime

Array = np.ndarray[Any, Any]

SUFFIXES = tuple(CODECS)
DTYPES = tuple(FORMATS)
NAMES = st.one_of(
    st.sampled_from(["one", "two/three", "fälle ×", 'a "quoted" one', "two\nlines", "\ud800"]),
    st.text(min_size=1, max_size=10),
)
WORDS = st.text(max_size=20)


def any_bits(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Draw bits, among them zeros, infinities, NaN of all kinds, subnormals and the largest."""
    form = FORMATS[dtype]
    width, digits = form.bits.itemsize * 8, form.precision - 1
    infinity = ((1 << (width - 1 - digits)) - 1) << digits
    positive = [0, 1, 2, (1 << digits) - 1, 1 << digits, infinity - 1, infinity]
    positive += [infinity + 1, infinity | 1 << (digits - 1), (1 << (width - 1)) - 1]
    special = [*positive, *(bits | 1 << (width - 1) for bits in positive)]
    drawn = [int.from_bytes(rng.bytes(width // 8), "little") for _ in range(int(np.prod(shape)))]
    chosen = rng.integers(0, 2 * len(special), len(drawn))
    mixed = [special[k] if k < len(special) else one for k, one in zip(chosen, drawn, strict=True)]
    return np.array(mixed, form.bits).view(numpy_dtype(dtype)).reshape(shape)


def finite_bits(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    drawn = any_bits(rng, shape, dtype)
    with np.errstate(invalid="ignore"):
        drawn[~np.isfinite(drawn.astype(np.float64))] = -0.0
    return drawn


@st.composite
def runtimes(draw: st.DrawFn) -> list[Runtime]:
    found = st.builds(
        lambda device, threads, settings, label: Runtime(
            Interpreter("tensorflow", "/somewhere/python", threads, tuple(settings), label),
            Device.parse(device),
        ),
        st.sampled_from(["cpu", "gpu", "gpu:0", "gpu:12", "cpu+channels_last", "gpu:1+xla+graph"]),
        st.sampled_from([None, 1, 4]),
        st.lists(st.tuples(st.sampled_from(["TF_X", "OMP_Y"]), WORDS), max_size=2),
        st.sampled_from(["", "this", "tf1"]),
    )
    return draw(st.lists(found, min_size=1, max_size=3, unique=True))


@st.composite
def orders(draw: st.DrawFn, output: Array, rng: np.random.Generator) -> SavedOrders | None:
    count = draw(st.integers(-1, 3))
    if count < 0:
        return None
    shape = (int(np.prod(output.shape[:3])), output.shape[3])
    which = rng.integers(-1, count, shape).astype(np.int32) if count else np.full(shape, -1)
    if count == 1 and draw(st.booleans()):
        which = np.zeros(shape)
    return SavedOrders(
        tuple(
            SavedOrder(draw(WORDS), replace(ARITHMETIC, guard=k), draw(st.booleans()))
            for k in range(count)
        ),
        which.astype(np.int32),
        tuple(draw(st.lists(st.tuples(WORDS, WORDS), max_size=2))),
    )


PROBES = st.one_of(
    st.none(),
    st.builds(
        SavedProbes,
        st.dictionaries(WORDS, WORDS, max_size=3),
        st.one_of(st.none(), WORDS),
        st.booleans(),
    ),
)
ALLOWANCES = st.one_of(
    st.sampled_from([Allowance("bitwise"), Allowance("rounding"), Allowance("anything")]),
    st.integers(0, 2**53).map(lambda ulps: Allowance("ulps", ulps)),
)


@st.composite
def cases(draw: st.DrawFn, name: str) -> RecordedCase:
    dtype = draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    small = st.integers(1, 2)
    kh, kw, width, groups, per_group = (draw(small) for _ in range(5))
    strides, dilations = (draw(small), draw(small)), (draw(small), draw(small))
    height, most, batch = 2 * kh + draw(small), 2 * kw + 2, draw(small)
    cout = groups * per_group
    tensors = Tensors(
        finite_bits(rng, (kh, kw, width, cout), dtype),
        finite_bits(rng, (cout,), dtype) if draw(st.booleans()) else None,
        finite_bits(rng, (batch, height, most, width * groups), dtype),
    )
    case = case_of(
        tensors,
        name,
        strides=strides,
        dilations=dilations,
        groups=groups,
        expect={axis: draw(ALLOWANCES) for axis in AXES},
    )
    held = draw(st.sampled_from([NOTED, Allowance("bitwise"), Allowance("ulps", 3)]))
    case = replace(case, lock_order=draw(st.booleans()), baseline_reference=held)
    at = draw(runtimes())
    shapes = list(product(at, ("conv2d", "manual"), (2 * kw, most), range(1, batch + 1), (0, 1, 2)))
    chosen = draw(st.lists(st.sampled_from(shapes), min_size=1, max_size=4, unique=True))
    entries = []
    for runtime_, op, length, images, repeat in chosen:
        shape = case.conv.output_shape(images, height, length)
        output = any_bits(rng, shape, dtype)
        entry = Entry(Cell(runtime_, op, length, images, repeat), output, draw(PROBES))  # type: ignore[arg-type]
        entries.append(replace(entry, orders=draw(orders(output, rng))))
    return RecordedCase(case, tensors, {one: FINGERPRINT for one in at}, tuple(entries))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    names = sorted(draw(st.lists(NAMES, max_size=2, unique=True)))
    return Recording({name: draw(cases(name)) for name in names})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round")


@pytest.mark.slow
@settings(max_examples=30)
@given(recordings())
def test_both_formats_keep_everything_and_give_each_other_byte_for_byte(
    folder: Path, whole: Recording
):
    first = {suffix: folder / f"first{suffix}" for suffix in SUFFIXES}
    second = {suffix: folder / f"second{suffix}" for suffix in SUFFIXES}
    for suffix, path in first.items():
        write_recording(path, whole)
        assert same(read_recording(path), whole), suffix
    # By way of the other format, JSON comes back as it was, and so does safetensors.
    for mine, other in (SUFFIXES, SUFFIXES[::-1]):
        write_recording(second[mine], read_recording(first[other]))
        assert second[mine].read_bytes() == first[mine].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_16_bit_pattern_or_a_sample_of_the_wider_ones_is_kept(
    suffix: str, dtype: str, tmp_path: Path
):
    form = FORMATS[dtype]
    raw = np.arange(2**16, dtype=np.uint64)
    if form.bits.itemsize > 2:
        every = np.random.default_rng(0).integers(0, 2**64, 2**12, np.uint64, endpoint=False)
        high = 8 * form.bits.itemsize - 16  # every sign and exponent, with other bits below
        raw = (raw[::16] << high) | (every & ((1 << high) - 1)).astype(np.uint64)
    output = raw.astype(form.bits).view(numpy_dtype(dtype)).reshape(1, 1, -1, 1)
    length = output.shape[2]
    tensors = Tensors(
        np.ones((1, 1, 1, 1), numpy_dtype(dtype)), None, np.ones((1, 1, length, 1), output.dtype)
    )
    case, at = case_of(tensors), runtime()
    entry = Entry(Cell(at, "conv2d", length, 1), output)
    whole = recording(RecordedCase(case, tensors, {at: FINGERPRINT}, (entry,)))
    path = tmp_path / f"bits{suffix}"
    write_recording(path, whole)
    (again,) = read_recording(path).cases["one"].entries
    assert again.output.dtype == output.dtype
    assert again.output.tobytes() == output.tobytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_output_of_another_shape_than_it_should_have_is_kept_with_what_was_said(
    suffix: str, tmp_path: Path
):
    """A kernel that ignores the dilation gives more: that is what a recording is for."""
    whole = recorded("[0 1 2 b]", tensors_of((1, 3, 1, 2), (2, 1, 6, 1)))
    output = np.ones((1, 1, 7, 2), np.float32)
    said = SavedOrders((), np.full((7, 2), -1, np.int32), (("failed", "of another shape"),))
    odd = replace(whole, entries=(replace(whole.entries[0], output=output, orders=said),))
    path = tmp_path / f"odd{suffix}"
    write_recording(path, recording(odd))
    assert same(read_recording(path), recording(odd))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_runtime_of_two_machines_is_kept_apart(suffix: str, tmp_path: Path):
    """As a baseline has it to which another version added what it lacked."""
    tensors, path = tensors_of((1, 3, 1, 2), (2, 1, 6, 1)), tmp_path / f"two{suffix}"
    old = recorded("[0 1 2 b]", tensors, lengths=(4,))
    new = recorded("[0 1 2 b]", tensors, lengths=(6,), at=runtime())
    elsewhere = replace(runtime(), origin="elsewhere.json")
    cell = replace(new.entries[0].cell, runtime=elsewhere)
    newer = {**FINGERPRINT, "version": "2.22.0"}
    new = replace(
        new,
        fingerprints={elsewhere: newer},
        entries=(replace(new.entries[0], cell=cell),),
    )
    write_recording(path, recording(together(old, new)))
    found = read_recording(path)
    assert same(found, recording(together(old, new)))
    again = tmp_path / f"again{suffix}"
    write_recording(again, found)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_an_environment_has_that_is_no_text_is_kept(suffix: str, tmp_path: Path):
    """Variables are bytes; Python says those that are no UTF-8 as lone surrogates."""
    tensors, path = tensors_of((1, 1, 1, 1), (1, 1, 2, 1)), tmp_path / f"odd{suffix}"
    whole = recording(recorded("(0+b)", tensors, at=runtime(TF_X="\udcff")))
    write_recording(path, whole)
    assert same(read_recording(path), whole)
    if suffix == ".json":
        assert "\\udcff" in path.read_text("utf-8")


def test_a_json_recording_is_sorted_and_has_a_line_a_value(tmp_path: Path):
    """For review: a changed value is a changed line, as decimal and as bits."""
    tensors = tensors_of((1, 3, 1, 2), (2, 1, 6, 1))
    cases = [replace(recorded("[0 1 2 b]", tensors, case=case_of(tensors, n))) for n in "ba"]
    path = tmp_path / "sorted.json"
    write_recording(path, recording(*cases))
    text = path.read_text("utf-8")
    document = json.loads(text)
    assert list(document) == [*sorted(set(document) - {"values"}), "values"]
    assert [case["name"] for case in document["cases"]] == ["a", "b"]
    for key in ("arrays", "values"):
        assert list(document[key]) == sorted(document[key])
    header = {key: value for key, value in document.items() if key != "values"}
    assert json.dumps(header, indent=1) == json.dumps(header, indent=1, sort_keys=True)
    lines = text.splitlines()
    output = cases[0].entries[0].output
    for value in output.ravel():
        assert f'   [{value!s}, "{float(value).hex()}"]' in [line.rstrip(",") for line in lines]
    changed = output.copy()
    changed[0, 0, 0, 0] = np.nextafter(changed[0, 0, 0, 0], np.float32(9))
    other = replace(cases[0], entries=(replace(cases[0].entries[0], output=changed),))
    write_recording(path, recording(other, cases[1]))
    differing = [
        line
        for line, was in zip(path.read_text("utf-8").splitlines(), lines, strict=True)
        if line != was
    ]
    assert len(differing) == 3  # the value, its array's checksum and the header's
    assert document["sha256"] == seal(document)


def test_a_safetensors_recording_has_the_same_header_and_the_raw_bits(tmp_path: Path):
    whole = recording(recorded("[0 1 2 b]", tensors_of((1, 3, 1, 2), (2, 1, 6, 1))))
    plain, packed = (tmp_path / f"one{suffix}" for suffix in (".json", ".safetensors"))
    write_recording(plain, whole)
    write_recording(packed, whole)
    outer, payload = unsealed_tensors(packed)
    header = json.loads(outer.pop("__metadata__")["convdiff"])
    document = json.loads(plain.read_text("utf-8"))
    del document["values"]
    assert header == document
    output = whole.cases["one"].entries[0].output
    (name,) = [name for name in outer if "conv2d" in name]
    start, end = outer[name]["data_offsets"]
    assert payload[start:end] == output.tobytes()
