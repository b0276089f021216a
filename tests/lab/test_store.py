"""The store: observations out of memory and back, bit for bit."""

from __future__ import annotations

import tracemalloc
from contextlib import closing

import ml_dtypes
import numpy as np
import pytest

from convdiff.case.device import Device
from convdiff.lab.store import NOT_RUN, RECENT, Store
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Interpreter, Runtime

RUNTIME = Runtime(Interpreter("tensorflow", "python"), Device("cpu"))


def cell(length: int, **more: int) -> Cell:
    return Cell(RUNTIME, "conv2d", length, 1, **more)


@pytest.fixture
def store():
    with closing(Store()) as kept:
        yield kept


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "uint16", "int64", ml_dtypes.bfloat16]
)
def test_outputs_come_back_bit_for_bit(store, dtype):
    rng = np.random.default_rng(1)
    outputs = {}
    for length in range(1, 20):
        raw = rng.bytes(2 * 3 * length * np.dtype(dtype).itemsize)
        outputs[cell(length)] = np.frombuffer(raw, dtype).reshape(2, 1, length, 3)
        store.put(cell(length), outputs[cell(length)])
    for key, output in outputs.items():
        kept = store.get(key)
        assert kept.dtype == output.dtype and kept.shape == output.shape
        assert kept.tobytes() == output.tobytes()
    assert len(store) == 19


def test_an_output_without_elements_comes_back_empty(store):
    store.put(cell(1), np.zeros((0, 1, 4, 1), np.float32))
    for length in range(2, 2 + RECENT):
        store.put(cell(length), np.ones((1, 1, 1, 1), np.float32))
    assert store.get(cell(1)).shape == (0, 1, 4, 1)


def test_an_output_that_is_a_view_is_kept_as_it_reads(store):
    base = np.arange(24.0).reshape(1, 2, 4, 3)
    store.put(cell(1), base.transpose(0, 2, 1, 3)[:, ::2])
    for length in range(2, 2 + RECENT):
        store.put(cell(length), base)
    assert np.array_equal(store.get(cell(1)), base.transpose(0, 2, 1, 3)[:, ::2])


def test_failures_keep_their_reason_and_are_listed(store):
    store.put(cell(1), np.ones((1, 1, 1, 1)))
    lost = NoBits("worker killed by SIGKILL", died=True)
    store.put(cell(2), lost)
    assert store.get(cell(2)) == lost
    assert list(store.failures()) == [(cell(2), lost)]
    assert len(store) == 2


def test_cells_that_differ_in_anything_are_kept_apart(store):
    cells = [
        cell(5),
        cell(6),
        cell(5, repeat=1),
        cell(5, trial=1),
        Cell(RUNTIME, "manual", 5, 1),
        Cell(RUNTIME, "conv2d", 5, 2),
        Cell(Runtime(RUNTIME.interpreter, Device("gpu", 0)), "conv2d", 5, 1),
        Cell(Runtime(Interpreter("tensorflow", "python", 2), Device("cpu")), "conv2d", 5, 1),
    ]
    for number, key in enumerate(cells):
        store.put(key, np.full((1, 1, 1, 1), number))
    assert [store.get(key).item() for key in cells] == list(range(len(cells)))


def test_a_cell_that_was_never_run_gave_no_bits(store):
    assert store.get(cell(1)) == NOT_RUN and len(store) == 0


@pytest.mark.parametrize("first", ["output", "failure"])
@pytest.mark.parametrize("second", ["output", "failure"])
def test_the_same_cell_again_replaces_what_there_was(store, first, second):
    outcomes = {
        "output": lambda n: np.full((1, 1, 1, 1), n),
        "failure": lambda n: NoBits(f"reason {n}"),
    }
    store.put(cell(1), outcomes[first](1))
    store.put(cell(1), outcomes[second](2))
    for length in range(2, 2 + RECENT):  # out of the last few that are in memory
        store.put(cell(length), np.ones((1, 1, 1, 1)))
    kept = store.get(cell(1))
    assert (kept.item() if second == "output" else kept.reason) in (2, "reason 2")
    assert len(store) == 1 + RECENT
    assert len(list(store.failures())) == (second == "failure")


def test_memory_stays_flat_however_many_cells_there_are(store):
    output = np.ones((1, 1, 50_000, 1), np.float32)  # 200 kB
    tracemalloc.start()
    try:
        for length in range(400):  # 80 MB in all
            store.put(cell(length), output + length)
        for length in range(400):
            assert store.get(cell(length))[0, 0, 0, 0] == 1 + length
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000
    assert peak < 3_000_000
