"""Layers of real size: what it takes to prove where their bits differ, and to compare recordings.

Run by `bench.py`. Rows are those of ResNet-50's kinds, VALID on inputs padded beforehand.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.numerics.parallel import threads
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Order, replay
from convdiff.order.replay.verification import random_data
from convdiff.order.tree.notation import parse
from convdiff.recording.files import read_recording, write_recording
from convdiff.recording.model import RecordedCase

RESNET = (
    (7, 2, 3, 64, 230),
    (1, 1, 64, 64, 56),
    (3, 1, 64, 64, 56),
    (1, 1, 64, 256, 56),
    (3, 2, 128, 128, 58),
    (3, 1, 128, 128, 30),
    (1, 2, 512, 1024, 28),
    (3, 1, 256, 256, 16),
    (1, 2, 1024, 2048, 14),
    (3, 1, 512, 512, 9),
)
"""Kernel, stride, channels in and out, and the input's side."""

VGG = (3, 1, 64, 64, 224)
REPLAYED = {"fused": "[0..{}]*", "rounded": "[0..{}]"}
"""Orders of all taps, in a chain."""

TIMED = [
    "import json, re, sys, time",
    "from convdiff.cli import convdiff",
    "start = time.perf_counter()",
    "convdiff.main(sys.argv[1:], standalone_mode=False)",
    "peak = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024",
    "print(json.dumps([time.perf_counter() - start, peak]), file=sys.stderr)",
]
READ = """
import sys, time
from safetensors import safe_open
start = time.perf_counter()
a, b = (safe_open(path, framework="numpy") for path in sys.argv[1:])
for name in a.keys():
    if name in b.keys():
        (a.get_tensor(name).view("u4") != b.get_tensor(name).view("u4")).sum()
print(time.perf_counter() - start)
"""


def main() -> None:
    """Print all rows."""
    replays()
    with tempfile.TemporaryDirectory() as folder:
        resnet(Path(folder))
        recordings(Path(folder))


def case(kernel: int, stride: int, cin: int, cout: int, side: int) -> dict[str, Any]:
    """Return a layer as a case that drifts on any differing bit between frameworks."""
    return {
        "filter": {"normal": 0.05, "shape": [kernel, kernel, cin, cout], "seed": 1},
        "input": {"normal": 1, "shape": [1, side, side, cin], "seed": 2},
        "strides": stride,
        "expect": {"runtime": "bitwise"},
    }


def replays() -> None:
    """Print what a replay of all elements costs, in ns a product and core."""
    for kernel, stride, cin, cout, side in (VGG, RESNET[2], RESNET[6], RESNET[9]):
        geometry = Geometry(
            (1, side, side, cin), (kernel, kernel, cin, cout), strides=(stride, stride)
        )
        data = random_data(geometry, 1)
        products = geometry.taps * geometry.positions * geometry.cout
        for name, text in REPLAYED.items():
            order = Order(parse(text.format(geometry.taps - 1)))
            start, busy = time.perf_counter(), time.process_time()
            replay(order, geometry, data)
            wall, busy = time.perf_counter() - start, time.process_time() - busy
            print(
                f"replay {name:<8} {kernel}×{kernel} {cin}→{cout:<5} {products:>8.2g} products "
                f"{wall:>6.2f}s {busy / products * 1e9:>5.2f} ns a product and core, "
                f"{busy / wall:.1f} of {threads()} cores  ≤ 4 ns",
                flush=True,
            )


def resnet(folder: Path) -> None:
    """Print what ten layers in two frameworks cost, and how much of their drift is proved."""
    paths = []
    for number, layer in enumerate(RESNET):
        kernel, stride, cin, cout, _ = layer
        paths.append(folder / f"{number}_{kernel}x{kernel}s{stride}_{cin}_{cout}.json")
        paths[-1].write_text(json.dumps(case(*layer)))
    report = folder / "report"
    options = ["--device", "cpu", "--framework", "tensorflow,torch", "--json", str(report)]
    seconds, peak = timed(["run", *map(str, paths), *options])
    proved, elements, transforms = proofs(json.loads(report.read_text()))
    print(
        f"ten layers of ResNet-50 in 2 frameworks: {seconds:.1f} s, {seconds / len(paths):.1f} s "
        f"each  ≤ 180 s; {peak:.0f} MB; proved {proved:,} of {elements:,} elements of sides that "
        f"differ, {transforms:,} refused as transforms  all",
        flush=True,
    )


def proofs(report: dict[str, Any]) -> tuple[int, int, int]:
    """Return how many elements of frameworks that drift are proved, of how many, or transforms."""
    proved = elements = transforms = 0
    for each in report["cases"]:
        for found in each["comparisons"]:
            if found["axis"] != "runtime" or found["allowed"]:
                continue
            explanation = found["explanation"]
            sides = (explanation["replayed"] or {"none": [0, 2 * found["elements"]]}).values()
            here, of = (sum(counts) for counts in zip(*sides, strict=True))
            kinds = {refusal["kind"] for refusal in explanation.get("refusals", ())}
            proved, elements = proved + here, elements + of
            transforms += of - here if "transform" in kinds else 0
    return proved, elements, transforms


def recordings(folder: Path) -> None:
    """Print what it costs to compare two recordings of ten million outputs, half of them other."""
    source, a, b = folder / "wide.json", folder / "a.safetensors", folder / "b.safetensors"
    source.write_text(json.dumps(case(1, 1, 3, 64, 396)))
    timed(["run", str(source), "--framework", "numpy", "--no-explain", "--save", str(a)])
    recording = read_recording(a)
    cases = {name: nudged(one) for name, one in recording.cases.items()}
    write_recording(b, replace(recording, cases=cases))
    reads = [float(output([sys.executable, "-c", READ, str(a), str(b)])) for _ in range(5)]
    runs = [timed(["compare", str(a), str(b)]) for _ in range(3)]
    seconds, read = statistics.median(run[0] for run in runs), statistics.median(reads)
    data = sum(path.stat().st_size for path in (a, b)) / 2**20
    print(
        f"two recordings of 10⁷ outputs: {seconds:.2f} s, {seconds / read:.1f} × reading both "
        f"({read:.2f} s)  ≤ 5; {runs[0][1]:.0f} MB, {runs[0][1] / data:.2f} × the data  ≤ 1.6"
    )


def nudged(recorded: RecordedCase) -> RecordedCase:
    """Return a recorded case of whose outputs half are an ulp off."""
    random = np.random.default_rng(0)
    entries = []
    for entry in recorded.entries:
        bits = entry.output.view(np.int32) + random.integers(0, 2, entry.output.shape, np.int32)
        entries.append(replace(entry, output=bits.view(np.float32)))
    return replace(recorded, entries=tuple(entries))


def timed(arguments: Sequence[str]) -> tuple[float, float]:
    """Run convdiff; return seconds and its own process's peak, in MiB."""
    command = [sys.executable, "-c", "\n".join(TIMED), *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # compiled, as what is installed
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds, peak = json.loads(done.stderr.splitlines()[-1])
    return float(seconds), float(peak)


def output(command: Sequence[str]) -> str:
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
