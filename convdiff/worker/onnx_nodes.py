"""Ops as nodes of ONNX. What they are made of is a, b, …; what they make is y. Python 3.6."""

from typing import Any, Dict, Iterable, List, Tuple

from . import layout
from .ops.convolution import Convolution

AUTO_PAD = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}
"""What ONNX computes from the input's extents itself."""


def conv(onnx: Any, names: List[str], op: Convolution) -> List[Any]:
    """Return the nodes that make `y` of an input, a filter and perhaps a bias, of these names."""
    padding = {}  # type: Dict[str, Any]
    if op.padding in AUTO_PAD:
        padding = {"auto_pad": AUTO_PAD[op.padding]}
    elif op.padding != "valid":
        padding = {"pads": ends(layout.added(op.own(op.least_pads)))}
    return [onnx.helper.make_node("Conv", names, ["y"], **dict(_moves(op), **padding))]


def conv_transpose(onnx: Any, names: List[str], op: Convolution) -> List[Any]:
    """Return the same of a transposed convolution."""
    attributes = _moves(op)
    if op.padding in AUTO_PAD:
        attributes["auto_pad"] = AUTO_PAD[op.padding]
    elif op.padding != "valid":
        attributes["pads"] = ends(op.own(op.least_pads))
    if any(op.output_padding):
        attributes["output_padding"] = list(op.own(op.output_padding))
    return [onnx.helper.make_node("ConvTranspose", names, ["y"], **attributes)]


def _moves(op: Convolution) -> Dict[str, Any]:
    """Return how the filter moves, as attributes."""
    return {
        "kernel_shape": list(op.own(op.kernel)),
        "strides": list(op.own(op.strides)),
        "dilations": list(op.own(op.dilations)),
        "group": op.groups,
    }


def ends(pads: Iterable[Tuple[int, int]]) -> List[int]:
    """Return what is added before all axes, then what after."""
    before, after = zip(*pads)
    return list(before + after)


def matmul(onnx: Any, names: List[str], op: Convolution) -> List[Any]:
    """Return the same of a product of matrices."""
    if len(names) == 2:
        return [onnx.helper.make_node("MatMul", names, ["y"])]
    product = onnx.helper.make_node("MatMul", names[:2], ["product"])
    return [product, onnx.helper.make_node("Add", ["product", names[2]], ["y"])]
