"""A large reference is computed, and probed, at some of its outputs; each as it is of the whole."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import make_tensors
from convdiff.case.device import Device
from convdiff.case.load import stdin_case
from convdiff.lab.jobs import measure, probe
from convdiff.plan import sampled
from convdiff.plan.cell import Cell
from convdiff.plan.sampled import Part, places_of
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker import manual as module
from convdiff.worker.framework import Device as Where
from convdiff.worker.frameworks.numpy import Loop
from convdiff.worker.manual import manual, positions_a_call
from convdiff.worker.ops.convolution import Convolution

LARGE = """
filter: {normal: 1, shape: [3, 3, 16, 16], seed: 1}
input: {normal: 1, shape: [1, 200, 200, 16], seed: 2}
"""


class Shapes(Loop):
    """NumPy, which keeps the shapes that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def multiply_sum(self, dtype, device, table, columns):
        self.seen.append(table.shape)
        return super().multiply_sum(dtype, device, table, columns)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "conv",
    [
        Convolution((1, 5), 1, 1),
        Convolution((2, 3), 2, 4, groups=2, strides=(2, 1)),
        Convolution((3, 2), 3, 3, groups=3, dilations=(1, 2)),
    ],
)
@pytest.mark.parametrize("chunk", [1, 40, 131])
def test_some_places_have_the_bits_and_the_call_of_the_whole(monkeypatch, conv, bias, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 9, 11, conv.channels_in)).astype(np.float32)
    w = rng.normal(size=conv.filter_shape).astype(np.float32)
    b = rng.normal(size=conv.channels_out).astype(np.float32) if bias else None
    framework, part = Shapes(), Shapes()
    whole = manual(framework, conv, Where("cpu"), x, w, b)
    places = rng.permutation(int(np.prod(whole.shape[:3])))[: 2 * positions_a_call(conv)]
    found = manual(part, conv, Where("cpu"), x, w, b, places)
    assert found.shape == (1, 1, len(places), conv.channels_out)
    assert np.array_equal(found[0, 0], whole.reshape(-1, conv.channels_out)[places])
    assert set(part.seen) == {framework.seen[0]}, "a call of another shape is another kernel"


def cell_of(op: str = "manual", length: int = 200) -> Cell:
    return Cell(Runtime(Interpreter("numpy", sys.executable), Device("cpu")), op, length, 1)


def test_places_fill_calls_and_lie_in_corners_on_borders_and_anywhere():
    case = stdin_case(LARGE)
    places, size = places_of(case, cell_of()), 198
    assert len(places) % positions_a_call(case.conv) == 0
    assert len(set(places.tolist())) == len(places) < size**2 // 4
    rows, columns = np.divmod(places, size)
    corners = {(y, x) for y in (0, size - 1) for x in (0, size - 1)}
    assert corners <= set(zip(rows.tolist(), columns.tolist(), strict=True))
    for index in (rows, columns):
        assert (index == 0).sum() > 100 and (index >= size - 16).sum() > 500
        assert (np.histogram(index, 10, (0, size))[0] > 50).all()


@pytest.mark.parametrize("cell", [cell_of("conv2d"), cell_of(length=20)])
def test_a_kernel_under_test_and_a_small_reference_are_computed_whole(cell: Cell):
    assert places_of(stdin_case(LARGE), cell) is None


def test_what_a_sample_would_be_hardly_less_than_is_computed_whole(monkeypatch):
    monkeypatch.setattr(sampled, "LARGE", 0)
    assert places_of(stdin_case(LARGE), cell_of(length=150)) is not None
    monkeypatch.setattr(sampled, "FEWEST", 198 * 147 // 4 + 1)
    assert places_of(stdin_case(LARGE), cell_of(length=149)) is None


@pytest.mark.slow
def test_a_worker_answers_in_part(workers):
    case = stdin_case(LARGE)
    cell = cell_of()
    tensors = make_tensors(case)
    (whole,), (part,) = (ask(case, cell, [tensors], workers) for ask in (measure, probe))
    assert isinstance(whole, np.ndarray) and isinstance(part, Part)
    assert len(part.places) < whole.size // 16 // 4
    right = np.zeros_like(whole)
    placed = part.within(right)
    assert np.array_equal(placed.reshape(-1, 16)[part.places], whole.reshape(-1, 16)[part.places])
    assert not right.any(), "the right answer is another's"


@pytest.mark.slow
def test_a_fault_in_a_part_is_seen(workers):
    case = stdin_case(LARGE)
    cell = cell_of()

    def faulty(cell, data):
        answers = probe(case, cell, data, workers)
        for answer in answers:
            answer.values[-1, 3] += 1
        return answers

    assert behaviour_of(case, cell, faulty).traits.error
