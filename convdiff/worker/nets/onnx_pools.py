"""Pools as nodes of ONNX, and how they pad. Runs on Python 3.6."""

from typing import Any, Dict, Tuple

from .. import onnx_nodes
from ..ops.axis import moves_of, pads_of
from ..ops.net import Layer
from .context import Context
from .onnx_model import Model
from .steps import Call

WORDS = tuple(onnx_nodes.AUTO_PAD)


def needs_sizes(layer: Layer) -> bool:
    """Return whether a layer is written for one length.

    A pool is with ceil_mode, and where a word pads a dilated one, which ONNX Runtime gets wrong.
    """
    if layer.kind.family != "pool":
        return False
    dilated = any(n != 1 for n in layer.settings["dilations"])
    return layer.settings["ceil_mode"] or (dilated and layer.settings["padding"] in WORDS)


def pool(kind: str, model: Model, context: Context) -> Call:
    """Return the node MaxPool or AveragePool, with what pads its input before it, if anything."""
    settings = context.settings
    size, strides, dilations = moves_of(context.rest(context.layer.axes))
    attributes = {"kernel_shape": size, "strides": strides}  # type: Dict[str, Any]
    if set(dilations) != {1} or kind == "MaxPool":
        attributes["dilations"] = dilations
    if kind == "AveragePool":
        attributes["count_include_pad"] = int(settings["count_include_pad"])
        if "dilations" in attributes:
            model.opset = max(model.opset, 19)
    ahead, padding = _pads(context)
    attributes.update(padding)
    if not ahead:
        return lambda x: model.node(kind, x, **attributes)
    return lambda x: model.node(kind, model.padded(x, ahead), **attributes)


def _pads(context: Context) -> Tuple[Any, Dict[str, Any]]:
    """Return how a pool pads: what a node ahead of it adds, and its own attributes."""
    settings = context.settings
    padding = settings["padding"]
    if not needs_sizes(context.layer):
        if isinstance(padding, str):
            return (), {"auto_pad": onnx_nodes.AUTO_PAD.get(padding, "VALID")}
        return (), {"pads": onnx_nodes.ends(context.rest(padding))}
    if not settings.get("count_include_pad"):
        return (), {"pads": onnx_nodes.ends(context.pads)}
    # What was asked for is counted, and what ceil_mode adds is not.
    asked = pads_of(context.rest(context.layer.axes), context.own)
    rest = [(0, after - own) for (_, after), (_, own) in zip(context.pads, asked)]
    return asked, {"pads": onnx_nodes.ends(rest), "count_include_pad": 0}
