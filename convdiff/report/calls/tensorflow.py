"""TensorFlow: eager, as a function, compiled by XLA; of 1.x a graph and a session."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.report.calls import PRODUCTS
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.tensorflow_ops import TAKES_NUMBERS

WORDS = ("valid", "same")
MODES = {"graph": "tf.function(op, autograph=False)"}
MODES["xla"] = "tf.function(op, jit_compile=True, autograph=False)"
STEPS = {"relu": "tf.nn.relu(y)", "relu6": "tf.nn.relu6(y)", "add": "tf.add(y, a)"}

EAGER = """\
def convolve(x, w, b, a, threads):
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
{filter}
    def op(x, w, b, a):
        y = {op}
        y = y if b is None else tf.nn.bias_add(y, b)
        return {step}

    x, w, b, a = (None if one is None else tf.constant(one) for one in (x, w, b, a))
    y = {wrapped}(x, w, {inside})
    return {behind}.numpy()
"""
GRAPH = """\
def convolve(x, w, b, a, threads):
    import tensorflow as tf
{filter}
    extents = x.shape
    given = [one for one in (x, w, b, a) if one is not None]
    x = tf.placeholder(x.dtype, [None] * (x.ndim - 1) + [x.shape[-1]])
    w, b, a = (None if one is None else tf.placeholder(one.dtype, one.shape) for one in (w, b, a))
    fed = [one for one in (x, w, b, a) if one is not None]
    y = {op}
    y = y if b is None else tf.nn.bias_add(y, b)
    y = {step}
    config = tf.ConfigProto(
        intra_op_parallelism_threads=threads or 0, inter_op_parallelism_threads=threads or 0
    )
    with tf.Session(config=config) as session:
        return session.run(y, dict(zip(fed, given)))
"""


def text(conv: Convolution, modes: Sequence[str], version: str) -> str:
    """See the package."""
    turned = ""
    if conv.transposed:
        turned = f"    w = np.moveaxis(iohw(w, {conv.groups}), (0, 1), (-1, -2))\n"
    step = STEPS.get(conv.then, "y")
    if version.startswith(("0.", "1.")):
        return GRAPH.format(filter=turned, op=_op(conv, old=True), step=step)
    # Without a step the bias is added by itself, whatever the mode.
    inside, behind = "b, a", "y"
    if not conv.then:
        inside, behind = "None, None", "(y if b is None else tf.nn.bias_add(y, b))"
    return EAGER.format(
        filter=turned,
        op=_op(conv, old=False),
        step=step,
        wrapped=MODES[modes[-1]] if modes else "op",
        inside=inside,
        behind=behind,
    )


def _op(conv: Convolution, *, old: bool) -> str:
    """Return the expression of TensorFlow's op of x and w."""
    if conv.op in PRODUCTS:
        rows = f"tf.reshape(x, [-1, {conv.channels_in}])"
        product = f"tf.matmul({rows}, tf.reshape(w, [{conv.channels_in}, {conv.channels_out}]))"
        shape = "list(extents[:-1])" if old else "list(x.shape[:-1])"
        return f"tf.reshape({product}, {shape} + [{conv.channels_out}])"
    if conv.transposed:
        return _transposed(conv, old=old)
    x, padding = "x", _word(conv)
    if not padding:
        padding = str(_ends(conv.own(conv.padding)))
        if old or conv.op not in TAKES_NUMBERS:
            x, padding = f"tf.pad(x, {padding})", '"VALID"'
    strides, more = _steps(conv, conv.strides), _dilations(conv)
    if 1 < conv.groups == conv.channels_in and conv.rank == 2:
        lanes = [*conv.kernel, conv.groups, conv.channels_out // conv.groups]
        name = "depthwise_conv2d_native" if old else "depthwise_conv2d"
        if more:
            more = f", dilations={list(conv.dilations)}"
        return f"tf.nn.{name}({x}, tf.reshape(w, {lanes}), {strides}, {padding}{more})"
    return f"tf.nn.{conv.op}({x}, w, {strides}, {padding}{more})"


def _transposed(conv: Convolution, *, old: bool) -> str:
    """Return the expression of a transposed op; what it can't cut off is cut behind it."""
    axes = conv.own(conv.axes)
    pads = tuple(axis.pad(1) for axis in axes)
    padding, cut = _word(conv) or str(_ends(pads)), ((0, 0),) * conv.rank
    if not _word(conv) and (old or conv.op not in TAKES_NUMBERS):
        padding, cut = '"VALID"', pads
    extents = "extents" if old else "x.shape"
    # An axis of n inputs has n · stride outputs, and so many more.
    outputs = []
    for at, (axis, ends) in enumerate(zip(axes, cut, strict=True), 1):
        more = axis.extent(1) - axis.stride + sum(ends)
        outputs.append(f"{extents}[{at}] * {axis.stride} + {more}")
    shape = f"[{extents}[0], {', '.join(outputs)}, {conv.channels_out}]"
    inside = ", ".join(f"{before}:{-after or None}" for before, after in cut)
    kept = f"[:, {inside}]" if any(map(any, cut)) else ""
    rest = f"{_steps(conv, conv.strides)}, {padding}{_dilations(conv)}"
    return f"tf.nn.{conv.op}(x, w, {shape}, {rest}){kept}"


def _dilations(conv: Convolution) -> str:
    if set(conv.dilations) == {1}:
        return ""
    return f", dilations={_steps(conv, conv.dilations)}"


def _word(conv: Convolution) -> str:
    return f'"{conv.padding.upper()}"' if isinstance(conv.padding, str) else ""


def _ends(pads: Sequence[Sequence[int]]) -> list[list[int]]:
    return [[0, 0], *map(list, pads), [0, 0]]


def _steps(conv: Convolution, steps: Sequence[int]) -> str:
    return str(steps[-1] if conv.rank == 1 else [1, *conv.own(steps), 1])
