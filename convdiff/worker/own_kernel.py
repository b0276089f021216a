"""Someone's own convolution as a framework: module:function, or a package's entry point."""

import importlib
import inspect
import os
import sys
from typing import Any, Dict, List, Optional

import numpy as np

from . import cpu
from .manual import by_rows

Conv = Dict[str, Any]
GROUP = "convdiff.frameworks"
EXTRAS = ("strides", "dilations", "groups")


def open(target: str, threads: Optional[int]) -> Any:
    """Import `module:function` and return it as a Framework; modules of this folder are seen."""
    sys.path.insert(0, os.getcwd())
    name, _, attribute = target.partition(":")
    found = importlib.import_module(name)
    for part in attribute.split("."):
        found = getattr(found, part)
    return Kernel(target, found, importlib.import_module(name))


def entry_point(name: str) -> Any:
    """Return the module that a package names as the framework `name`, or None."""
    try:
        from importlib.metadata import entry_points
    except ImportError:  # Python 3.7 and older
        return None
    found = entry_points()  # type: Any
    chosen = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, [])
    for point in chosen:
        if point.name == name:
            return point.load()
    return None


class Kernel(object):
    """Calls `function(x, w, b)` and gives it strides, dilations and groups where it takes them."""

    def __init__(self, target: str, function: Any, module: Any) -> None:
        self.target, self.function, self.module = target, function, module
        self.takes = _taken(function)

    def fingerprint(self) -> Dict[str, Any]:
        """Return what is known of the function, as plain values."""
        version = str(getattr(self.module, "__version__", "(own kernel)"))
        return cpu.fingerprint(self.target, version, {}, None, mode="kernel")

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array; bfloat16 comes and goes as uint16 bits."""
        # Copies: what a function does to its arguments is not to reach the reference.
        arrays = [_given(a, conv) for a in (input_nhwc, filter_hwio, bias)]
        if op == "manual":
            y = by_rows(_rows, conv, arrays[0], arrays[1])
            y = y if bias is None else y + arrays[2]
        else:
            y = np.asarray(self.function(*arrays, **self._extras(conv)))
        y = np.ascontiguousarray(y)
        if not y.dtype.isnative:  # its bytes travel, its byte order does not
            y = y.astype(y.dtype.newbyteorder("="))
        if y.dtype.hasobject:
            raise ValueError("%s gave no array of numbers" % self.target)
        return y.view(np.uint16) if y.dtype.name == "bfloat16" else y

    def _extras(self, conv: Conv) -> Dict[str, Any]:
        plain = {"strides": (1, 1), "dilations": (1, 1), "groups": 1}
        asked = {"strides": tuple(conv["strides"]), "dilations": tuple(conv["dilations"])}
        asked["groups"] = conv["groups"]
        for name in EXTRAS:
            if name not in self.takes and asked[name] != plain[name]:
                raise ValueError("%s takes no %s" % (self.target, name))
        return {name: asked[name] for name in self.takes}


def _taken(function: Any) -> List[str]:
    """Return which of the extras a function has parameters for."""
    parameters = inspect.signature(function).parameters.values()
    if any(one.kind == one.VAR_KEYWORD for one in parameters):
        return list(EXTRAS)
    return [name for name in EXTRAS if name in [one.name for one in parameters]]


def _given(array: Any, conv: Conv) -> Any:
    if array is None:
        return None
    array = np.array(array, order="C", copy=True)
    if conv["dtype"] != "bfloat16":
        return array
    import ml_dtypes

    return array.view(ml_dtypes.bfloat16)


def _rows(table: Any, columns: Any) -> Any:
    return np.sum(np.multiply(table, columns), axis=2)
