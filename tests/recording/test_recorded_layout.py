"""A recording keeps how its case's arrays lie, and what is told of it speaks so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from program import convdiff

CASES = {
    "nchw": (
        "filter: {normal: 1, shape: [4, 3, 2, 2]}\ninput: {normal: 1, shape: [1, 3, 5, 6]}\n"
        "layout: nchw\n",
        ("4×3×2×2 OIHW", "1×3×5×6 NCHW", "1×4×4×5 NCHW", "0,1,0,0"),
    ),
    "nhwc": (
        "filter: {normal: 1, shape: [2, 2, 3, 4]}\ninput: {normal: 1, shape: [1, 5, 6, 3]}\n",
        ("2×2×3×4 HWIO", "1×5×6×3 NHWC", "1×4×5×4 NHWC", "0,0,0,1"),
    ),
    "3-D": (
        "op: conv3d\nfilter: {normal: 1, shape: [2, 2, 2, 3, 4]}\n"
        "input: {normal: 1, shape: [1, 3, 5, 6, 3]}\n",
        ("2×2×2×3×4 DHWIO", "1×3×5×6×3 NDHWC", "1×2×4×5×4 NDHWC", "0,0,0,0,1"),
    ),
    "3-D nchw": (
        "op: conv3d\nfilter: {normal: 1, shape: [4, 3, 2, 2, 2]}\n"
        "input: {normal: 1, shape: [1, 3, 3, 5, 6]}\nlayout: nchw\n",
        ("4×3×2×2×2 OIDHW", "1×3×3×5×6 NCDHW", "1×4×2×4×5 NCDHW", "0,1,0,0,0"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_what_is_recorded_is_shown_as_the_case_has_it(name: str, tmp_path: Path):
    text, said = CASES[name]
    (tmp_path / "case.yaml").write_text(text, "utf-8")
    ran = convdiff("run", "case.yaml", "--framework", "numpy", "--save", "a.json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    stored = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert ('"layout"' in json.dumps(stored)) == ("nchw" in text), "only what is not usual"
    shown = convdiff("show", "a.json", cwd=tmp_path).out
    for words in said:
        assert f"{words} " in shown or f"{words}," in shown, shown


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nchw", "3-D nchw"])
def test_compared_recordings_write_indices_as_a_run_does(name: str, tmp_path: Path):
    text, _ = CASES[name]
    (tmp_path / "k.py").write_text(
        "import numpy as np\n\n\ndef k(x, w, b=None, **_):\n"
        "    n = w.ndim - 2\n"
        "    axes = tuple(range(1, n + 1))\n"
        "    view = np.lib.stride_tricks.sliding_window_view(x, w.shape[:n], axes)\n"
        "    y = np.tensordot(view, np.moveaxis(w, -2, 0), n + 1).astype(np.float32)\n"
        "    y.flat[7] += 1\n    return y\n",
        "utf-8",
    )
    (tmp_path / "case.yaml").write_text(text, "utf-8")
    for asked, file in ((("--framework", "numpy"), "a.json"), (("--kernel", "k:k"), "b.json")):
        convdiff("run", "case.yaml", *asked, "--save", file, cwd=tmp_path)
    own = convdiff("run", "case.yaml", "--framework", "numpy", "--kernel", "k:k", cwd=tmp_path).out
    between = convdiff("compare", "a.json", "b.json", cwd=tmp_path).out
    axes = "c,h,w" if name == "nchw" else "c,d,h,w"

    def rows(out: str) -> list[str]:
        lines = out.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith(axes))
        return [line.split()[0] for line in lines[at + 1 : at + 3]]

    assert rows(between) == rows(own)
