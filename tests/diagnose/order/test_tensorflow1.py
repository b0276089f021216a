"""TensorFlow 1.0.0: where the question came from, answered at lengths 7, 8 and 9.

Needs an interpreter with TensorFlow 1.x; CONVDIFF_TF1_PYTHON names it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from convdiff.diagnose.order.attribute import attribute
from convdiff.diagnose.order.explain import Explanation, explain
from convdiff.diagnose.order.geometry import Array, Geometry
from convdiff.diagnose.order.kernel import Batch
from convdiff.diagnose.order.notation import notation
from convdiff.diagnose.order.parting import parting
from convdiff.diagnose.order.replay import Data
from convdiff.worker import probes

PYTHON = os.environ.get("CONVDIFF_TF1_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="CONVDIFF_TF1_PYTHON names no interpreter with TensorFlow 1"
)

FILTER = np.array([-0.7313, -1.1043, 1.8492, 1.3007, -0.1033], np.float32).reshape(1, 5, 1, 1)
BIAS = np.array([0.0401], np.float32)


class ForeignKernel:
    """A `Kernel` in another interpreter, which gets leaf indices and builds the numbers itself."""

    def __init__(self, geometry: Geometry, process: subprocess.Popen[bytes]) -> None:
        self.geometry, self.calls, self._process = geometry, 0, process

    def probe(self, batches: Sequence[Batch], positions: Array | None = None) -> list[Array]:
        answers = []
        for batch in batches:
            self.calls += len(batch.taps)
            answer = self._ask({"kind": batch.kind, "taps": batch.taps.tolist()}, b"")
            flat = answer.reshape(len(batch.taps), -1, self.geometry.cout)
            answers.append(flat if positions is None else flat[:, positions])
        return answers

    def run(self, input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        self.calls += 1
        parts = [input_nhwc, filter_hwio] + ([] if bias is None else [bias])
        raw = b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in parts)
        return self._ask({}, raw).reshape(-1, self.geometry.cout)

    def _ask(self, request: dict[str, object], raw: bytes) -> Array:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write((json.dumps(request) + "\n").encode() + raw)
        stdin.flush()
        shape = json.loads(stdout.readline())
        return np.frombuffer(stdout.read(4 * int(np.prod(shape))), "<f4").reshape(shape)


@contextmanager
def tensorflow1(geometry: Geometry) -> Iterator[ForeignKernel]:
    script = Path(__file__).parent / "foreign_tensorflow1.py"
    with subprocess.Popen(
        [PYTHON, str(script), str(probes.__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        shape = {
            "input": geometry.input_nhwc,
            "filter": geometry.filter_hwio,
            "bias": geometry.bias,
        }
        process.stdin.write((json.dumps(shape) + "\n").encode())
        yield ForeignKernel(geometry, process)
        process.stdin.close()


def origin(length: int) -> Explanation:
    geometry = Geometry((1, 1, length, 1), (1, 5, 1, 1), bias=True)
    ramp = (10 * np.arange(length, dtype=np.float32)).reshape(1, 1, length, 1)
    with tensorflow1(geometry) as kernel:
        return explain(kernel, Data(ramp, FILTER, BIAS))


@pytest.fixture(scope="module")
def lengths() -> dict[int, Explanation]:
    return {length: origin(length) for length in (7, 8, 9)}


def test_every_output_is_replayed_at_every_length(lengths: dict[int, Explanation]) -> None:
    assert [lengths[t].status for t in (7, 8, 9)] == ["proved"] * 3
    np.testing.assert_array_equal(
        lengths[7].output.ravel(),
        np.array([60.87010574, 72.98010254, 85.09010315], np.float32),
    )


def test_the_remainder_of_a_group_of_four_is_sequential(lengths: dict[int, Explanation]) -> None:
    sequential, pairwise = "(((((0+1)+2)+3)+4)+b)", "((((0+1)+(2+3))+4)+b)"
    orders = {t: [(o.count, notation(o.order.tree)) for o in e.orders] for t, e in lengths.items()}
    assert orders == {
        7: [(3, sequential)],
        8: [(4, pairwise)],
        9: [(4, pairwise), (1, sequential)],
    }


def test_the_cause_of_the_difference_is_the_order(lengths: dict[int, Explanation]) -> None:
    short, long = lengths[7], lengths[9]
    differing = np.flatnonzero(short.output.ravel() != long.output.ravel()[:3])
    found = attribute(short, long, differing, differing)
    assert found.counts == {"order": len(differing)}
    parted = parting(short, long, int(differing[-1]), int(differing[-1]))
    assert parted is not None
    assert parted.terms == (0, 1, 2, 3)


def test_random_numbers_are_the_same_on_both_sides() -> None:
    # Explanations above need it; here it is said by name: old NumPy and new give the same bits.
    code = (
        "import importlib.util as u, sys, numpy as np\n"
        "s = u.spec_from_file_location('p', sys.argv[1]); m = u.module_from_spec(s)\n"
        "s.loader.exec_module(m); t = np.full((3, 4), 41)\n"
        "for d in sorted(m.SCALES):\n"
        "    x = m.probe_input('random', t, (1, 2, 3, 4), d)\n"
        "    print(d, x.astype(np.float64).tobytes().hex())\n"
    )
    outputs = [
        subprocess.run(
            [python, "-c", code, str(probes.__file__)], capture_output=True, check=True
        ).stdout
        for python in (PYTHON, sys.executable)
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 1000
