"""A filter that is a constant of the model, as in the models that people have."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from asking import Lab, need, of_axis, same_or_proved
from soak import one_in

from convdiff.api import explain
from convdiff.worker import kept
from convdiff.worker.framework import Device, computing
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework

PRECISE = {"onnxruntime": "cpu", "openvino": "cpu+f32"}
"""A device of each framework in which it computes in the dtype of the case."""


@dataclass(frozen=True)
class Asked:
    """A geometry, and the extents of an input."""

    conv: Convolution
    extents: tuple[int, int, int] = (1, 4, 5)

    def arrays(self, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return an input, a filter and a bias of these axes."""
        rng = np.random.default_rng(seed)
        shapes = (
            (*self.extents, self.conv.channels_in),
            self.conv.filter_shape,
            (self.conv.channels_out,),
        )
        x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
        return x, w, b


OPS = {
    "valid": Asked(Convolution((3, 3), 16, 16)),
    "same": Asked(Convolution((3, 3), 16, 16, padding="same")),
    "grouped": Asked(Convolution((1, 3), 16, 16, groups=2, padding="same")),
    "depthwise": Asked(Convolution((3, 3), 16, 16, groups=16, padding="same")),
    "strides": Asked(Convolution((3, 3), 3, 16, (2, 2), padding="same")),
    "one channel": Asked(Convolution((1, 5), 1, 1), (1, 1, 24)),
    "transposed": Asked(Convolution((1, 4), 4, 8, (1, 2), op="conv2d_transpose"), (1, 1, 6)),
    "in one dimension": Asked(Convolution((1, 5), 8, 16, op="conv1d"), (2, 1, 12)),
    "of three": Asked(
        Convolution(
            (2, 2, 3), 4, 8, (1,) * 3, (1,) * 3, op="conv3d", output_padding=(0,) * 3, depth=3
        ),
        (1, 12, 6),
    ),
    "dense": Asked(Convolution((1, 1), 40, 8, op="dense"), (2, 1, 5)),
}


@pytest.fixture(params=PRECISE)
def framework(request: pytest.FixtureRequest) -> Any:
    """Return the framework of this very process."""
    need(request.param)
    module = importlib.import_module(f"convdiff.worker.frameworks.{request.param}")
    opened = module.open(None)
    opened.constant_device = PRECISE[request.param] + "+constant"
    return opened


def computed(framework: Any, asked: Asked, device: str = "") -> Callable[..., np.ndarray]:
    device = device or framework.constant_device
    return computing(framework, asked.conv.op, device, asked.conv._asdict())


def inputs_of(framework: Any) -> set[int]:
    """Return how many inputs each model has whose constants are kept."""
    models = [made for made, _ in framework.constant.made.values()]
    if hasattr(models[0], "get_inputs"):
        return {len(one.get_inputs()) for one in models}
    return {len(one.inputs) for one in models}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", OPS)
def test_the_model_is_fed_its_input_alone_and_gives_small_integers(framework, name, bias):
    asked = OPS[name]
    fed = framework.constant_device.replace("+constant", "")
    for seed in (1, 2):  # another filter, under the same name
        x, w, b = (np.rint(array) for array in asked.arrays(seed))
        given = x, w, b if bias else None
        found = computed(framework, asked)(*given)
        assert np.array_equal(found, computed(framework, asked, fed)(*given))
    assert inputs_of(framework) == {1}
    assert len(framework.constant.made) == 2


@pytest.mark.parametrize("then", ["relu", "add"])
def test_what_is_added_is_fed(framework, then):
    asked = Asked(OPS["valid"].conv._replace(then=then))
    x, w, b = (np.rint(array) for array in asked.arrays())
    shape = asked.conv.output_shape(*x.shape[:3])
    named = {"added": np.full(shape, 3, np.float32)} if then == "add" else {}
    fed = framework.constant_device.replace("+constant", "")
    found = computed(framework, asked)(x, w, b, **named)
    assert np.array_equal(found, computed(framework, asked, fed)(x, w, b, **named))
    assert inputs_of(framework) == {1 + len(named)}


def test_models_that_are_kept_are_few(framework, monkeypatch):
    asked = OPS["one channel"]
    compute, (x, w, b) = computed(framework, asked), asked.arrays()
    for number in range(20):
        compute(x, w + np.float32(number), b)
    assert 1 < len(framework.constant.made) <= 8
    monkeypatch.setattr(kept, "MOST_BYTES", w.nbytes)
    compute(x, w, b)
    assert len(framework.constant.made) == 1


def test_modes_stand_in_any_order(framework):
    asked = OPS["same"]
    x, w, b = asked.arrays()
    mode = {"onnxruntime": "disabled", "openvino": "f32"}[framework.fingerprint()["framework"]]
    one, other = (
        computed(framework, asked, f"cpu+{modes}")(x, w, b)
        for modes in (f"{mode}+constant", f"constant+{mode}")
    )
    assert one.tobytes() == other.tobytes()
    assert {"constant", mode} <= set(framework.fingerprint()["modes"])
    assert Device.parsed(f"cpu+{mode}").modes == (mode,)


@one_in(2, "name", OPS)
def test_orders_are_revealed_and_replayed_for_all_elements(framework, name):
    asked = OPS[name]
    conv, (x, w, b) = asked.conv, asked.arrays(3)

    def call(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        own = getattr(framework, conv.op)
        return own(conv, Device.parsed(framework.constant_device), x, w, b)

    keys = ("op", "groups", "padding")
    moves = {key: conv.own(getattr(conv, key)) for key in ("strides", "dilations")}
    own = conv.own_input(x), conv.own_filter(w)
    if conv.op == "dense":
        found = explain(lambda x, w, b: call(x, w[None], b), own[0], own[1][0], b, op="dense")
    else:
        found = explain(call, *own, b, **{key: getattr(conv, key) for key in keys}, **moves)
    assert found.status == "proved", found.refusals
    replayed, elements = found.replayed
    assert replayed == elements == np.prod(conv.output_shape(*x.shape[:3]))


CASES = {
    "valid": "filter: {normal: 0.3, shape: [3, 3, 16, 16], seed: 1}\nheight: 4\n",
    "depthwise": "filter: {normal: 0.3, shape: [3, 3, 1, 16], seed: 1}\ngroups: 16\n"
    "height: 4\npadding: same\n",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_it_is_the_same_as_fed_or_rounding_that_is_proved(lab: Lab, text: str):
    text += "input: {normal: 1.0, seed: 3}\nlengths: 6\n"
    for name, device in PRECISE.items():
        case = lab.ask(text, f"{name}:{device}", f"{name}:{device}+constant")
        same_or_proved(of_axis(case, "runtime"))
