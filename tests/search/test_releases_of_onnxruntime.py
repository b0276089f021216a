"""Eight convolutions in every minor release of ONNX Runtime: none changes their bits."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import convdiff
from soak import WHOLE

pytestmark = [pytest.mark.soak, pytest.mark.slow]
CONVOLUTIONS = {
    "grouped": "[3, 3, 4, 16]\ngroups: 4",
    "3x3": "[3, 3, 8, 8]",
    "3x3-wider": "[3, 3, 16, 32]",
    "1x1": "[1, 1, 32, 32]",
    "3x3-stride-2": "[3, 3, 8, 8]\nstrides: 2",
    "3x3-depthwise": "[3, 3, 1, 16]\ngroups: 16",
    "5x5-dilated": "[5, 5, 4, 8]\ndilations: 2",
    "1x5": "[1, 5, 1, 1]",
}
SPAN, COUNT = ("1.16.3..1.31.1", 16) if WHOLE else ("1.30.0..1.31.1", 3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", CONVOLUTIONS if WHOLE else ["grouped"])
def test_no_release_changes_the_bits(cache: Path, name: str) -> None:
    shape, *keys = CONVOLUTIONS[name].splitlines()
    lines = [f"filter: {{normal: 1, shape: {shape}, seed: 1}}", *keys]
    lines += ["bias: {normal: 1, seed: 2}", "input: {normal: 1, seed: 3}", "height: 20"]
    (cache / f"{name}.yaml").write_text("\n".join([*lines, "lengths: [20, 33]", ""]))
    words = ["--requires", f"onnxruntime=={SPAN}", "--by", "bits", "--scan"]
    ran = convdiff("bisect", f"{name}.yaml", *words, env={"CONVDIFF_CACHE": str(cache)}, cwd=cache)
    assert ran.code == 0, ran.err + ran.out
    first, tried = ran.out.splitlines()
    assert first.startswith(
        f"{name}: no release from {SPAN.partition('..')[0]} to 1.31.1 changes it"
    )
    assert tried.count(",") >= COUNT - 1
