"""Numbers in reports: shortest that round-trips, whatever the format."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convdiff.report.numbers import count, decimal, delta, shortest

FORMATS = {
    "float16": (np.dtype(np.float16), np.uint16),
    "bfloat16": (np.dtype(ml_dtypes.bfloat16), np.uint16),
    "float32": (np.dtype(np.float32), np.uint32),
    "float64": (np.dtype(np.float64), np.uint64),
}


@pytest.mark.parametrize("name", FORMATS)
@given(raw=st.integers(0, 2**64 - 1))
@example(raw=0)
@example(raw=1)
@example(raw=0x3DCCCCCD)
@example(raw=0x7F7FFFFF)
@example(raw=0x7F800000)
@example(raw=0x7FC00000)
@example(raw=0x80000000)
def test_every_number_reads_back_as_itself(name: str, raw: int):
    dtype, bits = FORMATS[name]
    value = np.array([raw % 2 ** (8 * dtype.itemsize)], bits).view(dtype)[0]
    for text in (decimal(value), json.loads(json.dumps(shortest(value), allow_nan=False))):
        back = np.array([float(text)]).astype(np.float32 if name == "bfloat16" else dtype)
        back = back.astype(dtype)
        if np.isnan(np.float64(value)):
            assert np.isnan(np.float64(back[0]))
        else:
            assert back.view(bits)[0] == value.view(bits)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_difference_carries_its_sign(value: float):
    text = delta(value)
    assert text[0] in "+-"
    assert float(text) == pytest.approx(value, rel=1e-8)


def test_the_questions_numbers_are_written_as_in_the_question():
    assert decimal(np.float32(60.87010574)) == "60.87010574"
    assert decimal(np.float32(85.09008789)) == "85.09008789"
    assert delta(2.0**-17) == "+7.62939453e-06"
    assert delta(-(2.0**-16)) == "-1.52587891e-05"


def test_counts_have_separators_until_they_are_too_long():
    assert (count(7), count(12_345), count(2**63)) == ("7", "12,345", "9.22e+18")
