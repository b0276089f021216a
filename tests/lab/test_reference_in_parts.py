"""A large reference is probed call by call: some calls, each as it is made in the whole."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from convdiff.behaviour.answer import Part
from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import make_tensors
from convdiff.case.device import Device
from convdiff.case.load import stdin_case
from convdiff.lab.jobs import measure, probe
from convdiff.plan.cell import Cell
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker import manual as module
from convdiff.worker.framework import Device as Where
from convdiff.worker.frameworks.numpy import Loop
from convdiff.worker.manual import manual, some_places
from convdiff.worker.ops.conv2d import Convolution

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
def test_some_places_have_the_bits_and_calls_of_the_whole(monkeypatch, conv, bias, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 9, 11, conv.channels_in)).astype(np.float32)
    w = rng.normal(size=conv.filter_shape).astype(np.float32)
    b = rng.normal(size=conv.channels_out).astype(np.float32) if bias else None
    framework, part = Shapes(), Shapes()
    whole = manual(framework, conv, Where("cpu"), x, w, b)
    places = some_places(conv, int(np.prod(whole.shape[:3])))
    found = manual(part, conv, Where("cpu"), x, w, b, places)
    assert found.shape == (1, 1, len(places), conv.channels_out)
    assert len(places) < len(framework.seen) * chunk
    assert np.array_equal(found[0, 0], whole.reshape(-1, conv.channels_out)[places])
    assert {0, whole.size // conv.channels_out - 1} <= set(places.tolist())
    assert set(part.seen) == set(framework.seen), "a call of another shape is another kernel"


def test_a_small_reference_is_asked_whole():
    assert some_places(Convolution((3, 3), 64, 64), 49) is None


def test_a_worker_answers_in_part(pool):
    case = stdin_case(LARGE)
    cell = Cell(Runtime(Interpreter("numpy", sys.executable), Device("cpu")), "manual", 200, 1)
    tensors = make_tensors(case)
    (whole,), (part,) = (ask(case, cell, [tensors], pool) for ask in (measure, probe))
    assert isinstance(whole, np.ndarray) and isinstance(part, Part)
    assert len(part.places) < whole.size // 16
    right = np.zeros_like(whole)
    placed = part.within(right)
    assert np.array_equal(placed.reshape(-1, 16)[part.places], whole.reshape(-1, 16)[part.places])
    assert not right.any(), "the right answer is another's"


def test_a_fault_in_a_part_is_seen(pool):
    case = stdin_case(LARGE)
    cell = Cell(Runtime(Interpreter("numpy", sys.executable), Device("cpu")), "manual", 200, 1)

    def faulty(cell, data):
        answers = probe(case, cell, data, pool)
        for answer in answers:
            answer.values[-1, 3] += 1
        return answers

    assert behaviour_of(case, cell, faulty).traits.error
