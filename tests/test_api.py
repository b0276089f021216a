"""`import convdiff`: every name is there, light until used, and docs/api.md runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import convdiff

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "api.md"


def test_every_name_that_is_offered_is_there():
    for name in convdiff.__all__:
        assert getattr(convdiff, name) is not None
    with pytest.raises(AttributeError, match="nosuch"):
        convdiff.nosuch  # noqa: B018


def test_the_names_of_earlier_versions_are_the_same_functions():
    assert convdiff.described is convdiff.describe
    assert convdiff.parsed is convdiff.parse


def test_importing_convdiff_imports_no_numpy():
    code = "import sys, convdiff; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_page_names_every_function_that_is_offered():
    text = PAGE.read_text("utf-8")
    earlier = {"described", "parsed"}
    assert [name for name in convdiff.__all__ if name not in text and name not in earlier] == []


def test_the_blocks_of_the_page_run_one_after_the_other(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(blocks) == 4
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "ok 0" in printed
    assert "proved (12, 12)" in printed
    assert "3 taps (kw order), a chain of rounded products, bias last" in printed


def test_a_run_takes_a_path_and_raises_what_a_user_can_cause(tmp_path):
    assert convdiff.run(ROOT / "cases" / "depthwise_dilated.yaml", ["numpy"]).outcome == "ok"
    with pytest.raises(convdiff.ConvdiffError, match="unknown framework 'nosuch'"):
        convdiff.run(ROOT / "cases" / "depthwise_dilated.yaml", ["nosuch"])
    with pytest.raises(convdiff.ConvdiffError, match="absent"):
        convdiff.load_case(tmp_path / "absent.yaml")


def test_shapes_that_do_not_fit_are_refused_before_the_kernel_is_called():
    x, w = np.ones((1, 1, 8, 1), np.float32), np.ones((1, 3, 1, 2), np.float32)
    with pytest.raises(ValueError, match="both need 4"):
        convdiff.explain(None, x[0], w)
    with pytest.raises(ValueError, match=r"b has shape \(3,\)"):
        convdiff.explain(None, x, w, np.ones(3))
    with pytest.raises(ValueError, match="x is int64"):
        convdiff.explain(None, np.ones((1, 1, 8, 1), np.int64), w)
