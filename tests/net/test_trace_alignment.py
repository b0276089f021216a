"""Which parts of activations are compared, and that what is compared is what is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from net_files import net_of

from convdiff.lab.session import Session
from convdiff.net.trace import observed
from convdiff.net.trace.model import TraceResult
from convdiff.net.trace.run import TraceAsk, trace
from convdiff.report.trace_summary import summarise_trace
from convdiff.runtime.matrix import interpreters

HEAD = "input: {normal: 1, seed: 1}\nlayers:\n"
SAME = (
    HEAD
    + """
  - conv2d: {filter: {normal: 1, shape: [1, 3, 2, 3], seed: 2}, padding: same}
  - relu
  - conv2d: {filter: {normal: 1, shape: [1, 5, 3, 3], seed: 3}, padding: same}
"""
)
STRIDED = (
    SAME
    + "  - conv2d: {filter: {normal: 1, shape: [1, 3, 3, 3]}, padding: same, strides: [1, 2]}\n"
)
KERNEL = """
import numpy as np


def other_way_round_where_long(x, w, b, padding=((0, 0), (0, 0))):
    x = np.pad(x, [(0, 0), *padding, (0, 0)])
    columns = x.shape[2] - w.shape[1] + 1
    taps = list(np.ndindex(*w.shape[1:3]))
    if x.shape[2] > 14 and w.shape[1] == 5:
        taps.reverse()
    y = np.float32(0)
    for j, c in taps:
        y = y + x[:, :, j : j + columns, c, None] * w[0, j, c]
    return y if b is None else y + b
"""


@pytest.fixture(scope="module")
def numpy_session() -> Iterator[Session]:
    with Session(interpreters(("numpy",), (), (), (), ()), 60) as session:
        yield session


def traced(session: Session, text: str, **ask) -> TraceResult:
    return trace(net_of(text), session, TraceAsk(**ask), lambda *_: None)


def statuses(result: TraceResult, length: int) -> dict[str, str]:
    (pair,) = [one for one in result.pairs if one.pair.candidate.length == length]
    return {layer.name: layer.status for layer in pair.layers}


def test_what_sees_padding_at_one_length_and_inputs_at_another_is_not_compared(numpy_session):
    result = traced(numpy_session, "lengths: [9, 12]\n" + SAME)
    assert result.exit_code == 0
    (pair,) = result.pairs
    assert [layer.aligned for layer in pair.layers] == [8, 8, 6]
    assert {layer.status for layer in pair.layers} == {"untouched"}


def test_layers_whose_windows_start_elsewhere_are_apart(numpy_session):
    result = traced(numpy_session, "lengths: [9, 10, 12]\n" + STRIDED)
    assert statuses(result, 9)["conv2d_3"] == "apart"
    assert statuses(result, 10)["conv2d_3"] == "untouched"
    reasons = {one.pair.candidate.length: one.reason for one in result.pairs}
    nothing = "from conv2d_3 on nothing sees the same inputs at lengths 9 and 12"
    assert reasons[9] == f"{nothing}: compare other lengths"
    assert result.exit_code == 125
    assert summarise_trace(result, "").headline.endswith("; 1 of 2 not compared")


def test_images_of_a_batch_are_compared_with_the_first_ones(numpy_session):
    result = traced(numpy_session, "lengths: 9\nbatch: [1, 3]\n" + SAME)
    assert [pair.pair.axis for pair in result.pairs] == ["batch"]
    assert result.exit_code == 0


def test_a_padded_layer_is_isolated_and_proved_where_both_sides_see_the_same(tmp_path, monkeypatch):
    (tmp_path / "kernels.py").write_text(KERNEL)
    monkeypatch.chdir(tmp_path)
    kernel = "kernels:other_way_round_where_long"
    with Session(interpreters((kernel,), (), (), (), ()), 60) as session:
        result = traced(session, "lengths: [9, 12]\n" + SAME)
    assert result.pairs[0].entered == ("conv2d_2",)
    (entry,) = result.entries
    assert entry.alone == "same"
    assert entry.verdict == "rounding"
    assert entry.is_proved
    assert result.exit_code == 1


@pytest.mark.slow
def test_activations_that_come_in_shares_are_those_that_come_at_once(monkeypatch, tmp_path):
    (tmp_path / "kernels.py").write_text(KERNEL)
    monkeypatch.chdir(tmp_path)
    found = []
    with Session(interpreters(("kernels:other_way_round_where_long",), (), (), (), ()), 60) as one:
        for share in (observed.SHARE, 1):
            monkeypatch.setattr(observed, "SHARE", share)
            text = "lengths: [9, 12]\n" + SAME + "  - relu\n  - tanh\n"
            result = traced(one, text, keep=tmp_path / str(share))
            found.append(
                [layer.growth and layer.growth.relative for layer in result.pairs[0].layers]
            )
    assert found[0] == found[1]
    assert found[0][-1]
