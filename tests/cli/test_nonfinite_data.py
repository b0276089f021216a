"""NaN and infinity in a case's data, through the whole program and kernels of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import Ran, case_file, convdiff

pytestmark = pytest.mark.slow

KERNELS = """
import numpy as np


def taps(x, w, b, order=list, product=np.multiply):
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[3]), x.dtype)
    for i, j, c in order(np.ndindex(*w.shape[:3])):
        y = y + product(x[:, i : i + rows, j : j + columns, c, None], w[i, j, c])
    return y if b is None else y + b


def right(x, w, b):
    return taps(x, w, b)


def backwards(x, w, b):
    return taps(x, w, b, lambda taps: list(taps)[::-1])


def cleaning(x, w, b):
    return taps(np.nan_to_num(x), w, b)


cleaning_too = cleaning


def moved(x, w, b):
    return backwards(x, w, b) if np.isnan(x).any() else right(x, w, b)


def by_length(x, w, b):
    return backwards(x, w, b) if x.shape[2] % 2 else right(x, w, b)


def scaled(x, w, b):
    return right(x, w, b) * np.float32(2 if np.isnan(x).any() else 1)


def skipping(x, w, b):
    return taps(x, w, b, product=lambda x, w: np.where(w == 0, x.dtype.type(0), x * w))


def fourier(x, w, b):
    size = (x.shape[1] + w.shape[0], x.shape[2] + w.shape[1])
    spectrum = np.fft.rfft2(x, size, axes=(1, 2)).astype(np.complex64)
    weights = np.fft.rfft2(w[::-1, ::-1], size, axes=(0, 1)).astype(np.complex64)
    multiplied = np.einsum("nhwc,hwck->nhwk", spectrum, weights).astype(np.complex64)
    y = np.fft.irfft2(multiplied, size, axes=(1, 2)).astype(np.float32)
    y = y[:, w.shape[0] - 1 : x.shape[1], w.shape[1] - 1 : x.shape[2]]
    return y if b is None else y + b
"""
CASE = """
filter: [[[[1.25, 0.0], [-0.5, 0.7]]], [[[0.3, 2.1], [1.7, -0.9]]]]
bias: [0.1, 0.2]
input: [[[[0.5, 1.1], [.nan, 0.9], [1.3, -2.2], [0.1, 0.3], [.inf, 1.9]],
         [[1.5, 0.7], [0.2, 1.9], [-1.3, 2.2], [1.1, -.inf], [0.7, 1.4]]]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "k.py").write_text(KERNELS, "utf-8")
    case_file(tmp_path, CASE)
    return tmp_path


def asked(folder: Path, *kernels: str, more: tuple[object, ...] = ()) -> tuple[Ran, Any]:
    """Run the case on kernels; return what came, and the JSON report's case."""
    options = [part for name in kernels for part in ("--kernel", f"k:{name}")]
    ran = convdiff("run", "case.yaml", *options, "--json", "report.json", *more, cwd=folder)
    text = (folder / "report.json").read_text("utf-8")
    report = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return ran, report["cases"][0]


def along(case: Any, axis: str, op: str = "conv2d") -> Any:
    (found,) = [
        one for one in case["comparisons"] if one["axis"] == axis and one["candidate"]["op"] == op
    ]
    return found


def test_sound_kernels_are_green_and_their_orders_are_proved(folder: Path):
    ran, case = asked(folder, "right", "backwards")
    assert ran.code == 0, ran.out + ran.err
    (note,) = case["notes"]
    assert note == (
        "3 of 20 input values are NaN or infinite: 3 NaN, 2 inf, 1 -inf of 10 outputs must be so, "
        "no others"
    )
    found = along(case, "runtime")
    assert found["verdict"] in ("same", "rounding")
    assert found["explanation"]["status"] in ("proved", "not_needed")


IMAGES = """
filter: [1.25, -0.5, 0.3]
input: [[[[0.5], [1.1], [1.3], [0.1], [0.3]]], [[[.nan], [.nan], [.nan], [.nan], [.nan]]]]
"""


@pytest.mark.parametrize(
    ("part", "notes"),
    [
        (
            "",
            ["5 of 10 input values are NaN or infinite: 3 NaN of 6 outputs must be so, no others"],
        ),
        ("batch: 1", []),
        (
            "lengths: 4",
            ["4 of 8 input values are NaN or infinite: 2 NaN of 4 outputs must be so, no others"],
        ),
    ],
)
def test_an_image_of_nan_is_run_and_only_what_is_run_is_spoken_of(
    folder: Path, part: str, notes: list[str]
):
    case_file(folder, f"{IMAGES}{part}\n")
    ran, case = asked(folder, "right")
    assert (ran.code, case["notes"]) == (0, notes), ran.out
    ran, case = asked(folder, "cleaning")
    assert ran.code == (1 if notes else 0), "the kernel loses it, where it is run"


def test_two_kernels_that_lose_a_nan_are_equal_and_wrong(folder: Path):
    ran, case = asked(folder, "cleaning", "cleaning_too")
    assert ran.code == 1
    found = along(case, "runtime")
    assert found["differing"] == 0 and found["verdict"] == "wrong"
    assert any("baseline: NaN or infinity lost: (0,0,1,0)" in text for text in found["evidence"])
    assert any("candidate: NaN or infinity lost: (0,0,1,0)" in text for text in found["evidence"])
    headline = " ".join(ran.out.split())
    assert "NaN or infinity in the data is not what it must be on conv2d: wrong" in headline


def test_a_kernel_that_skips_zero_weights_is_found(folder: Path):
    ran, case = asked(folder, "right", "skipping")
    assert ran.code == 1
    found = along(case, "runtime")
    assert found["verdict"] == "wrong"
    assert any(text.startswith("candidate: NaN or infinity lost") for text in found["evidence"])


def test_a_transform_spreads_it(folder: Path):
    ran, case = asked(folder, "right", "fourier")
    assert ran.code == 1, "a transform is no rounding"
    assert along(case, "runtime")["verdict"] == "transform"


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_recordings_hold_it_bit_by_bit_and_are_compared(folder: Path, suffix: str):
    for name in ("right", "backwards", "cleaning"):
        more = ("--save", f"{name}{suffix}")
        asked(folder, name, more=more)
    assert convdiff("compare", f"right{suffix}", f"right{suffix}", cwd=folder).code == 0
    ran = convdiff("compare", f"right{suffix}", f"backwards{suffix}", cwd=folder)
    assert ran.code in (0, 1) and "wrong" not in ran.out, ran.out
    ran = convdiff("compare", f"right{suffix}", f"cleaning{suffix}", cwd=folder)
    assert ran.code == 1 and "NaN or infinity lost" in " ".join(ran.out.split())
    ran = convdiff("show", f"right{suffix}", cwd=folder)
    assert ran.code == 0 and "nan" in ran.out
    kept = convdiff(
        "run", "case.yaml", "--kernel", "k:right", "--baseline", f"right{suffix}", cwd=folder
    )
    assert kept.code == 0, kept.out


def test_orders_of_an_element_that_is_nan_are_explained(folder: Path):
    ran = convdiff("explain", "case.yaml", "--kernel", "k:right", "--index", "0,0,1,0", cwd=folder)
    assert ran.code == 0 and "nan" in ran.out, ran.out + ran.err
    ran = convdiff(
        "explain", "case.yaml", "--kernel", "k:cleaning", "--index", "0,0,1,0", cwd=folder
    )
    assert "Traceback" not in ran.err
    assert "has no proven order" in ran.out, "its bits are not those of any order"


def test_a_sweep_names_safe_lengths_on_random_inputs_and_weights_without_nan(folder: Path):
    case_file(
        folder,
        "filter: [1.5, .nan, 0.25, 3.7]\ninput: {normal: 1.0, seed: 1}\nlengths: 5..8\n",
    )
    ran, case = asked(folder, "right")
    assert ran.code == 0, ran.out
    assert "mistrusted" not in {one["verdict"] for one in case["comparisons"]}, (
        "all NaN, as must be"
    )
    (safe,) = case["safe_lengths"]
    assert safe["lengths"] == [5, 6, 7, 8] and safe["proved"] == [5, 6, 7]
    _, case = asked(folder, "by_length")
    (safe,) = case["safe_lengths"]
    assert safe["lengths"] == [6, 8] and safe["unsafe"] == [5, 7], "though all are NaN"


def test_outputs_that_someone_else_computed_are_held_against_ieee_arithmetic(folder: Path):
    """Column 1 of the output must be NaN, and the last two are infinite or NaN."""
    case_file(
        folder, "filter: [1.0, 2.0]\ninput: [1.0, .nan, 2.0, 3.0, 4.0, .inf, 0.5]\n", "small.yaml"
    )
    nan, inf = np.nan, np.inf
    outputs = {
        "right": [nan, nan, 8, 11, inf, inf],
        "lost": [1, 4, 8, 11, inf, inf],
        "spread": [nan, nan, nan, 11, inf, inf],
        "mistaken": [nan, nan, 8, 11, -inf, nan],
    }
    for name, values in outputs.items():
        np.save(folder / f"{name}.npy", np.array(values, np.float32).reshape(1, 1, 6, 1))

    def compared(one: str, other: str) -> tuple[int, str]:
        ran = convdiff("compare", f"{one}.npy", f"{other}.npy", "--case", "small.yaml", cwd=folder)
        assert "Traceback" not in ran.err
        return ran.code, " ".join(ran.out.split())

    assert compared("right", "right")[0] == 0
    for name, words in (
        ("lost", "NaN or infinity lost: (0,0,0,0), (0,0,1,0)"),
        ("spread", "NaN or infinity where none belongs: (0,0,2,0)"),
        ("mistaken", "mistaken for each other: (0,0,4,0), (0,0,5,0)"),
    ):
        for pair in (("right", name), (name, "right"), (name, name)):
            code, said = compared(*pair)
            assert code == 1 and words in said, said


def test_outputs_that_no_nan_reaches_are_those_of_the_clean_data(folder: Path):
    ran, case = asked(folder, "right")
    assert along(case, "clean")["verdict"] == "same" and ran.code == 0
    ran, case = asked(folder, "moved")
    found = along(case, "clean")
    assert ran.code == 1 and found["verdict"] == "rounding" and not found["allowed"]
    assert "outputs that no NaN or infinity reaches change with it" in " ".join(ran.out.split())
    ran, case = asked(folder, "cleaning")
    assert along(case, "clean")["verdict"] == "same", "what it loses is told along other axes"
    ran, case = asked(folder, "scaled")
    assert along(case, "clean")["verdict"] == "wrong"
    ran, case = asked(folder, "fourier")
    assert along(case, "clean")["verdict"] == "transform" and ran.code == 1


def test_clean_data_are_asked_for_where_they_say_something_and_may_be_allowed(folder: Path):
    case_file(folder, "filter: [1.5, 2.0]\ninput: [1.0, 2.0, 3.0, 4.0]\nlengths: [3, 4]\n")
    _, case = asked(folder, "right")
    assert "clean" not in {one["axis"] for one in case["comparisons"]}, "there is no NaN"
    case_file(folder, f"{CASE}expect: {{clean: rounding}}\n")
    ran, case = asked(folder, "moved", more=("--save", "kept.json"))
    assert along(case, "clean")["allowed"] and ran.code == 0
    shown = convdiff("show", "kept.json", cwd=folder)
    assert re.search(r"rounding along .*\bclean\b", shown.out)
    case_file(folder, "filter: [1.5, .nan]\ninput: [1.0, 2.0, 3.0]\n")
    ran, case = asked(folder, "right")
    assert ran.code == 0
    assert along(case, "clean")["reason"] == "NaN or infinity in the data reaches every output"
