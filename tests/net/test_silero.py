"""A released model in two releases of ONNX Runtime: silero-vad 6.2.3, 1.20.1 against 1.21.0.

The square root's bits of one step are recorded; all of it runs in `make soak`, where
CONVDIFF_SILERO names silero_vad_16k_op15.onnx and CONVDIFF_ORT_PYTHONS both interpreters, a:b.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from program import convdiff

from convdiff.net.models.subject import nhwc
from convdiff.net.trace.judged import judge_layer
from convdiff.worker.ops.net import INPUT, Layer, Net

RECORDED = Path(__file__).parent / "data" / "silero_sqrt.npz"
STEPS = 60


def test_the_newer_square_root_is_correctly_rounded_and_the_older_is_not():
    held = np.load(RECORDED)
    x, old, new = (nhwc(held[name], "NCW") for name in ("x", "1.20.1", "1.21.0"))
    layer = Layer("sqrt", "sqrt", (INPUT,), {}, {})
    net = Net((layer,), ("sqrt",))
    columns = np.ones(x.shape[2], bool)
    verdict, judged = judge_layer(net, layer, {}, [x], (old, new), columns)
    assert verdict == "rounding"
    assert judged.elements == x.size == 516
    assert judged.wrong == (int(np.count_nonzero(old != new)), 0)
    assert judged.wrong[0] > 100 and judged.ulps[0] > 1 and judged.undecided == 0


@pytest.mark.soak
def test_the_one_entry_is_a_square_root_and_convolutions_only_carry(tmp_path, runs_framework):
    model, pythons = os.environ.get("CONVDIFF_SILERO"), os.environ.get("CONVDIFF_ORT_PYTHONS")
    if not model or not pythons:
        pytest.skip("CONVDIFF_SILERO and CONVDIFF_ORT_PYTHONS name no model and no interpreters")
    rng = np.random.default_rng(0)
    arrays = {
        "input": rng.normal(0, 0.1, (STEPS, 1, 576)).astype("float32"),
        "state": np.zeros((2, 1, 128), "float32"),
        "sr": np.array(16000),
    }
    np.savez(tmp_path / "x.npz", **arrays)
    sides = [word for python in pythons.split(":") for word in ("--python", python)]
    words = ("--threads", "1", "--input", str(tmp_path / "x.npz"), "--back", "stateN=state")
    ran = convdiff("trace", model, *sides, *words)
    assert ran.code == 0, ran
    text = " ".join(ran.out.split())
    assert text.startswith("OK ") and ran.out.count("\nentry ") == 1
    assert "entry /model/stft/Sqrt, Sqrt, in 60 of 60 steps" in text
    assert "of 15,420 output values of 60 steps differ" in text
    assert "#2: all 30,960 correctly rounded" in text
    assert "looking changed nothing" in text
