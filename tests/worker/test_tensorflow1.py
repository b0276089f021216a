"""TensorFlow 1.0.0 on Python 3.6, the real one: the question that convdiff began with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from geometries import integers

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.load import built_in_case
from convdiff.compare.exact import exact
from convdiff.lab.pool import Job, Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework

QUESTION = {
    7: "60.87010574 72.98010254 85.09010315",
    8: "60.87010574 72.98009491 85.09008789 97.20009613",
    9: "60.87010574 72.98009491 85.09008789 97.20009613 109.31010437",
}


@pytest.fixture(scope="module")
def workers(tf1_python: str) -> Iterator[tuple[Pool, Interpreter]]:
    """Yield a pool and the interpreter in it; one import for all tests here."""
    with Pool(timeout=120) as pool:
        yield pool, Interpreter("tensorflow", tf1_python)


def run(workers, conv: Convolution, tensors: Tensors, cells: list[dict]) -> list:
    pool, interpreter = workers
    held = {"x": tensors.input_nhwc, "w": tensors.filter_hwio, "b": tensors.bias}
    batch, _, length, _ = tensors.input_nhwc.shape
    common = {"device": "cpu", "x": "x", "w": "w", "b": "b", "length": length, "batch": batch}
    job = Job(interpreter, conv._asdict(), held, [{**common, **cell} for cell in cells])
    outcomes = {cell: result for _, cell, result, _ in pool.observe([job])}
    return [outcomes[number] for number in range(len(cells))]


def test_the_questions_numbers_are_reproduced_digit_for_digit(workers):
    case = built_in_case()
    cells = [{"op": "conv2d", "length": length} for length in QUESTION]
    outputs = run(workers, case.conv, make_tensors(case), cells)
    for output, (length, digits) in zip(outputs, QUESTION.items(), strict=True):
        shown = " ".join(f"{value:.8f}" for value in output.ravel())
        assert shown == digits, f"length {length}"


def test_the_manual_reference_does_not_depend_on_the_length(workers):
    case = built_in_case()
    cells = [{"op": "manual", "length": length} for length in QUESTION]
    *shorter, longest = run(workers, case.conv, make_tensors(case), cells)
    for output in shorter:
        assert np.array_equal(output, longest[:, :, : output.shape[2]])


def test_the_differences_are_those_of_the_question(workers):
    case = built_in_case()
    cells = [{"op": "conv2d", "length": length} for length in (7, 9)]
    seven, nine = run(workers, case.conv, make_tensors(case), cells)
    assert np.abs(seven - nine[:, :, :3]).ravel().tolist() == [0.0, 2.0**-17, 2.0**-16]


def small(conv: Convolution) -> Tensors:
    return integers(conv, (3, conv.reach[0] + 3, 17, conv.channels_in))


@pytest.mark.parametrize(
    "conv",
    [
        Convolution((1, 5), 1, 1),
        Convolution((3, 2), 3, 4, strides=(2, 3)),
        Convolution((3, 2), 2, 3, dilations=(2, 3)),
        Convolution((3, 3), 4, 4, groups=4),
        Convolution((3, 2), 3, 4, dtype="float16"),
    ],
    ids=["plain", "strides", "dilations", "depthwise", "float16"],
)
def test_conv2d_and_manual_are_exact_on_small_integers(workers, conv):
    tensors = small(conv)
    truth = exact(conv, tensors)
    for output in run(workers, conv, tensors, [{"op": "conv2d"}, {"op": "manual"}]):
        assert not isinstance(output, NoBits), output
        assert output.dtype == truth.dtype and np.array_equal(output, truth)


@pytest.mark.parametrize(
    ("conv", "words"),
    [
        (Convolution((1, 3), 4, 6, groups=2), "TensorFlow 1.0.0 has no grouped convolution"),
        (Convolution((1, 3), 1, 1, dtype="bfloat16"), "TensorFlow 1.0.0 has no bfloat16"),
    ],
    ids=["groups", "bfloat16"],
)
def test_what_it_cannot_do_is_refused_with_its_version(workers, conv, words):
    [refused] = run(workers, conv, small(conv), [{"op": "conv2d"}])
    assert isinstance(refused, NoBits) and not refused.died
    assert words in refused.reason


def test_the_fingerprint_tells_its_age(workers):
    pool, interpreter = workers
    found = pool.fingerprint(interpreter)
    assert (found["version"], found["mode"], found["onednn"]) == ("1.0.0", "graph", None)
    assert found["python"].startswith("3.6.") and found["numpy"] == "1.16.6"
