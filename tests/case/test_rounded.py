"""Values that the dtype can't hold are said: how many, to what, by how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convdiff.case.arrays import make_tensors
from convdiff.case.load import load_case
from convdiff.case.rounded import rounding_notes


def notes(folder: Path, text: str) -> list[str]:
    path = folder / "case.yaml"
    path.write_text(text)
    case = load_case(path)
    return list(rounding_notes(case, make_tensors(case)))


@pytest.mark.parametrize(
    ("values", "dtype", "said"),
    [
        # 2077 → 2076, 2079 → 2080, 2081 → 2080, 4097 → 4096: float16 counts to 2048.
        (
            "[2077, 2079, 2081, 4097]",
            "float16",
            "4 of 4 input values are rounded to float16, each by 1",
        ),
        ("[1, 2, 2049, 4]", "float16", "1 of 4 input values is rounded to float16, by 1"),
        (
            "[257, 514, 1028, 259]",
            "bfloat16",
            "4 of 4 input values are rounded to bfloat16, by at most 4",
        ),
        ("[16777217, 1, 2, 3]", "float32", "1 of 4 input values is rounded to float32, by 1"),
    ],
)
def test_whole_numbers_that_do_not_fit_are_counted(
    tmp_path: Path, values: str, dtype: str, said: str
) -> None:
    text = f"filter: [1, 1, 1]\ninput: {values}\ndtype: {dtype}\n"
    assert notes(tmp_path, text) == [said]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ("[2048, 2050, 4096, 4100]", "float16"),
        ("[2077, 2079, 2081, 4097]", "float32"),
        ("[16777217, 1, 2, 3]", "float64"),
        # A decimal fraction never fits, and says nothing.
        ("[0.1, 0.2, 0.3, 0.4]", "float32"),
        ("[0.1, 0.2, 0.3, 0.4]", "float16"),
        ("{normal: 3.0, shape: [1, 1, 9, 1], seed: 1}", "float16"),
    ],
)
def test_what_fits_and_what_nobody_chose_is_not_said(
    tmp_path: Path, values: str, dtype: str
) -> None:
    assert notes(tmp_path, f"filter: [1, 1, 1]\ninput: {values}\ndtype: {dtype}\n") == []


def test_generated_whole_numbers_filters_and_biases_count_too(tmp_path: Path) -> None:
    text = "filter: [1, 2049]\nbias: [4097]\ninput: {ramp: 2049}\nlengths: 3\ndtype: float16\n"
    assert notes(tmp_path, text) == [
        "1 of 2 filter values is rounded to float16, by 1",
        "1 of 1 bias values is rounded to float16, by 1",
        "2 of 3 input values are rounded to float16, by at most 2",
    ]


def test_a_file_of_a_wider_type_is_said(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((1, 1, 8, 1))
    text = "filter: [1, 1, 1]\ninput: {file: x.npy}\n"
    np.save(tmp_path / "x.npy", values)
    (note,) = notes(tmp_path, text)
    most = np.abs(values - values.astype(np.float32)).max()
    assert note == f"8 of 8 input values (x.npy) are rounded to float32, by at most {most:.3g}"
    np.save(tmp_path / "x.npy", values.astype(np.float32))
    assert notes(tmp_path, text) == []
    np.save(tmp_path / "x.npy", np.array([2**24 + 1, 5, 6, 7]).reshape(1, 1, 4, 1))
    assert notes(tmp_path, text) == ["1 of 4 input values (x.npy) is rounded to float32, by 1"]


@pytest.mark.parametrize("part", ["batch: 1", "lengths: 4", "batch: [1]\nlengths: [3, 4]"])
def test_values_that_are_not_run_are_not_counted(tmp_path: Path, part: str) -> None:
    values = [[[[1], [2049], [3], [4], [5]]], [[[1], [2], [3], [4], [2051]]]]
    text = f"filter: [1, 1, 1]\ninput: {values}\ndtype: float16\n"
    assert notes(tmp_path, text) == ["2 of 10 input values are rounded to float16, each by 1"]
    of = 5 if "lengths" not in part else 4 * (1 if "batch" in part else 2)
    said = f"1 of {of} input values is rounded to float16, by 1"
    assert notes(tmp_path, f"{text}{part}\n") == [said]
