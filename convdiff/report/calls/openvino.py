"""OpenVINO: a model of one op compiled for the CPU; precision and constants are modes."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.report.calls import PRODUCTS
from convdiff.worker.framework import CONSTANT
from convdiff.worker.frameworks.openvino import AUTO_CUT, AUTO_PAD
from convdiff.worker.frameworks.openvino import MODES as PRECISIONS
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import LIMITS

WORDS = ("valid", "same", "same_lower")
MODES = (*PRECISIONS, CONSTANT)
STEPS = {
    "relu": "ops.relu(y)",
    "relu6": "ops.clamp(y, {}, {})".format(*LIMITS["relu6"]),
    "add": "ops.add(y, nodes[-1])",
}

TEXT = """\
def convolve(x, w, b, a, threads):
    import openvino

    ops, settings = openvino.opset13, {settings}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    given = [np.ascontiguousarray(one) for one in ({x}, {w}, {b}, {a}) if one is not None]
    nodes = [ops.parameter(list(one.shape), one.dtype.type) for one in given]
    {held}x, w = nodes[:2]
    {filter}y = {op}
    y = y if b is None else ops.add(y, nodes[2])
    model = openvino.Model([{step}], {fed}, "model")
    y = np.array(openvino.Core().compile_model(model, "CPU", settings)({given})[0])
    return {back}
"""
HELD = {
    "held": """\
fed = [0, *range(2 + (b is not None), len(given))]
    nodes = [one if at in fed else ops.constant(given[at]) for at, one in enumerate(nodes)]
    """,
    "fed": "[nodes[at] for at in fed]",
    "given": "[given[at] for at in fed]",
}
"""What differs where filter and bias are constants."""


def text(conv: Convolution, modes: Sequence[str], version: str) -> str:
    """See the package."""
    settings = {}
    for mode in modes:
        if mode in PRECISIONS:
            settings["INFERENCE_PRECISION_HINT"] = mode
    facts = {
        "settings": settings,
        "held": "",
        "fed": "nodes",
        "given": "given",
        "step": STEPS.get(conv.then, "y"),
        "filter": "",
    }
    if CONSTANT in modes:
        facts |= HELD
    if conv.op in PRODUCTS:
        op = "ops.matmul(x, w, False, False)"
        return TEXT.format(x="x", w="w[0]", b="b", a="a", op=op, back="y", **facts)
    if conv.groups > 1:
        shape = f"[{conv.groups}, w.shape[0] // {conv.groups}] + list(w.shape)[1:]"
        facts["filter"] = f"w = ops.reshape(w, np.array({shape}, np.int64), False)\n    "
    w = "np.moveaxis(w, (-1, -2), (0, 1))"
    if conv.transposed:
        w = f"iohw(w, {conv.groups})"
    return TEXT.format(
        x="np.moveaxis(x, -1, 1)",
        w=w,
        b=f"None if b is None else b.reshape({(1, -1) + (1,) * conv.rank})",
        a="None if a is None else np.moveaxis(a, -1, 1)",
        op=_op(conv),
        back="np.moveaxis(y, 1, -1)",
        **facts,
    )


def _op(conv: Convolution) -> str:
    """Return the expression of OpenVINO's op of x and w."""
    axes = conv.own(conv.axes)
    before, after = map(list, zip(*(axis.pad(axis.least) for axis in axes), strict=True))
    strides, dilations = conv.own(conv.strides), conv.own(conv.dilations)
    group = "group_" if conv.groups > 1 else ""
    word = (AUTO_CUT if conv.transposed else AUTO_PAD).get(conv.padding, "explicit")
    rest = f"{before}, {after}, {dilations}, {word!r}"
    if not conv.transposed:
        return f"ops.{group}convolution(x, w, {strides}, {rest})"
    # An axis of n inputs has n · stride outputs, and so many more.
    outputs = []
    for at, axis in enumerate(axes, 2):
        outputs.append(f"x.shape[{at}] * {axis.stride} + {axis.extent(1) - axis.stride}")
    shape = "None"
    if conv.padding in AUTO_CUT:
        shape = f"ops.constant(np.array([{', '.join(outputs)}], np.int64))"
    longer = list(conv.own(conv.output_padding))
    return f"ops.{group}convolution_backprop_data(x, w, {strides}, {shape}, {rest}, {longer})"
