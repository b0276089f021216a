"""The first filters alone, against all of them: `channels_out` of a case, `--channels-out`."""

from __future__ import annotations

import numpy as np
import pytest
from asking import Lab, of_axis, same_or_proved
from program import convdiff

from convdiff.case.arrays import make_tensors
from convdiff.case.load import case_of
from convdiff.errors import CaseError, ConvdiffError

TEXT = """
filter: {normal: 1, shape: [3, 3, 4, 8], seed: 1}
bias: {normal: 1, seed: 2}
input: {normal: 1, shape: [2, 5, 6, 4], seed: 3}
"""
GROUPED = TEXT.replace("[3, 3, 4, 8]", "[3, 3, 2, 8]") + "groups: 2\n"


def load(text: str, folder):
    return case_of(text, folder / "case.yaml")


def test_all_of_the_filters_are_what_the_others_are_held_against(tmp_path):
    assert load(TEXT + "channels_out: [1, 4, 8]\n", tmp_path).channels_out == (1, 4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT + "channels_out: 9\n", "9 filters of 8"),
        (GROUPED + "channels_out: 3\n", "groups of 4"),
    ],
)
def test_filters_that_are_not_there_are_refused_at_their_place(text, words, tmp_path):
    with pytest.raises(CaseError, match=words):
        load(text, tmp_path)


def test_the_option_is_refused_alike(tmp_path):
    (tmp_path / "case.yaml").write_text(GROUPED)
    ran = convdiff("run", "case.yaml", "--channels-out", "3", cwd=tmp_path)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "3 filters are no whole groups of 4" in ran.err
    assert issubclass(CaseError, ConvdiffError)


@pytest.mark.parametrize("text", [TEXT, GROUPED], ids=["plain", "grouped"])
def test_the_first_filters_are_convolved_with_what_they_see(text, tmp_path):
    case = load(text, tmp_path)
    tensors = make_tensors(case)
    some = case.conv.first(4)
    alone = tensors.first(some)
    assert alone.filter_hwio.shape == some.filter_shape and alone.bias.shape == (4,)
    first, whole = (
        next(conv.tables(given.input_nhwc, given.filter_hwio))
        for conv, given in ((some, alone), (case.conv, tensors))
    )
    assert np.array_equal(first[0], whole[0]) and np.array_equal(first[1], whole[1][:4])


@pytest.mark.framework
@pytest.mark.parametrize("text", [TEXT, GROUPED], ids=["plain", "grouped"])
def test_frameworks_give_the_first_filters_the_same_or_proved_bits(text, lab: Lab):
    case = lab.ask(text + "channels_out: 4\nlengths: [5, 6]\n", "onnxruntime", "torch", "numpy")
    findings = of_axis(case, "channels")
    assert len(findings) == 6
    assert {finding.comparison.difference.elements for finding in findings} == {72, 96}
    same_or_proved(findings)


@pytest.mark.framework
def test_they_are_recorded_and_compared(tmp_path):
    (tmp_path / "case.yaml").write_text(TEXT)
    asked = ("--channels-out", "1,4", "--framework", "numpy")
    ran = convdiff("run", "case.yaml", *asked, "--save", "a.json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    again = convdiff("compare", "a.json", "a.json", "-v", cwd=tmp_path)
    assert again.code == 0 and "4 filters" in again.out
    shown = convdiff("show", "a.json", cwd=tmp_path)
    assert "1 filter" in shown.out and "4 filters" in shown.out
