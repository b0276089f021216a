"""Every kind of layer in every framework against NumPy's float64, whole nets at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from asking import CAPPED, Lab, lasting, need
from nets_of_all_kinds import (
    FOLDED,
    Builder,
    around,
    convolutions,
    elementwise,
    exact_layers,
    flattened,
    folding,
    joins,
    pools,
    squeezed,
    typed,
)

from convdiff.case.device import Device
from convdiff.lab.nets import NetRun, Observe, Subject, Watched, observe_net
from convdiff.plan.cell import NoBits
from convdiff.runtime.matrix import interpreters, split_spec
from convdiff.runtime.model import Runtime
from convdiff.worker.ops import OPS
from convdiff.worker.ops.net import KINDS

Make = Callable[[], Builder]
RANKS = (1, 2, 3)
SPECS = {
    "tensorflow:cpu": RANKS,
    "tensorflow:cpu+graph": RANKS,
    "tensorflow:cpu+xla": (2,),
    "torch:cpu": RANKS,
    "torch:cpu+channels_last": (2,),
    "jax:cpu": (2, 3),
    "onnxruntime:cpu": RANKS,
    "openvino:cpu+f32": RANKS,
}
"""The ranks of the nets that are asked of each; where all is compiled, few."""
NETS: Mapping[str, Callable[[int, bool], Builder]] = {
    "elementwise": elementwise,
    "joins": joins,
    "pools": pools,
    "convolutions": partial(convolutions, transposed=False),
    "transposed": partial(convolutions, transposed=True),
    "flat hwc": lambda rank, integers: flattened(rank, "hwc", integers),
    "flat chw": lambda rank, integers: flattened(rank, "chw", integers),
    "squeezed": lambda rank, integers: squeezed(rank, "chw", integers),
}
TOLERANCE = {"float32": 4e-6, "float64": 1e-8, "float16": 4e-3, "bfloat16": 4e-2}
"""Of the largest value of an activation: the nets are one or two layers deep where it rounds."""


def runtime_of(spec: str, python: str = "") -> Runtime:
    """Return the runtime of a spec, on another interpreter where one is given."""
    need(*(() if python else (spec,)))
    (interpreter,) = interpreters([spec], [python] if python else [], (), ())
    return Runtime(interpreter, split_spec(spec)[1] or Device("cpu"))


def activations(
    lab: Lab, subject: Subject, runtime: Runtime, observe: Observe = "all"
) -> Mapping[str, Any] | NoBits:
    """Return all activations of a subject's whole input."""
    batch, _, length, _ = subject.input_nhwc.shape
    watched = [Watched(layer.name) for layer in subject.net.layers]
    runs = [NetRun(runtime, length, batch)]
    ((_, found, _),) = observe_net(subject, runs, watched, lab.pool, observe=observe)
    return found


def check(lab: Lab, builder: Builder, runtime: Runtime, dtype: str = "float32") -> None:
    """Assert that a runtime's activations are NumPy's in float64, exactly where that is exact."""
    subject = builder.subject(dtype)
    truth = activations(lab, typed(subject, "float64"), runtime_of("numpy:cpu"))
    found = activations(lab, subject, runtime)
    assert not isinstance(truth, NoBits), truth
    assert not isinstance(found, NoBits), found
    assert list(found) == [layer.name for layer in subject.net.layers]
    wide = builder.integers and dtype in ("float32", "float64")
    exact = exact_layers(subject.net) if wide else set()
    for name, array in truth.items():
        seen = found[name].astype(np.float64)
        where = f"{runtime.id}, {subject.net.layer(name)}"
        assert seen.shape == array.shape, where
        if name in exact:
            assert np.array_equal(seen, array), where
        largest = max(1.0, float(np.abs(array).max()))
        assert np.allclose(seen, array, rtol=0, atol=TOLERANCE[dtype] * largest), where


def test_the_nets_have_every_kind_of_layer():
    layers = {
        layer.op for make in NETS.values() for rank in RANKS for layer in make(rank, True).layers
    }
    assert layers == set(KINDS) and set(OPS) < layers


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("spec", lasting(*SPECS))
def test_layers_compute_what_they_are(lab: Lab, spec: str, name: str):
    runtime = runtime_of(spec)
    for rank in SPECS[spec]:
        check(lab, NETS[name](rank, True), runtime)


@pytest.mark.parametrize("spec", ["tensorflow:cpu", "torch:cpu", "onnxruntime:cpu", "jax:cpu"])
def test_layers_compute_what_they_are_of_any_numbers(lab: Lab, spec: str):
    for name in ("elementwise", "joins", "pools", "squeezed"):
        check(lab, NETS[name](2, False), runtime_of(spec))


@pytest.mark.parametrize("spec", ["torch:cpu", "tensorflow:cpu", "jax:cpu"])
def test_numpys_float64_is_that_of_others(lab: Lab, spec: str):
    for name in ("elementwise", "joins", "squeezed"):
        check(lab, NETS[name](2, False), runtime_of(spec), "float64")


@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        ("numpy:cpu", "float32"),
        ("numpy:cpu", "float16"),
        ("torch:cpu", "bfloat16"),
        ("torch:cpu", "float16"),
        *[("tensorflow:cpu", "bfloat16")] * (not CAPPED),  # a cap takes oneDNN's kernels away
        ("tensorflow:cpu+graph", "float16"),
        ("jax:cpu", "bfloat16"),
    ],
)
def test_layers_compute_what_they_are_in_other_dtypes(lab: Lab, spec: str, dtype: str):
    for name in ("joins", "squeezed"):
        check(lab, NETS[name](2, True), runtime_of(spec), dtype)


NOT_IN_TF1 = ("leaky_relu", "selu", "gelu", "silu")


def test_tensorflow_1_computes_them_in_one_session(lab: Lab, tf1_python: str):
    runtime = runtime_of("tensorflow:cpu", tf1_python)
    check(lab, elementwise(2, True, NOT_IN_TF1), runtime)
    for name in ("joins", "convolutions", "flat hwc", "flat chw"):
        for rank in (2, 3):
            check(lab, NETS[name](rank, True), runtime)
    for kind in ("max_pool", "avg_pool"):
        for rank in RANKS:
            b = Builder(rank)
            size = around((3, 2, 2)[-rank:])
            b.add(kind, size=size, padding="same")
            b.add(kind, size=around((1,) * rank), strides=(1,) * len(size))
            check(lab, b, runtime)


def one_layer(kind: str, rank: int = 2, **settings: Any) -> Builder:
    b = Builder(rank)
    b.add(kind, **settings)
    return b


REFUSALS = (
    ("torch:cpu", lambda: one_layer("avg_pool", size=(2, 2), dilations=(2, 2)), "'dilation'"),
    (
        "tensorflow:cpu",
        lambda: one_layer(
            "max_pool", size=(2, 2), strides=(1, 1), dilations=(2, 2), padding="same"
        ),
        "max_pool_0: pooling with 'SAME' padding is not implemented for `dilation_rate` > 1",
    ),
    ("torch:cpu+channels_last", lambda: one_layer("relu", 1), "required rank 4 tensor"),
)


@pytest.mark.parametrize(("spec", "make", "words"), REFUSALS)
def test_what_a_framework_does_not_do_it_says_itself(lab: Lab, spec: str, make: Make, words: str):
    found = activations(lab, make().subject(), runtime_of(spec))
    assert isinstance(found, NoBits) and words in found.reason and not found.died


def test_an_old_tensorflow_names_the_layer_that_it_does_not_have(lab: Lab, tf1_python: str):
    found = activations(lab, one_layer("selu").subject(), runtime_of("tensorflow:cpu", tf1_python))
    assert found == NoBits("LayerError: selu_0: TensorFlow 1.0.0 has no nn.selu")


def test_a_dtype_that_a_framework_has_not_is_refused(lab: Lab):
    for spec, dtype in (("numpy:cpu", "bfloat16"), ("openvino:cpu", "float64")):
        found = activations(lab, one_layer("relu").subject(dtype), runtime_of(spec))
        assert isinstance(found, NoBits), spec


@pytest.mark.parametrize("spec", ["tensorflow:cpu+graph", "onnxruntime:cpu", "torch:cpu"])
def test_one_net_serves_every_length_and_batch(lab: Lab, spec: str):
    subject = joins(2, True).subject()
    subject = replace(subject, net=subject.net._replace(outputs=(subject.net.layers[0].name,)))
    runtime, numpy = runtime_of(spec), runtime_of("numpy:cpu")
    watched = [Watched(layer.name) for layer in subject.net.layers]
    lengths = [(11, 2), (6, 1), (8, 2), (6, 2)]
    sides = []
    for one in (runtime, numpy):
        runs = [NetRun(one, length, batch) for length, batch in lengths]
        found = {
            (run.length, run.batch): activations
            for run, activations, _ in observe_net(subject, runs, watched, lab.pool, observe="all")
        }
        sides.append(found)
    exact = exact_layers(subject.net) - {"input"}
    for key, truth in sides[1].items():
        for name in exact:
            assert np.array_equal(sides[0][key][name], truth[name]), (spec, key, name)


@pytest.mark.parametrize(
    "spec", ["tensorflow:cpu+graph", "jax:cpu", "onnxruntime:cpu", "openvino:cpu+f32"]
)
def test_what_is_safe_to_fetch_changes_no_bit_of_the_outputs(lab: Lab, spec: str):
    for what in FOLDED:
        subject, runtime = folding(what).subject(), runtime_of(spec)
        alone, safely = (
            activations(lab, subject, runtime, observe) for observe in ("outputs", "safe")
        )
        assert not isinstance(alone, NoBits) and not isinstance(safely, NoBits)
        assert set(alone) < set(safely), "and something is seen"
        for name, bits in alone.items():
            assert np.array_equal(safely[name], bits), (spec, what)


def test_pytorch_compiles_a_net_as_one_function(lab: Lab):
    check(lab, squeezed(2, "chw", integers=True), runtime_of("torch:cpu+compiled"))
