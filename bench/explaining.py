"""Explaining a convolution, side by side with one pair a call and with the version before.

One pair a call is FPRev's published recursion (Xie et al., USENIX ATC 2025), which reveals the tree
of one element: for the smallest leaf of a set it measures how many leaves lie under its lowest
common ancestor with each other one, a call a pair, and recurses into the groups. It is written here
for this comparison only; like the paper it finds neither fused nodes nor replays anything. All look
at the same TensorFlow kernel. The version before is the parent of the commit that brought vectors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from explained import FILTERS, SWEEPS, convolution

from convdiff.order.geometry import Geometry
from convdiff.order.reveal.kernel import Batch, CallableKernel

HERE = Path(__file__).parent
BROUGHT_VECTORS = "convdiff/order/reveal/verify.py"
FEW = 2500
"""Terms up to which one pair a call is waited for."""


def main() -> None:
    """Print a row for each filter and sweep: calls, seconds, and how many times faster."""
    print(
        f"\n{'explain':<30} {'calls':>6} {'whole':>8}  {'before':>17} {'one a call':>17}"
        f"  {'÷ before':>8} {'÷ one a call':>12}"
    )
    with version_before() as folder:
        for name in (*FILTERS, *SWEEPS):
            before = None if folder is None else measured(folder, name)[name]
            single = one_pair_a_call(FILTERS[name]) if is_short(name) else None
            for what, row in measured(HERE.parent, name).items():
                print(line(what, row, before, single), flush=True)


def line(
    name: str,
    row: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    single: Mapping[str, Any] | None,
) -> str:
    """Return one row's text; what was confirmed by a sample alone is marked."""
    costs = [f"{cost(other):>17}" for other in (before, single)]
    ratios = [f"{ratio(before, row):>8}", f"{ratio(single, row):>12}"]
    return (
        f"{name:<30} {row['calls']:>6} {row['seconds']:>7.3f}s{mark(row)} "
        f"{' '.join(costs)}  {' '.join(ratios)}"
    )


def ratio(slow: Mapping[str, Any] | None, row: Mapping[str, Any]) -> str:
    """Return how many times faster a row is, or a dash."""
    return "–" if slow is None else f"{slow['seconds'] / row['seconds']:.1f}×"


def cost(row: Mapping[str, Any] | None) -> str:
    """Return calls and seconds, or a dash."""
    return "–" if row is None else f"{row['calls']:>6} {row['seconds']:>8.3f}s{mark(row)}"


def mark(row: Mapping[str, Any]) -> str:
    """Return what says that not every element was proved (?) or confirmed (~)."""
    if not row.get("whole", True):
        return "?"
    return " " if row.get("confirmed", True) else "~"


def measured(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Run a row of `explained.py` with the convdiff of a folder; with what is known, it is two."""
    command = [sys.executable, str(HERE / "explained.py"), name]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    rows = [json.loads(text) for text in done.stdout.splitlines()]
    return {row.pop("name"): row for row in rows}


@contextmanager
def version_before():  # type: ignore[no-untyped-def]
    """Check the version before out, for as long as it is needed; None where git has none."""
    git = ["git", "-C", str(HERE.parent)]
    asked = [*git, "log", "--diff-filter=A", "--format=%H", "--", BROUGHT_VECTORS]
    commits = subprocess.run(asked, capture_output=True, check=False, text=True).stdout.split()
    if not commits:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "before"
        adding = [*git, "worktree", "add", "--quiet", "--detach", str(target), f"{commits[-1]}~1"]
        subprocess.run(adding, check=True)
        try:
            yield target
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(target)], check=True)


def is_short(name: str) -> bool:
    """Return whether one pair a call ends in seconds."""
    return name in FILTERS and FILTERS[name].taps <= FEW


def one_pair_a_call(geometry: Geometry) -> dict[str, Any]:
    """Reveal the first element's tree as FPRev does; return what it took."""
    kernel = CallableKernel(convolution, geometry)
    leaves, cout = geometry.leaves, geometry.cout
    position = np.array([0])

    def reading(i: int, j: int) -> int:
        taps = np.broadcast_to(np.array([i, j, 0, leaves + 1]), (1, cout, 4))
        (answer,) = kernel.probe([Batch("mask", taps)], position)
        return leaves - int(answer[0, 0, 0])

    start = time.perf_counter()
    calls, sets = 0, [list(range(leaves))]
    while sets:
        members = sets.pop()
        groups: dict[int, list[int]] = {}
        for other in members[1:]:
            groups.setdefault(reading(members[0], other), []).append(other)
            calls += 1
        sets += [group for group in groups.values() if len(group) > 1]
    return {"calls": calls, "seconds": time.perf_counter() - start}


if __name__ == "__main__":
    main()
