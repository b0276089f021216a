"""Kernels of a test's own, run through the whole program: their file, a case, what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from program import Ran, convdiff

CASE = """
filter: {normal: 1.0, shape: [2, 3, 2, 3], seed: 1}
bias: {normal: 1.0, shape: [3], seed: 2}
input: {normal: 1.0, seed: 3}
height: 5
"""
"""Of two rows, three columns, two channels: what is exchanged or flipped would be seen."""
RIGHT = """
import numpy as np


def right(x, w, b):
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[3]), x.dtype)
    for i, j, c in np.ndindex(*w.shape[:3]):
        y = y + x[:, i : i + rows, j : j + columns, c, None] * w[i, j, c]
    return y if b is None else y + b
"""
"""A right kernel, one product after the other; a test's own kernels follow it in `mine.py`."""


def reported(
    folder: Path, *options: object, command: str = "run", env: Mapping[str, str] | None = None
) -> tuple[Ran, Any]:
    """Run the folder's case.yaml; return what was printed, and the JSON report, if any."""
    path = folder / "report.json"
    path.unlink(missing_ok=True)
    ran = convdiff(command, "case.yaml", *options, "--json", path.name, cwd=folder, env=env)
    return ran, json.loads(path.read_text("utf-8")) if path.exists() else None


def between_runtimes(report: Any, op: str = "conv2d") -> Any:
    """Return the only comparison of two runtimes' op in the first case of a report."""
    (found,) = (
        one
        for one in report["cases"][0]["comparisons"]
        if (one["axis"], one["candidate"]["op"]) == ("runtime", op)
    )
    return found
