"""The onnx package's own tests of Conv, ConvTranspose and Gemm, in every framework."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from answers import Question, ask
from asking import Lab, need
from by_taps import by_taps
from known import check
from onnx_nodes import NotAnOp, node_cases, question, stored_cases
from test_geometries import SPECS

from convdiff.case.arrays import Tensors
from convdiff.plan.cell import NoBits

pytestmark = pytest.mark.framework

NO_OP = {"test_gemm_default_matrix_bias"}
"""It adds a matrix, no bias."""


@pytest.fixture(scope="module")
def questions() -> Iterator[dict[str, Question]]:
    """Yield every node with its arrays and its stored output."""
    pytest.importorskip("onnx", reason="onnx's own test data come with it")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, node, inputs, output in [*node_cases(patch), *stored_cases()]:
            try:
                found[name] = question(node, inputs, output)
            except NotAnOp:
                assert name in NO_OP, name
    yield found


def bound(one: Question) -> np.ndarray:
    """Return how far two sums of an output's products may be apart: 2·γₙ·A (Higham, §3.1)."""
    given = one.tensors
    bias = None if given.bias is None else np.abs(given.bias)
    scale = by_taps(one.conv, Tensors(np.abs(given.filter_hwio), bias, np.abs(given.input_nhwc)))
    terms = (one.conv.taps + 1) * 2.0**-24
    return 2 * terms / (1 - terms) * scale


def test_all_that_onnx_tests_is_read(questions: dict[str, Question]):
    ops = {one.conv.op for one in questions.values()}
    assert ops == {
        *("conv1d", "conv2d", "conv3d", "dense"),
        *("conv1d_transpose", "conv2d_transpose", "conv3d_transpose"),
    }
    assert len(questions) >= 50
    for name, one in questions.items():
        rounded = by_taps(one.conv, one.tensors).astype(np.float32)
        assert not one.fault(rounded, bound(one)), name


@pytest.mark.parametrize("spec", SPECS)
def test_every_answer_is_within_rounding_of_the_stored_one(
    lab: Lab, spec: str, questions: dict[str, Question]
):
    need(spec)
    answers = ask(lab.pool, spec, list(questions.values()))
    for (name, one), answer in zip(questions.items(), answers, strict=True):
        assert isinstance(answer, NoBits) or answer.dtype == np.float32, name
        check(spec, one, answer, bound(one))
