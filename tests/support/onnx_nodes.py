"""The onnx package's own tests of its nodes, read as convolutions with their stored outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from answers import Question

from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

CASES = "onnx.backend.test.case.node"
MODULES = {"conv": "Conv", "convtranspose": "ConvTranspose", "gemm": "Gemm"}
"""Of that package, each with a class of tests."""
Arrays = Sequence[np.ndarray]


class NotAnOp(Exception):
    """What a node computes is none of convdiff's ops."""


def node_cases(monkeypatch: Any) -> Iterator[tuple[str, Any, Arrays, np.ndarray]]:
    """Yield (name, node, inputs, output) of the tests that onnx generates for these nodes."""
    for module_name, class_name in MODULES.items():
        module = import_module(f"{CASES}.{module_name}")
        calls: list[tuple[Any, dict[str, Any]]] = []
        monkeypatch.setattr(
            module, "expect", lambda node, calls=calls, **kw: calls.append((node, kw))
        )
        tests = getattr(module, class_name)
        for name in dir(tests):
            if name.startswith("export"):
                getattr(tests, name)()
        for node, given in calls:
            yield given["name"], node, given["inputs"], given["outputs"][0]


def stored_cases() -> Iterator[tuple[str, Any, Arrays, np.ndarray]]:
    """Yield the same of the models that were converted from PyTorch, with their data files."""
    import onnx
    from onnx.numpy_helper import to_array

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "pytorch-converted"
    models = [*folder.glob("test_Conv*"), *folder.glob("test_Linear*")]
    for path in sorted(models):
        graph = onnx.load(path / "model.onnx").graph
        values = {one.name: to_array(one) for one in graph.initializer}
        for node in graph.node[:-1]:
            assert node.op_type == "Transpose", path.name
            values[node.output[0]] = values[node.input[0]].transpose(attributes(node)["perm"])
        node = graph.node[-1]
        for data in sorted(path.glob("test_data_set_*")):
            read = [onnx.load_tensor(data / f"{one}_0.pb") for one in ("input", "output")]
            x, y = map(to_array, read)
            yield path.name, node, [x, *(values[name] for name in node.input[1:])], y


def question(node: Any, inputs: Arrays, output: np.ndarray) -> Question:
    """Return a node as a geometry with its arrays. Raises NotAnOp for one that has none."""
    conv, tensors, right = READERS[node.op_type](attributes(node), *inputs, output=output)
    return Question(conv, tensors, right.astype(np.float64))


def attributes(node: Any) -> dict[str, Any]:
    """Return a node's attributes by name."""
    from onnx.helper import get_attribute_value

    return {one.name: get_attribute_value(one) for one in node.attribute}


def _conv(
    given: Mapping[str, Any], x: np.ndarray, w: np.ndarray, *bias: np.ndarray, output: np.ndarray
) -> tuple[Convolution, Tensors, np.ndarray]:
    groups, kernel = given.get("group", 1), w.shape[2:]
    conv = _moved(given, f"conv{x.ndim - 2}d", kernel, x.shape, w.shape[0])
    filter_hwio = np.moveaxis(w, (0, 1), (-1, -2))
    assert conv.groups == groups and filter_hwio.shape[-2] * groups == x.shape[1]
    return conv, _tensors(conv, x, filter_hwio, bias), _folded(output)


def _conv_transpose(
    given: Mapping[str, Any], x: np.ndarray, w: np.ndarray, *bias: np.ndarray, output: np.ndarray
) -> tuple[Convolution, Tensors, np.ndarray]:
    groups, kernel = given.get("group", 1), w.shape[2:]
    op, channels_out = f"conv{x.ndim - 2}d_transpose", w.shape[1] * groups
    conv = _moved(given, op, kernel, x.shape, channels_out)
    parts = [np.moveaxis(part, (0, 1), (-2, -1)) for part in np.split(w, groups)]
    return conv, _tensors(conv, x, np.concatenate(parts, axis=-1), bias), _folded(output)


def _gemm(
    given: Mapping[str, Any], a: np.ndarray, b: np.ndarray, *bias: np.ndarray, output: np.ndarray
) -> tuple[Convolution, Tensors, np.ndarray]:
    a, b = (a.T if given.get("transA") else a), (b.T if given.get("transB") else b)
    b = (given.get("alpha", 1.0) * b).astype(np.float32)
    biases = None
    if bias:
        (one,) = bias
        if one.ndim == 2 and one.shape[0] > 1:
            raise NotAnOp("a matrix is added, no bias")
        biases = np.broadcast_to(given.get("beta", 1.0) * one.ravel(), b.shape[1:])
        biases = biases.astype(np.float32)
    conv = Convolution((1, 1), *b.shape, op="dense")
    x, w = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return conv, Tensors(w[None, None], biases, x[None, None]), output[None, None]


READERS: dict[str, Callable[..., tuple[Convolution, Tensors, np.ndarray]]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _gemm,
}
"""What a node of a type computes, by ONNX's specification."""


def _moved(
    given: Mapping[str, Any], op: str, kernel: tuple[int, ...], shape: Any, channels_out: int
) -> Convolution:
    """Return the geometry that a node's attributes describe; axes that they omit are 1, pads 0."""
    rank, extents = len(kernel), shape[2:]
    strides = given.get("strides", [1] * rank)
    dilations = given.get("dilations", [1] * rank)
    longer = list(given.get("output_padding", [0] * rank))
    pads = given.get("pads", [0] * (2 * rank))
    padding: Any = list(zip(pads[:rank], pads[rank:], strict=True))
    auto = given.get("auto_pad", b"NOTSET").decode()
    if "output_shape" in given:
        wanted = given["output_shape"]
        moves = zip(extents, kernel, strides, dilations, longer, wanted, strict=True)
        totals = [(n - 1) * s + (k - 1) * d + 1 + o - y for n, k, s, d, o, y in moves]
        assert max(totals) <= 0, "none of onnx's cuts with it"
        longer = [o - total for o, total in zip(longer, totals, strict=True)]
        padding = [(0, 0)] * rank
    named = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}.get(auto)
    return Convolution(
        kernel=_axes(kernel, 1),
        channels_in=shape[1],
        channels_out=channels_out,
        strides=_axes(strides, 1),
        dilations=_axes(dilations, 1),
        groups=given.get("group", 1),
        op=op,
        padding=named or _axes(padding, (0, 0)),
        output_padding=_axes(longer, 0),
        depth=extents[0] if rank == 3 else 1,
    )


def _axes(entries: Sequence[Any], fill: Any) -> tuple[Any, ...]:
    return tuple(entries) if len(entries) > 1 else (fill, *entries)


def _tensors(conv: Convolution, x: np.ndarray, filter_hwio: Any, bias: Arrays) -> Tensors:
    filter_hwio = np.ascontiguousarray(filter_hwio).reshape(conv.filter_shape)
    return Tensors(filter_hwio, bias[0] if bias else None, _folded(x))


def _folded(array_nchw: np.ndarray) -> np.ndarray:
    """Return (N, C, …) data as NHWC, depth and height as one."""
    last = np.ascontiguousarray(np.moveaxis(array_nchw, 1, -1))
    return last.reshape(last.shape[0], -1, *last.shape[-2:])
