"""How each framework is called in a script of its own: the text of a function `convolve`.

The calls are those of `convdiff/worker/frameworks`, written out for one geometry.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from convdiff.errors import ConvdiffError
from convdiff.report.calls import jax, onnxruntime, openvino, tensorflow, torch
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.convolution import Convolution

CALLS: dict[str, ModuleType] = {
    "tensorflow": tensorflow,
    "torch": torch,
    "jax": jax,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}
IOHW = '''\
def iohw(w, groups):
    """Return a filter (..., I, O) as (cin, O / groups, ...), group after group along cin."""
    apart = w.reshape(w.shape[:-1] + (groups, w.shape[-1] // groups))
    first = np.moveaxis(apart, (-2, -3, -1), (0, 1, 2))
    return np.ascontiguousarray(first.reshape((-1,) + first.shape[2:]))
'''


def call_of(conv: Convolution, runtime: Runtime, version: str) -> str:
    """Return the function that computes an op as a runtime does. Raises ConvdiffError."""
    framework, device = runtime.interpreter.framework, runtime.device
    if framework not in CALLS:
        raise ConvdiffError(f"--script: there is no script of {framework} yet")
    call = CALLS[framework]
    if conv.padding not in call.WORDS and (conv.transposed or conv.padding == "causal"):
        conv = _in_numbers(conv)
    unwritten = {
        f"padding: {conv.padding}": not _is_padded_by(call, conv),
        f"{framework}:{device}": device.kind != "cpu" or not set(device.modes) <= set(call.MODES),
    }
    for what, is_unwritten in unwritten.items():
        if is_unwritten:
            raise ConvdiffError(f"--script: there is no script of {what} in {framework} yet")
    text: str = call.text(conv, device.modes, version)
    return text


def _in_numbers(conv: Convolution) -> Convolution:
    """Return the same with padding as numbers, where they do not depend on the length."""
    return conv._replace(
        padding=tuple(axis.pad(1) for axis in conv.axes),
        output_padding=tuple(axis.longer for axis in conv.axes),
    )


def helpers_of(calls: Sequence[str]) -> list[str]:
    """Return the functions that calls need besides."""
    helpers = {"iohw(": IOHW, "laid(": torch.LAID}
    return [text for name, text in helpers.items() if any(name in call for call in calls)]


def _is_padded_by(call: ModuleType, conv: Convolution) -> bool:
    """Return whether a framework takes the padding as it is, and cuts nothing."""
    if isinstance(conv.padding, str):
        return conv.padding in call.WORDS
    return bool(min(map(min, conv.padding)) >= 0)
