"""Answers probes: builds each call's numbers here, so that only leaf indices travel. Python 3.6."""

from typing import Any, Dict, List

import numpy as np

from . import probes
from .framework import computing


def answer(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    """Return an array (calls, positions, cout) for each batch of the request.

    Where all positions answer alike in each call, as most kernels' do, it has one for all of them.

    header: {"conv", "op", "device", "input", "filter", "bias", "kinds", "windows", "some"}; arrays:
    the (calls, cout, 4) rows of each batch, or its (calls, leaves) vectors, then, if "some", the
    flat positions to return. windows: of each batch, see `probes.probe_weights`. It may have
    "negated", which batches have all weights and biases with the other sign, and "added", the shape
    of what a step adds, of which all is −0.
    """
    conv, dtype = header["conv"], header["conv"]["dtype"]
    input_nhwc, filter_hwio = tuple(header["input"]), tuple(header["filter"])
    positions = arrays[len(header["kinds"])] if header["some"] else None
    compute = computing(framework, header["op"], header["device"], conv)
    answers = []
    windows = header.get("windows") or [None] * len(header["kinds"])
    negated = header.get("negated") or [False] * len(header["kinds"])
    named = {}  # type: Dict[str, Any]
    if header.get("added"):
        named["added"] = narrow(np.full(header["added"], -0.0, probes.stored(dtype)), dtype)
    for kind, window, turned, rows in zip(header["kinds"], windows, negated, arrays):
        outputs = []
        x = None
        for row in rows:
            if x is None or kind == "random":  # all others have a constant input
                x = narrow(probes.probe_input(kind, row, input_nhwc, dtype), dtype)
            w, b = probes.probe_weights(kind, row, filter_hwio, header["bias"], dtype, window)
            if turned:
                w, b = -w, None if b is None else -b
            y = compute(x, narrow(w, dtype), narrow(b, dtype), **named)
            flat = y.reshape(-1, y.shape[-1])
            outputs.append(wide(flat if positions is None else flat[positions], dtype))
        answers.append(np.stack(_once(outputs)))
    return answers


def _once(outputs: List[Any]) -> List[Any]:
    """Return (positions, cout) outputs, or their first rows where the others have the same bits."""
    bits = "u%d" % outputs[0].itemsize
    for output in outputs:
        if (output.view(bits) != output[:1].view(bits)).any():
            return outputs
    return [output[:1] for output in outputs]


def narrow(array: Any, dtype: str) -> Any:
    """Return the array as frameworks get it; bfloat16 as its bits, which are fp32's upper half."""
    if dtype != "bfloat16" or array is None:
        return array
    return (array.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def wide(values: Any, dtype: str) -> Any:
    """Return values as they come from frameworks in fp64 for float64, else in fp32."""
    if dtype == "bfloat16":
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.astype(np.float64 if dtype == "float64" else np.float32, copy=False)
