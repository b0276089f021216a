"""What PyTorch computes for each kind of layer; `torch` is a `TorchNet`.

Activations are N, C, …, as the functions of torch.nn.functional take them.
"""

from functools import partial
from typing import Any, Dict, Tuple

import numpy as np

from .. import layout, torch_calls
from ..ops.axis import moves_of, pads_of
from ..ops.convolution import Convolution
from ..ops.net_shapes import spatial
from . import pools
from .context import Context
from .steps import Build, Call, joined


def _op(torch: Any, context: Context) -> Call:
    conv, w, bias = _counted(context), context.arrays["filter"], context.arrays.get("bias")
    pads = pads_of(conv.own(conv.axes), context.own)

    def call(x: Any) -> Any:
        if conv.transposed:
            made = torch_calls.transposed(conv, pads)
        else:
            made, x = torch_calls.convolution(conv, x.movedim(1, -1))
            x = x.movedim(-1, 1)
        return torch.eager(x, w, bias, None, *made)

    return call


def _counted(context: Context) -> Convolution:
    """Return an op's geometry; SAME with strides, which PyTorch refuses, with numbers."""
    conv = context.conv
    if conv.transposed or conv.padding not in ("same", "same_lower") or set(conv.strides) == {1}:
        return conv
    return conv._replace(padding=pads_of(conv.axes, spatial(context.size, len(conv.axes))))


def _dense(torch: Any, context: Context) -> Call:
    w, bias = context.arrays["filter"], context.arrays.get("bias")
    linear = torch.torch.nn.functional.linear
    if context.flat:
        return lambda x: linear(x, w, bias)
    return lambda x: linear(x.movedim(1, -1), w, bias).movedim(-1, 1)


def _pool(kind: str, torch: Any, context: Context) -> Call:
    """Return torch's own pool, or one of what is padded before it."""
    settings, functional = context.settings, torch.torch.nn.functional
    function = getattr(functional, "%s_pool%dd" % (kind, context.net.rank))
    axes = context.rest(context.layer.axes)
    size, strides, dilations = moves_of(axes)
    if set(dilations) != {1}:
        function = partial(function, dilation=dilations)
    pads = pads_of(axes, context.own)
    if not all(map(_pads_as_torch, pads, size)):
        return _padded(kind, torch, context, partial(function, kernel_size=size, stride=strides))
    own = {name: settings[name] for name in OWN if name in settings}
    own["padding"] = [before for before, _ in pads]
    return lambda x: function(x, size, strides, **own)


OWN = ("ceil_mode", "count_include_pad")
"""Settings that torch's pools have by the same names."""


def _pads_as_torch(pad: Tuple[int, int], size: int) -> bool:
    """Return whether torch's pools pad so: both ends alike, by half of a window at most."""
    before, after = pad
    return before == after <= size // 2


def _padded(kind: str, torch: Any, context: Context, function: Call) -> Call:
    """Return a pool, a function of its input, of what F.pad pads."""
    pads, pad = layout.last_axis_first(context.pads), torch.torch.nn.functional.pad
    if kind == "max":
        return lambda x: function(pad(x, pads, value=-np.inf))
    divisor = torch.torch.as_tensor(pools.share(context))
    return lambda x: function(pad(x, pads)) / divisor.to(x)


def _global(name: str, torch: Any, context: Context) -> Call:
    function = getattr(torch.torch.nn.functional, "%s%dd" % (name, context.net.rank))
    return lambda x: function(x, 1)


def _named(name: str, torch: Any, context: Context) -> Call:
    """Return a function of torch.nn.functional, or else of torch, with the layer's settings."""
    values = list(context.settings.values())
    function = getattr(torch.torch.nn.functional, name, None) or getattr(torch.torch, name)
    return lambda x: function(x, *values)


def _gelu(torch: Any, context: Context) -> Call:
    approximate = "tanh" if context.settings["approximate"] else "none"
    return lambda x: torch.torch.nn.functional.gelu(x, approximate=approximate)


def _hard_sigmoid(torch: Any, context: Context) -> Call:
    alpha, beta = context.settings["alpha"], context.settings["beta"]
    if (alpha, beta) == (1 / 6, 0.5):
        return torch.torch.nn.functional.hardsigmoid  # type: ignore[no-any-return]
    return lambda x: torch.torch.clamp(x * alpha + beta, 0, 1)


def _prelu(torch: Any, context: Context) -> Call:
    return lambda x: torch.torch.nn.functional.prelu(x, context.arrays["slope"])


def _softmax(torch: Any, context: Context) -> Call:
    return lambda x: torch.torch.nn.functional.softmax(x, 1)


def _batch_norm(torch: Any, context: Context) -> Call:
    given = context.given("mean", "variance", "scale", "shift")
    epsilon = context.settings["epsilon"]
    return lambda x: torch.torch.nn.functional.batch_norm(x, *given, eps=epsilon)


def _join(name: str, torch: Any, context: Context) -> Call:
    return joined(getattr(torch.torch, name), context)


def _concat(torch: Any, context: Context) -> Call:
    axis = context.joined_channels_first
    return lambda *given: torch.torch.cat(given, axis)


def _pad(torch: Any, context: Context) -> Call:
    settings = context.settings
    pads = layout.last_axis_first(context.rest(settings["padding"]))
    return lambda x: torch.torch.nn.functional.pad(x, pads, value=settings["value"])


def _flatten(torch: Any, context: Context) -> Call:
    if context.settings["order"] == "chw":
        return lambda x: x.flatten(1)
    return lambda x: x.movedim(1, -1).flatten(1)


def _reshape(torch: Any, context: Context) -> Call:
    shape = (-1,) + context.fixed
    return lambda x: x.movedim(1, -1).reshape(shape).movedim(-1, 1).contiguous()


def _lift(torch: Any, context: Context) -> Call:
    ones = (1,) * context.net.rank
    return lambda x: x.reshape(x.shape + ones)


def _identity(torch: Any, context: Context) -> Call:
    return lambda x: x


LAYERS: Dict[str, Build] = {
    "op": _op,
    "dense": _dense,
    "max_pool": partial(_pool, "max"),
    "avg_pool": partial(_pool, "avg"),
    "global_max_pool": partial(_global, "adaptive_max_pool"),
    "global_avg_pool": partial(_global, "adaptive_avg_pool"),
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "prelu": _prelu,
    "softmax": _softmax,
    "batch_norm": _batch_norm,
    "divide": partial(_join, "div"),
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "lift": _lift,
    "identity": _identity,
}
for _name in ("add", "subtract", "multiply", "maximum", "minimum"):
    LAYERS[_name] = partial(_join, _name)
for _name in ("relu", "relu6", "leaky_relu", "elu", "selu", "silu", "softplus", "softsign"):
    LAYERS[_name] = partial(_named, _name)
for _name in ("sigmoid", "tanh", "exp", "log", "sqrt", "abs", "negative"):
    LAYERS[_name] = partial(_named, _name)
LAYERS["hard_swish"] = partial(_named, "hardswish")
LAYERS["clip"] = partial(_named, "clamp")
