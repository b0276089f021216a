"""The spool: observations out of memory and back, bit for bit."""

from __future__ import annotations

import tracemalloc
from contextlib import closing

import ml_dtypes
import numpy as np
import pytest

from convdiff.case.device import Device
from convdiff.lab.store import RECENT, Spool
from convdiff.plan.cell import Cell, Observation
from convdiff.runtime.model import Interpreter, Runtime

RUNTIME = Runtime(Interpreter("tensorflow", "python"), Device("cpu"))


def cell(length: int, **more: int) -> Cell:
    return Cell(RUNTIME, "conv2d", length, 1, **more)


@pytest.fixture
def spool():
    with closing(Spool()) as kept:
        yield kept


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "uint16", "int64", ml_dtypes.bfloat16]
)
def test_outputs_come_back_bit_for_bit(spool, dtype):
    rng = np.random.default_rng(1)
    outputs = {}
    for length in range(1, 20):
        raw = rng.bytes(2 * 3 * length * np.dtype(dtype).itemsize)
        outputs[cell(length)] = np.frombuffer(raw, dtype).reshape(2, 1, length, 3)
        spool.add(Observation(cell(length), outputs[cell(length)]))
    for key, output in outputs.items():
        found = spool.get(key)
        assert found.cell == key and found.reason is None
        assert found.output.dtype == output.dtype and found.output.shape == output.shape
        assert found.output.tobytes() == output.tobytes()
    assert len(spool) == 19


def test_an_output_without_elements_comes_back_empty(spool):
    spool.add(Observation(cell(1), np.zeros((0, 1, 4, 1), np.float32)))
    for length in range(2, 2 + RECENT):
        spool.add(Observation(cell(length), np.ones((1, 1, 1, 1), np.float32)))
    assert spool.get(cell(1)).output.shape == (0, 1, 4, 1)


def test_an_output_that_is_a_view_is_kept_as_it_reads(spool):
    base = np.arange(24.0).reshape(1, 2, 4, 3)
    spool.add(Observation(cell(1), base.transpose(0, 2, 1, 3)[:, ::2]))
    for length in range(2, 2 + RECENT):
        spool.add(Observation(cell(length), base))
    assert np.array_equal(spool.get(cell(1)).output, base.transpose(0, 2, 1, 3)[:, ::2])


def test_failures_keep_their_reason_and_are_listed(spool):
    spool.add(Observation(cell(1), np.ones((1, 1, 1, 1))))
    lost = Observation(cell(2), None, "worker killed by SIGKILL", died=True)
    spool.add(lost)
    assert spool.get(cell(2)) == lost
    assert list(spool.failures()) == [lost]
    assert len(spool) == 2


def test_cells_that_differ_in_anything_are_kept_apart(spool):
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
        spool.add(Observation(key, np.full((1, 1, 1, 1), number)))
    assert [spool.get(key).output.item() for key in cells] == list(range(len(cells)))


def test_a_cell_that_was_never_made_is_none(spool):
    assert spool.get(cell(1)) is None and len(spool) == 0


@pytest.mark.parametrize("first", ["output", "failure"])
@pytest.mark.parametrize("second", ["output", "failure"])
def test_the_same_cell_again_replaces_what_there_was(spool, first, second):
    outcomes = {
        "output": lambda n: Observation(cell(1), np.full((1, 1, 1, 1), n)),
        "failure": lambda n: Observation(cell(1), None, f"reason {n}"),
    }
    spool.add(outcomes[first](1))
    spool.add(outcomes[second](2))
    for length in range(2, 2 + RECENT):  # out of the last few that are in memory
        spool.add(Observation(cell(length), np.ones((1, 1, 1, 1))))
    found = spool.get(cell(1))
    assert (found.output.item() if second == "output" else found.reason) in (2, "reason 2")
    assert len(spool) == 1 + RECENT
    assert len(list(spool.failures())) == (second == "failure")


def test_memory_stays_flat_however_many_cells_there_are(spool):
    output = np.ones((1, 1, 50_000, 1), np.float32)  # 200 kB
    tracemalloc.start()
    try:
        for length in range(400):  # 80 MB in all
            spool.add(Observation(cell(length), output + length))
        for length in range(400):
            assert spool.get(cell(length)).output[0, 0, 0, 0] == 1 + length
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000
    assert peak < 3_000_000
