"""What digests of activations tell apart."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from convdiff.worker import wire
from convdiff.worker.nets.message import alike, digests_of, frames


class Runner:
    """Gives what it is given as the only activation."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def run(self, input_nhwc: Any, fetched: Any) -> Any:
        yield "y", self.array


def digest(array: Any, *, images: int | None = None, strict: bool = False, columns=None) -> str:
    cell = {
        "x": "x",
        "length": array.shape[2],
        "batch": len(array),
        "watched": [["y", "y", columns, images, True, strict]],
    }
    header = {"cells": [cell], "fetched": ["y"], "net": {"outputs": ["y"]}}
    (frame,) = frames(Runner(array), header, 0, {"x": array})
    data = b"".join(bytes(part) for part in frame)
    start = wire.head_size()
    size, _ = wire.decode_head(data[:start])
    return str(wire.decode_header(data[start : start + size])["digests"]["y"])


ZEROS = np.zeros((2, 1, 4, 3), np.float32)


def test_zeros_of_both_signs_are_one_unless_it_is_strict():
    assert digest(ZEROS) == digest(-ZEROS)
    assert digest(ZEROS, strict=True) != digest(-ZEROS, strict=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nans_of_all_payloads_are_one_unless_it_is_strict(dtype):
    nan = np.full((1, 1, 2, 1), np.nan, dtype)
    assert digest(nan) == digest(-nan)
    assert digest(nan, strict=True) != digest(-nan, strict=True)


def test_bfloat16_is_told_apart_as_the_others_are():
    values = np.array([0.0, -0.0, np.nan, -np.nan, 1.5], ml_dtypes.bfloat16).view(np.uint16)
    assert alike(values).tolist() == [0, 0, 0x7FC0, 0x7FC0, values[4]]


def test_other_numbers_have_other_digests_in_the_part_that_is_asked_for():
    other = ZEROS.copy()
    other[1, 0, 3, 2] = 1e-45
    assert digest(other) != digest(ZEROS)
    assert digest(other, images=1) == digest(ZEROS, images=1)
    assert digest(other, columns=[0, 3]) == digest(ZEROS, columns=[0, 3])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint16"])
@pytest.mark.parametrize("shape", [(1, 1, 9, 3), (3, 2, 9, 4)])
def test_parts_that_are_hashed_together_have_the_digests_that_they_have_alone(shape, dtype):
    """The longest run of many lengths is asked for as many parts as there are lengths."""
    y = np.random.default_rng(3).integers(0, 99, shape).astype(dtype)
    parts = [(0, 9), (0, 4), (0, 4), (2, 7), (0, 0), (2, 3), None]
    asked = [(f"{n} {columns}", columns, n) for n in (None, 1) for columns in parts]
    together = digests_of(y, asked)
    assert together.keys() == {key for key, _, _ in asked}
    for key, columns, images in asked:
        cut = np.ascontiguousarray(y[:images, :, slice(*columns or (None,))])
        assert together[key] == digests_of(cut, [("", None, None)])[""], key
    whole = {key: digest for key, digest in together.items() if key.startswith("None")}
    assert len(set(whole.values())) == len({str(part or (0, 9)) for part in parts})
