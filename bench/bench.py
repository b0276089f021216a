"""How fast convdiff is, as ratios measured side by side in one run. Run it with `make bench`.

Each pair of commands is run in turn, A B A B …, after one run that is not counted, and the ratio
is that of the medians. A lone time says little on a shared machine.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
CASE = HERE.parent / "cases" / "variable_padding.yaml"
OTHERS = ("torch", "jax", "onnxruntime")
CONVDIFF = [sys.executable, "-m", "convdiff"]
PEAK = """
import resource, sys
from convdiff.cli import convdiff
convdiff.main(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def main() -> None:
    """Print every ratio beside its bound."""
    print(f"{'what':<52} {'A':>8} {'B':>8} {'A/B':>7}  bound")
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "bad.yaml"
        bad.write_text("filter: [1, 2, 3]\ninput: {ramp: 1}\nlenghts: 7..9\n")
        click = [sys.executable, "-c", "import click"]
        pair("--help ÷ import click", [*CONVDIFF, "--help"], click, 9, "≤ 3, or A ≤ 0.15 s")
        pair(
            "a bad case file ÷ import click",
            [*CONVDIFF, "run", str(bad)],
            click,
            9,
            "≤ 3, or A ≤ 0.15 s",
        )
    run = [*CONVDIFF, "run", str(CASE)]
    unexplained = [*run, "--no-explain"]
    pair("run origin, --no-explain ÷ bare script", unexplained, bare(7, 9), 7, "≤ 1.10")
    pair("run origin, explained ÷ bare script", run, bare(7, 9), 7, "≤ 1.15")
    sweep = [*CONVDIFF, "sweep", "--lengths", "5..2000"]
    pair("sweep 5..2000 ÷ bare eager loop", sweep, bare(5, 2000), 5, "≤ 1.5")
    matrix()
    few, many = (peak("sweep", "--lengths", lengths) for lengths in ("5..200", "5..2000"))
    print(
        f"{'peak memory of the parent, 196 and 1996 lengths':<52} "
        f"{few:>6.0f}MB {many:>6.0f}MB {many / few:>7.2f}  < 120 MB, flat"
    )
    layer()
    subprocess.run([sys.executable, str(HERE / "layers.py")], check=True)
    for setting in ("1", "0"):
        print(f"\nTF_ENABLE_ONEDNN_OPTS={setting}", end="", flush=True)
        environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": setting}
        script = [sys.executable, str(HERE / "explaining.py")]
        subprocess.run(script, env=environment, stderr=subprocess.DEVNULL, check=True)


def layer() -> None:
    """Print what a layer of real size costs: 3×3, 64→64, on 224×224; 1.8e9 products."""
    case = {
        "filter": {"normal": 0.05, "shape": [3, 3, 64, 64], "seed": 1},
        "input": {"normal": 1, "shape": [1, 224, 224, 64], "seed": 2},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.json"
        path.write_text(json.dumps({**case, "expect": {"runtime": "bitwise"}}))
        both = ["tensorflow", "torch"]
        for what, names, more, bound in (
            ("a layer in 1", both[:1], ["--no-explain"], "≤ 1.3"),
            ("a layer in 2", both, ["--no-explain"], "≤ 1.5"),
            ("a layer in 2, drift proved", both, [], "≤ 4"),
        ):
            options = ["--framework", ",".join(names), "--device", "cpu", *more]
            run = [*CONVDIFF, "run", str(path), *options]
            script = [sys.executable, str(HERE / "bare_layer.py"), str(path), *names]
            pair(f"{what} ÷ bare script", run, script, 3, bound)
        one, two = (
            peak("run", str(path), "--device", "cpu", "--no-explain", "--framework", names)
            for names in ("tensorflow", "tensorflow,torch")
        )
        what = "peak memory of the parent, a layer in 1 and in 2"
        print(f"{what:<52} {one:>6.0f}MB {two:>6.0f}MB {two / one:>7.2f}  < 400 MB, flat")


def matrix() -> None:
    """Print what several frameworks cost: about the longest import, and the sum of their loops."""
    frameworks = ["--framework", ",".join(["tensorflow", *OTHERS]), "--device", "cpu"]
    run = [*CONVDIFF, "run", str(CASE), "--no-explain", *frameworks]
    pair("run origin in 4 frameworks ÷ the longest bare script", run, bare(7, 9), 5, "about 1")
    pair("run origin in 4 frameworks ÷ all bare scripts", run, all_bare(7, 9), 5, "< 1")
    sweep = [*CONVDIFF, "sweep", "--lengths", "5..204", *frameworks]
    pair("sweep of 4 × 200 lengths ÷ all bare loops", sweep, all_bare(5, 204), 3, "≤ 1.5")


def all_bare(first: int, last: int) -> list[str]:
    """Return the command that runs every framework's bare loop, one after the other."""
    script, span = str(HERE / "bare_others.py"), [str(first), str(last)]
    others = [[sys.executable, script, name, *span] for name in OTHERS]
    return ["sh", "-c", "; ".join(map(shlex.join, [bare(first, last), *others]))]


def bare(first: int, last: int) -> list[str]:
    """Return the command of a script that runs the origin at these lengths and does no more."""
    return [sys.executable, str(HERE / "bare.py"), str(first), str(last)]


def pair(what: str, a: Sequence[str], b: Sequence[str], runs: int, bound: str) -> None:
    """Time two commands in turn and print their medians and ratio."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for command, seconds in zip((a, b), times, strict=True):
            start = time.perf_counter()
            subprocess.run(command, capture_output=True, check=False)
            if number:
                seconds.append(time.perf_counter() - start)
    median = [statistics.median(seconds) for seconds in times]
    ratio = median[0] / median[1]
    print(f"{what:<52} {median[0]:>7.3f}s {median[1]:>7.3f}s {ratio:>7.2f}  {bound}", flush=True)


def peak(*words: str) -> float:
    """Return the largest resident size of the parent process of a command, in MB."""
    command = [sys.executable, "-c", PEAK, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stderr.splitlines()[-1]) / 1024


if __name__ == "__main__":
    main()
