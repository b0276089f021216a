"""Indices of a `layout: nchw` case are PyTorch's, in every report and where one is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import Ran, case_file, convdiff

KERNELS = """
import numpy as np


def _padded_terms(x, w):
    rows, columns = x.shape[1] - w.shape[0] + 1, x.shape[2] - w.shape[1] + 1
    return [
        np.ascontiguousarray(x[:, i : i + rows, j : j + columns, c, None]) * w[i, j, c]
        for i, j, c in np.ndindex(*w.shape[:3])
    ]


def _chain(terms):
    total, *others = terms
    for term in others:
        total = total + term
    return total


def right(x, w, b):
    return _chain(_padded_terms(x, w))


def one_off(x, w, b):
    y = right(x, w, b)
    if x.shape[2] == 9:
        y[1, 2, 4, 3] = np.nextafter(y[1, 2, 4, 3], np.float32(9))
    return y


def two_off(x, w, b):
    y = one_off(x, w, b)
    if x.shape[2] == 9:
        y[1, 0, 5, 1] = np.nextafter(y[1, 0, 5, 1], np.float32(9))
    return y


def losing(x, w, b):
    y = right(x, w, b)
    y[1, 2, 4, 3] = 0
    return y
"""
CASE = """
layout: LAYOUT
filter: {file: w.npy}
input: {file: x.npy}
expect: {runtime: bitwise, reference: anything}
"""
AT, SHAPE = (1, 2, 4, 3), (2, 3, 7, 5)
"""NHWC of the element that differs, and of the output."""
ORDERS = {"nhwc": (0, 1, 2, 3), "nchw": (0, 3, 1, 2)}


def written(layout: str, index: tuple[int, ...], between: str = ",") -> str:
    return between.join(str(index[axis]) for axis in ORDERS[layout])


@pytest.fixture(params=ORDERS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, layout: str) -> Path:
    (tmp_path / "k.py").write_text(KERNELS, "utf-8")
    rng = np.random.default_rng(1)
    w, x = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 4, 9, 4))
    turned = (w.transpose(3, 2, 0, 1), x.transpose(0, 3, 1, 2)) if layout == "nchw" else (w, x)
    for name, array in zip(("w", "x"), turned, strict=True):
        np.save(tmp_path / f"{name}.npy", array.astype(np.float32))
    case_file(tmp_path, CASE.replace("LAYOUT", layout))
    return tmp_path


def asked(folder: Path, command: str, *words: str) -> Ran:
    return convdiff(command, "case.yaml", "--kernel", "k:right", *words, cwd=folder)


def letters(layout: str) -> str:
    return ",".join("nhwc"[axis] for axis in ORDERS[layout])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["-v", "-vv", "--markdown"])
def test_tables_name_the_axes_and_write_indices_so(folder: Path, layout: str, form: str):
    words = ("--markdown", "report.md") if form == "--markdown" else (form,)
    ran = asked(folder, "run", "--kernel", "k:one_off", *words)
    assert ran.code == 1, ran.err
    text = (folder / "report.md").read_text("utf-8") if form == "--markdown" else ran.out
    other = "nchw" if layout == "nhwc" else "nhwc"
    assert letters(layout) in text and letters(other) not in text
    assert f"{written(layout, AT)} " in text


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "off"), [("one_off", 1), ("two_off", 2)])
def test_the_short_report_names_the_axes_so(folder: Path, layout: str, kernel: str, off: int):
    """All of them: an index of which a part is left out, though it is not 0, is no place."""
    ran = asked(folder, "run", "--kernel", f"k:{kernel}")
    assert ran.code == 1, ran.err
    lines = ran.out.splitlines()
    head = next(n for n, one in enumerate(lines) if one.strip().startswith(letters(layout)))
    rows = lines[head + 1 : head + 1 + off]
    assert written(layout, AT) in {row.split()[0] for row in rows}


@pytest.mark.slow
def test_the_json_report_keeps_to_nhwc(folder: Path):
    asked(folder, "run", "--kernel", "k:one_off", "--json", "report.json")
    (case,) = json.loads((folder / "report.json").read_text())["cases"]
    (found,) = [
        one
        for one in case["comparisons"]
        if one["axis"] == "runtime" and one["candidate"]["op"] == "conv2d"
    ]
    assert found["max_index"] == list(AT)


def element(folder: Path, *words: str) -> dict[str, Any]:
    ran = asked(folder, "explain", *words, "--json", "found.json")
    assert ran.code == 0, ran.err
    report: dict[str, Any] = json.loads((folder / "found.json").read_text())
    found = report["outputs"][0]["element"]
    assert f"element {written(report_layout(folder), tuple(found['index']))}" in ran.out
    return dict(found)


def report_layout(folder: Path) -> str:
    return "nchw" if "nchw" in (folder / "case.yaml").read_text() else "nhwc"


@pytest.mark.slow
def test_an_index_is_asked_for_as_arrays_lie(folder: Path, layout: str):
    assert element(folder, "--index", written(layout, AT))["index"] == list(AT)


def test_an_index_outside_is_refused_at_once_with_the_shape(folder: Path, layout: str):
    outside = (1, 2, 7, 3)
    ran = convdiff(
        "explain",
        "case.yaml",
        *("--kernel", "nobody:home", "--index", written(layout, outside)),
        cwd=folder,
    )
    assert ran.code == 2
    said = f"--index {written(layout, outside)} is outside of the output, "
    assert f"{said}{written(layout, SHAPE, '×')} {layout.upper()}" in ran.err


@pytest.mark.slow
def test_what_becomes_of_nan_is_placed_so(folder: Path, layout: str):
    x = np.load(folder / "x.npy")
    x[...] = np.nan
    np.save(folder / "x.npy", x)
    ran = asked(folder, "run", "--kernel", "k:losing", "-v")
    assert ran.code == 1
    assert f"NaN or infinity lost: ({written(layout, AT)})" in " ".join(ran.out.split())
