"""How each framework is called in a script of its own: the text of a function `convolve`.

The calls are those of `convdiff/worker/frameworks`, written out for one geometry. Arrays have the
op's own axes, N[[D]H]WC and [[kd]kh]kwIO.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convdiff.errors import ConvdiffError
from convdiff.runtime.constant import is_fed
from convdiff.runtime.model import Runtime
from convdiff.worker.framework import CONSTANT
from convdiff.worker.ops.convolution import Convolution

PRODUCTS = ("dense",)
"""Ops that are matrix products."""
NOT_YET = {"onnxruntime": PRODUCTS}
"""Ops that no script is written of."""
WORDS = {
    "tensorflow": ("valid", "same"),
    "torch": ("valid", "same"),
    "jax": ("valid", "same", "same_lower"),
    "onnxruntime": ("valid", "same", "same_lower"),
}
"""Paddings that a framework has a word for."""

Call = Callable[[Convolution, Runtime, str], str]
"""From a geometry, its runtime and the framework's version to the function's text."""


def call_of(conv: Convolution, runtime: Runtime, version: str) -> str:
    """Return the function that computes an op as a runtime does. Raises ConvdiffError."""
    framework = runtime.interpreter.framework
    if framework not in CALLS:
        raise ConvdiffError(f"--script: there is no script of {framework} yet")
    modes = set(runtime.device.modes) - MODES[framework]
    unwritten = {
        conv.op: conv.transposed or conv.op in NOT_YET.get(framework, ()),
        conv.dtype: conv.dtype == "bfloat16",
        f"padding: {conv.padding}": not _is_padded_by(framework, conv),
        f"{framework}:{runtime.device}": bool(modes) or runtime.device.kind != "cpu",
    }
    for what, is_unwritten in unwritten.items():
        if is_unwritten:
            raise ConvdiffError(f"--script: there is no script of {what} in {framework} yet")
    return CALLS[framework](conv, runtime, version)


def _is_padded_by(framework: str, conv: Convolution) -> bool:
    """Return whether a framework takes the padding as it is, and cuts nothing."""
    if isinstance(conv.padding, str):
        return conv.padding in WORDS[framework]
    return bool(min(map(min, conv.padding)) >= 0)


def _tensorflow(conv: Convolution, runtime: Runtime, version: str) -> str:
    if version.startswith(("0.", "1.")):
        return _graph(conv)
    wrap = {"xla": "tf.function(op, jit_compile=True)", "graph": "tf.function(op)"}
    mode = runtime.device.modes[-1] if runtime.device.modes else ""
    return f"""\
def convolve(x, w, b, threads):
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)

    def op(x, w):
        return {_tf_op(conv)}

    y = {wrap.get(mode, "op")}(tf.constant(x), tf.constant(w))
    return (y if b is None else tf.nn.bias_add(y, b)).numpy()
"""


def _graph(conv: Convolution) -> str:
    return f"""\
def convolve(x, w, b, threads):
    import tensorflow as tf

    given = x, w
    x = tf.placeholder(x.dtype, [None] * (x.ndim - 1) + [x.shape[-1]])
    w = tf.placeholder(w.dtype, w.shape)
    y = {_tf_op(conv, old=True)}
    y = y if b is None else tf.nn.bias_add(y, b)
    config = tf.ConfigProto(
        intra_op_parallelism_threads=threads or 0, inter_op_parallelism_threads=threads or 0
    )
    with tf.Session(config=config) as session:
        return session.run(y, dict(zip((x, w), given)))
"""


def _tf_op(conv: Convolution, *, old: bool = False) -> str:
    """Return the expression of TensorFlow's op of x and w."""
    if conv.op in PRODUCTS:
        rows = f"tf.reshape(x, [-1, {conv.channels_in}])"
        product = f"tf.matmul({rows}, tf.reshape(w, [{conv.channels_in}, {conv.channels_out}]))"
        return f"tf.reshape({product}, list(x.shape[:-1]) + [{conv.channels_out}])"
    x, padding = "x", f'"{conv.padding.upper()}"' if isinstance(conv.padding, str) else ""
    if not padding:
        pads = [[0, 0], *map(list, conv.own(conv.padding)), [0, 0]]
        itself = conv.rank == 2 and not old
        x, padding = ("x", str(pads)) if itself else (f"tf.pad(x, {pads})", '"VALID"')
    strides, dilations = _steps(conv, conv.strides), _steps(conv, conv.dilations)
    more = f", dilations={dilations}" if set(conv.dilations) != {1} else ""
    if 1 < conv.groups == conv.channels_in and conv.rank == 2:
        shape = [*conv.kernel, conv.groups, conv.channels_out // conv.groups]
        name = "depthwise_conv2d_native" if old else "depthwise_conv2d"
        more = f", dilations={list(conv.dilations)}" if more else ""
        return f"tf.nn.{name}({x}, tf.reshape(w, {shape}), {strides}, {padding}{more})"
    return f"tf.nn.{conv.op}({x}, w, {strides}, {padding}{more})"


def _steps(conv: Convolution, steps: Sequence[int]) -> str:
    return str(steps[-1] if conv.rank == 1 else [1, *conv.own(steps), 1])


def _torch(conv: Convolution, runtime: Runtime, version: str) -> str:
    modes = runtime.device.modes
    off = "    torch.backends.mkldnn.set_flags(False)\n" if "mkldnn_off" in modes else ""
    wrapped = "torch.compile(op, dynamic=False)" if "compiled" in modes else "op"
    lead = "    x, w = (t.to(memory_format=torch.channels_last) for t in (x, w))\n"
    lead = lead if "channels_last" in modes else ""
    if conv.op in PRODUCTS:
        body = "torch.nn.functional.linear(x, w, b)"
        arrange = "torch.from_numpy(x), torch.from_numpy(np.ascontiguousarray(w[0].T))"
        back = "y"
    else:
        body = _torch_op(conv)
        arrange = (
            "(torch.from_numpy(np.ascontiguousarray(a)) for a in "
            "(np.moveaxis(x, -1, 1), np.moveaxis(w, (-1, -2), (0, 1))))"
        )
        back = "y.movedim(1, -1)"
    return f"""\
def convolve(x, w, b, threads):
    import torch

    if threads:
        torch.set_num_threads(threads)
{off}    x, w = {arrange}
{lead}    b = None if b is None else torch.from_numpy(b)

    def op(x, w, b):
        return {body}

    with torch.no_grad():
        y = {wrapped}(x, w, b)
    return {back}.contiguous().numpy()
"""


def _torch_op(conv: Convolution) -> str:
    x, padding = "x", "0"
    if conv.padding == "same":
        padding = '"same"'
    elif not isinstance(conv.padding, str):
        pads = conv.own(conv.padding)
        if all(before == after for before, after in pads):
            padding = str(tuple(before for before, _ in pads))
        else:
            ends = tuple(number for pair in reversed(pads) for number in pair)
            x = f"torch.nn.functional.pad(x, {ends})"
    strides, dilations = conv.own(conv.strides), conv.own(conv.dilations)
    rest = f"{strides}, {padding}, {dilations}, {conv.groups}"
    return f"torch.nn.functional.conv{conv.rank}d({x}, w, b, {rest})"


def _jax(conv: Convolution, runtime: Runtime, version: str) -> str:
    precision = repr(runtime.device.modes[-1] if runtime.device.modes else None)
    spatial = "DHW"[-conv.rank :]
    names = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    word = isinstance(conv.padding, str)
    padding = repr(conv.padding.upper()) if word else str(list(conv.own(conv.padding)))
    body = f"""jax.lax.conv_general_dilated(
            x,
            w,
            {conv.own(conv.strides)},
            {padding},
            rhs_dilation={conv.own(conv.dilations)},
            dimension_numbers={names},
            feature_group_count={conv.groups},
            precision={precision},
        )"""
    if conv.op in PRODUCTS:
        body = f"jax.numpy.matmul(x, w[0], precision={precision})"
    return f"""\
def convolve(x, w, b, threads):
    import jax

    jax.config.update("jax_enable_x64", True)

    def op(x, w, b=None):
        y = {body}
        return y if b is None else y + b

    arrays = (x, w) if b is None else (x, w, b)
    return np.asarray(jax.jit(op)(*arrays))
"""


ONNXRUNTIME = """\
def convolve(x, w, b, threads):
    import onnx
    import onnxruntime

    feed = {"a": np.moveaxis(x, -1, 1), "b": np.moveaxis(w, (-1, -2), (0, 1)), "c": b}
    feed = {name: np.ascontiguousarray(a) for name, a in feed.items() if a is not None}
    kind = onnx.TensorProto.%(kind)s
    node = onnx.helper.make_node("Conv", list(feed), ["y"], **%(attributes)r)
%(held)s    inputs = [
        onnx.helper.make_tensor_value_info(name, kind, %(shape)s) for name, a in feed.items()
    ]
    output = onnx.helper.make_tensor_value_info("y", kind, None)
    graph = onnx.helper.make_graph([node], "graph", inputs, [output]%(given)s)
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads%(level)s
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.moveaxis(session.run(None, feed)[0], 1, -1)
"""
HELD = """\
    held = [onnx.numpy_helper.from_array(feed.pop(name), name) for name in list(feed)[1:]]
"""
LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


def _onnxruntime(conv: Convolution, runtime: Runtime, version: str) -> str:
    attributes = {
        "kernel_shape": list(conv.own(conv.kernel)),
        "strides": list(conv.own(conv.strides)),
        "dilations": list(conv.own(conv.dilations)),
        "group": conv.groups,
    }
    words = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}
    if conv.padding in words:
        attributes["auto_pad"] = words[conv.padding]
    elif not isinstance(conv.padding, str):
        pads = conv.own(conv.padding)
        attributes["pads"] = [pair[end] for end in (0, 1) for pair in pads]
    levels = [mode for mode in runtime.device.modes if mode in LEVELS]
    level = ""
    if levels:
        value = f"onnxruntime.GraphOptimizationLevel.{LEVELS[levels[-1]]}"
        level = f"\n    options.graph_optimization_level = {value}"
    constant = not is_fed(runtime)
    shape = "[None, *a.shape[1:]]" if constant else "[None] * a.ndim"
    kinds = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "FLOAT16"}
    texts = {"kind": kinds[conv.dtype], "attributes": attributes, "level": level}
    given = {"held": HELD, "given": ", held"} if constant else {"held": "", "given": ""}
    return ONNXRUNTIME % {**texts, **given, "shape": shape}


CALLS: dict[str, Call] = {
    "tensorflow": _tensorflow,
    "torch": _torch,
    "jax": _jax,
    "onnxruntime": _onnxruntime,
}
MODES = {
    "tensorflow": {"xla", "graph"},
    "torch": {"compiled", "channels_last", "mkldnn_off"},
    "jax": {"default", "high", "highest"},
    "onnxruntime": {*LEVELS, CONSTANT},
}
"""Modes that a script has."""
