"""Frameworks' padded and transposed convolutions, given for VALID ones: compared, and named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from program import convdiff

pytestmark = pytest.mark.framework

CASE = """
filter: {{normal: 0.1, shape: [{kernel}, {kernel}, 3, 4], seed: 1}}
bias: {{normal: 1, shape: [4], seed: 3}}
input: {{normal: 1, shape: [1, 6, 7, 3], seed: 2}}
strides: {stride}
"""
KERNELS = """
import numpy as np
import torch
import torch.nn.functional as F


def deconv(x, w, b, strides=(1, 1), flipped=False):
    w = np.ascontiguousarray(w[::-1, ::-1]) if flipped else w
    x, w = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(w).permute(2, 3, 0, 1)
    return F.conv_transpose2d(x, w, torch.from_numpy(b), strides).permute(0, 2, 3, 1).numpy()


def flipped(x, w, b, strides=(1, 1)):
    return deconv(x, w, b, strides, flipped=True)


def half(x, w, b, strides=(1, 1)):
    x, w = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(w).permute(3, 2, 0, 1)
    y = F.conv2d(x, w, torch.from_numpy(b), strides, padding=w.shape[-1] // 2)
    return y.permute(0, 2, 3, 1).contiguous().numpy()


again = half
"""


def evidence(folder: Path, kernel: int, stride: int, *kernels: str) -> str:
    """Return what is said of two kernels on a case."""
    (folder / "case.yaml").write_text(CASE.format(kernel=kernel, stride=stride))
    (folder / "mine.py").write_text(KERNELS)
    options = [part for name in kernels for part in ("--kernel", f"mine:{name}")]
    ran = convdiff("run", "case.yaml", *options, "--json", "-", cwd=folder)
    assert ran.code == 1, ran.err
    (found,) = (
        one
        for one in json.loads(ran.out)["cases"][0]["comparisons"]
        if one["axis"] == "runtime" and one["candidate"]["op"] == "conv2d"
    )
    assert found["verdict"] == "wrong"
    return " | ".join(found["evidence"])


def test_torchs_transposed_convolution_is_told_from_the_flipped_one(tmp_path: Path):
    said = evidence(tmp_path, 4, 4, "deconv", "flipped")
    assert "(1, 24, 28, 4) is a transposed convolution's shape" in said
    assert "baseline: it fits: a transposed convolution |" in said
    assert "candidate: it fits: a transposed convolution, its filter flipped in both axes" in said


def test_torchs_padding_by_half_the_filter_is_not_tensorflows_same(tmp_path: Path):
    said = evidence(tmp_path, 3, 2, "half", "again")
    assert "(1, 3, 4, 4) is SAME's shape" in said and "bitwise equal to each other" in said
    # At stride 2 the last of its zeros below is never read, and what is left is SAME_LOWER's.
    assert "the padding is SAME_LOWER (zeros: 1 above, 0 below, 1 left, 1 right)" in said
