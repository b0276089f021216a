"""What digests of activations tell apart."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from convdiff.worker import wire
from convdiff.worker.nets.digests import KEPT_BYTES, Digests, Piece, alike, digests_of
from convdiff.worker.nets.message import frames


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
    (frame,) = frames(Runner(array), Digests(), header, 0, {"x": array})
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
    columns = [(0, 9), (0, 4), (0, 4), (2, 7), (0, 0), (2, 3)]
    pieces = [Piece(n, *ends) for n in {len(y), 1} for ends in columns]
    together = digests_of(y, pieces)
    assert together.keys() == set(pieces)
    for piece, made in together.items():
        cut = np.ascontiguousarray(y[: piece.images, :, piece.start : piece.stop])
        whole = Piece(len(cut), 0, cut.shape[2])
        assert made == digests_of(cut, [whole])[whole], piece
    assert len(set(together.values())) == len(together) - (len(y) > 1)  # the empty ones are one


def made(digests: Digests, y: Any, pieces: list[Piece]) -> dict[Piece, str]:
    making = digests.start("y", y, pieces)
    return {piece: making.of(piece) for piece in pieces}


@pytest.mark.parametrize("is_strict", [True, False])
def test_what_is_compared_with_what_is_kept_has_the_digests_that_it_has_alone(is_strict):
    """One value changed, a zero negated, shorter and longer ones, another shape or dtype."""
    first = np.random.default_rng(4).integers(0, 3, (2, 2, 9, 3)).astype(np.float32)
    digests, pieces = Digests(), [Piece(n, 0, stop, is_strict) for n in (1, 2) for stop in (2, 5)]
    made(digests, first, pieces)
    others = [first, first[:, :, :5], first[:, :1], first.view(np.int32), first[..., :2]]
    for index in np.ndindex(first.shape):
        other = first.copy()
        other[index] = -0.0 if other[index] == 0 else 7
        others.append(other)
    for other in others:
        assert made(digests, other, pieces) == digests_of(other, pieces)
        assert made(digests, other[:1], pieces[:2]) == digests_of(other, pieces[:2])
    assert digests.start("y", first.copy(), pieces).work is None, "nothing is hashed again"
    new = Piece(2, 3, 9, is_strict)
    assert made(digests, first, [new]) == digests_of(first, [new])


def test_what_is_kept_is_a_copy_and_bounded():
    """A framework may write its next activation where this one lies."""
    digests, y, piece = Digests(), np.zeros((1, 1, 4, 2), np.float32), Piece(1, 0, 4)
    before = made(digests, y, [piece])
    y[:] = 1
    assert made(digests, y, [piece]) != before
    large = np.zeros((1, 1, 4, KEPT_BYTES // 4), np.uint8)
    digests.start("large", large, [piece])
    assert list(digests.kept) == ["y"]
