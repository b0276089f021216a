"""Someone's own convolution as a framework: module:function, or a package's entry point."""

import difflib
import importlib
import inspect
import os
import sys
from functools import partial
from typing import Any, Dict, List, Optional

import numpy as np

from . import cpu, memory
from .framework import Arrays, Device, Framework, mapped
from .ops.convolution import Convolution
from .ops.net import Net
from .ops.then import STEPS, applied

GROUP = "convdiff.frameworks"
EXTRAS = {"strides": 1, "dilations": 1, "groups": 1, "padding": 0, "output_padding": 0}
"""What a function is given if it has a parameter of that name, and what asks for nothing there; a
number a spatial axis of the op, of padding (before, after)."""
ALWAYS = ("strides", "dilations", "groups")
"""Those that are given even then."""
PARAMETERS = tuple(EXTRAS) + ("then", "added")
"""All that a function may take; for a step it needs the last two: its name, and `add`'s array."""


def open(target: str, threads: Optional[int]) -> Framework:
    """Import `module:function` and return it as a Framework; modules of this folder are seen."""
    sys.path.insert(0, os.getcwd())
    name, _, attribute = target.partition(":")
    module = importlib.import_module(name)
    return Kernel(target, _function(target, module, attribute), module)


def _function(target: str, module: Any, attribute: str) -> Any:
    """Return what a target names. Raises ValueError where it is no function(x, w, b)."""
    value, name = module, module.__name__
    for part in attribute.split("."):
        if not hasattr(value, part):
            near = difflib.get_close_matches(part, dir(value), 1)
            hint = "; did you mean %s?" % near[0] if near else ""
            raise ValueError("%s has no attribute '%s'%s" % (name, part, hint))
        value, name = getattr(value, part), part
    if not callable(value):
        raise ValueError("%s is not callable; a kernel is a function(x, w, b)" % target)
    signature = _signature(value)
    try:
        if signature is not None:
            signature.bind(None, None, None, **dict.fromkeys(_taken(value)))
    except TypeError as error:
        raise ValueError("%s can't be called as function(x, w, b): %s" % (target, error)) from None
    return value


def _signature(function: Any) -> Any:
    """Return a function's signature, or None where it is not known, as of some written in C."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def entry_point(name: str) -> Any:
    """Return the module that a package names as the framework `name`, or None."""
    try:
        from importlib.metadata import entry_points
    except ImportError:  # Python 3.7 and older
        return None
    points = entry_points()  # type: Any
    chosen = points.select(group=GROUP) if hasattr(points, "select") else points.get(GROUP, [])
    for point in chosen:
        if point.name == name:
            return point.load()
    return None


class Kernel(object):
    """Calls `function(x, w, b)` and gives it strides, dilations and groups where it takes them."""

    steps = STEPS

    def __init__(self, target: str, function: Any, module: Any) -> None:
        self.target, self.function, self.module = target, function, module
        self.takes = _taken(function)
        self.refused = {}  # type: Dict[str, str]

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        version = str(getattr(self.module, "__version__", "(own kernel)"))
        return cpu.fingerprint(
            self.target, version, {}, None, mode="kernel", modes=list(memory.MODES)
        )

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        x = _laid("input", arrays.x, conv.dtype, device)
        w = _laid("weights", arrays.w, conv.dtype, device)
        named = dict(self._extras(conv, arrays.x), **self._step(conv, arrays.added))
        y = self.function(x, w, _copied(arrays.bias, conv.dtype), **named)
        y = np.array(y, order="C")  # a copy: the function may keep the array, and write to it again
        if not y.dtype.isnative:  # its bytes travel, its byte order does not
            y = y.astype(y.dtype.newbyteorder("="))
        if y.dtype.hasobject:
            raise ValueError("%s gave no array of numbers" % self.target)
        return _plain(y)

    conv1d = conv3d = conv2d
    conv1d_transpose = conv2d_transpose = conv3d_transpose = conv2d
    dense = conv2d

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return _plain(np.sum(np.multiply(_typed(table, dtype), _typed(columns, dtype)), axis=2))

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return _plain(_typed(output, dtype) + _typed(bias, dtype))

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        y, beside = mapped(partial(_typed, dtype=dtype), (output, added))
        return _plain(applied(then, y, beside))

    def _step(self, conv: Convolution, added: Any) -> Dict[str, Any]:
        """Return what a function is given of the step that follows, where there is one."""
        if not conv.then:
            return {}
        given = {"then": conv.then}  # type: Dict[str, Any]
        if added is not None:
            given["added"] = _copied(added, conv.dtype)
        for name in given:
            if name not in self.takes:
                raise ValueError("%s takes no %s" % (self.target, name))
        return given

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`: the layers that are no ops are NumPy's. Raises ValueError."""
        from .nets.numpy import NumpyNet

        others = [layer.name for layer in net.layers if layer.kind.family != "op"]
        if net.dtype == "bfloat16" and others:
            raise ValueError("%s: NumPy, whose layer it is, has no bfloat16" % others[0])
        return NumpyNet(self, net, arrays)

    def _extras(self, conv: Convolution, input_nhwc: Any) -> Dict[str, Any]:
        given = {}
        for name, nothing in EXTRAS.items():
            value = conv.own_pads(input_nhwc) if name == "padding" else getattr(conv, name)
            is_asked = np.any(np.array(value) != nothing)
            if is_asked and name not in self.takes:
                raise ValueError("%s takes no %s" % (self.target, name))
            if name in self.takes and (is_asked or name in ALWAYS):
                given[name] = conv.own(value)
        return given


def _taken(function: Any) -> List[str]:
    """Return which of PARAMETERS a function has."""
    signature = _signature(function)
    if signature is None:
        return []
    parameters = signature.parameters
    if any(one.kind == one.VAR_KEYWORD for one in parameters.values()):
        return list(PARAMETERS)
    return [name for name in PARAMETERS if name in parameters]


def _laid(which: str, array: Any, dtype: str, device: Device) -> Any:
    """Return a copy of input or weights as the device's modes lay it out."""
    wanted = [mode for mode in memory.MODES if mode.startswith(which)]
    mode = memory.one_of(device.modes, wanted)
    if not mode:
        return _copied(array, dtype)
    axes = "NHWC" if which == "input" else "HWIO"
    return _typed(memory.laid(array, axes, mode).view, dtype)


def _copied(array: Any, dtype: str) -> Any:
    # A copy: what a function does to its arguments is not to reach the reference.
    return None if array is None else _typed(np.array(array, order="C", copy=True), dtype)


def _typed(array: Any, dtype: str) -> Any:
    if dtype != "bfloat16":
        return array
    import ml_dtypes

    return array.view(ml_dtypes.bfloat16)


def _plain(array: Any) -> Any:
    return array.view(np.uint16) if array.dtype.name == "bfloat16" else array
