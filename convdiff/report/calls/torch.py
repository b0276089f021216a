"""PyTorch: eager or compiled, however its arrays lie, with oneDNN (mkldnn) on or off."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from convdiff.report.calls import PRODUCTS
from convdiff.worker import memory
from convdiff.worker.frameworks.torch import FORMATS
from convdiff.worker.ops.convolution import Convolution

WORDS = ("valid", "same")
FLAGS = {
    "mkldnn_off": "torch.backends.mkldnn.set_flags(False)",
    "deterministic": "torch.use_deterministic_algorithms(True)",
}
MODES = ("compiled", *FLAGS, *FORMATS, *memory.MODES)
STEPS = {
    "relu": "torch.nn.functional.relu(y)",
    "relu6": "torch.nn.functional.relu6(y)",
    "add": "torch.add(y, a)",
}

TEXT = """\
def convolve(x, w, b, a, threads):
    import torch

    def tensor(one):
        if one is None:
            return None
        one = np.array(one, order="C")
        if one.dtype.name == "bfloat16":
            return torch.from_numpy(one.view(np.int16)).clone().view(torch.bfloat16)
        return torch.from_numpy(one).clone()

    if threads:
        torch.set_num_threads(threads)
{flags}    x, w, b, a = (tensor(one) for one in ({x}, {w}, b, {a}))
{lying}
    def op(x, w, b, a):
        y = {op}
        return {step}

    with torch.no_grad():
        y = {wrapped}(x, w, b, a)
    y = {back}.contiguous()
    return y.float() if y.dtype == torch.bfloat16 else y
"""
LAID = '''\
def laid(t, way, axis):
    """Return a tensor's numbers in memory of other strides; NaN lies between."""
    if way == "permuted":
        axes = tuple(range(t.dim()))[::-1]
        return t.permute(axes).contiguous().permute(axes)
    shape = list(t.shape)
    shape[axis] = 2 * shape[axis] if way == "sliced" else shape[axis] + 2
    cut = slice(None, None, 2) if way == "sliced" else slice(1, -1)
    part = t.new_full(shape, float("nan"))[(slice(None),) * axis + (cut,)]
    return part.copy_(t)
'''


def text(conv: Convolution, modes: Sequence[str], version: str) -> str:
    """See the package."""
    flags = "".join(f"    {line}\n" for mode, line in FLAGS.items() if mode in modes)
    x, a, back = "np.moveaxis(x, -1, 1)", "a if a is None else np.moveaxis(a, -1, 1)", "y"
    w = "np.moveaxis(w, (-1, -2), (0, 1))"
    if conv.op in PRODUCTS:
        x, w, a = "x", "w[0].T", "a"
        op = "torch.nn.functional.linear(x, w, b)"
    else:
        op, back = _convolution(conv), "y.movedim(1, -1)"
    if conv.transposed:
        w, op = f"iohw(w, {conv.groups})", _transposed(conv)
    wrapped = "op"
    if "compiled" in modes:
        wrapped = "torch.compile(op, dynamic=False)"
    return TEXT.format(
        flags=flags,
        x=x,
        w=w,
        a=a,
        lying=_lying(conv, modes),
        op=op,
        step=STEPS.get(conv.then, "y"),
        wrapped=wrapped,
        back=back,
    )


def _lying(conv: Convolution, modes: Sequence[str]) -> str:
    """Return the lines that lay out input and weights as the modes have it."""
    spatial = "DHW"[-conv.rank :]
    axes = {"input": f"NC{spatial}", "weights": f"OI{spatial}"}
    if conv.transposed:
        axes["weights"] = f"IO{spatial}"
    if conv.op in PRODUCTS:
        axes = {"input": "NWC", "weights": "OI"}
    lines = []
    for which, name in (("input", "x"), ("weights", "w")):
        for mode in modes:
            _, _, way = mode.partition("_")
            if mode in memory.MODES and mode.startswith(which):
                lines.append(f"    {name} = laid({name}, {way!r}, {_axis(axes[which], way)})\n")
            elif mode in ("channels_last", f"{which}_channels_last"):
                kind = "channels_last_3d" if len(axes[which]) == 5 else "channels_last"
                lines.append(f"    {name} = {name}.to(memory_format=torch.{kind})\n")
    return "".join(lines)


def _axis(axes: str, way: str) -> int:
    """Return the axis along which a way of `memory` lays an array out."""
    if way == "sliced":
        return axes.find("W") % len(axes)
    return axes.index("C" if "C" in axes else "I")


def _convolution(conv: Convolution) -> str:
    x, padding = "x", "0"
    if conv.padding == "same":
        padding = '"same"'
    elif not isinstance(conv.padding, str):
        pads = conv.own(conv.padding)
        before, after = zip(*pads, strict=True)
        if before == after:
            padding = str(before)
        else:
            x = f"torch.nn.functional.pad(x, {_for_pad(pads)})"
    strides, dilations = conv.own(conv.strides), conv.own(conv.dilations)
    rest = f"{strides}, {padding}, {dilations}, {conv.groups}"
    return f"torch.nn.functional.conv{conv.rank}d({x}, w, b, {rest})"


def _transposed(conv: Convolution) -> str:
    """Return the expression of a transposed op; what torch can't cut itself, F.pad does."""
    axes = conv.own(conv.axes)
    pads = [axis.pad(1) for axis in axes]
    padding, longer = tuple(map(min, pads)), tuple(axis.longer for axis in axes)
    strides, dilations = conv.own(conv.strides), conv.own(conv.dilations)
    rest = f"{strides}, {padding}, {longer}, {conv.groups}, {dilations}"
    y = f"torch.nn.functional.conv_transpose{conv.rank}d(x, w, b, {rest})"
    cut = [(min(pair) - pair[0], min(pair) - pair[1]) for pair in pads]
    if not any(map(any, cut)):
        return y
    return f"torch.nn.functional.pad({y}, {_for_pad(cut)})"


def _for_pad(pads: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(chain.from_iterable(reversed(pads)))
