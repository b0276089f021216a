"""What a framework is to the worker: the protocol, and how a cell is answered with it.

A file of `frameworks/`, and a module that a package's entry point names, has a function
`open(threads)` that imports the framework and returns one. It runs in the interpreter under test,
so on Python 3.6 too, and a ValueError of any method is its refusal, whose text the user reads.
"""

import sys
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

from . import layout
from .manual import manual
from .ops import REFERENCE, geometry
from .ops.convolution import Convolution

if sys.version_info >= (3, 8):
    from typing import Protocol
else:
    Protocol = object


CONSTANT = "constant"
"""The mode of frameworks that are fed filters, in which these are the model's constants."""


class Device(NamedTuple):
    """Where and how an op runs: `cpu`, `gpu` or `gpu:1`, and the execution modes."""

    name: str
    modes: Tuple[str, ...] = ()

    @classmethod
    def parsed(cls, text: str) -> "Device":
        """Return the device that travels as `cpu+channels_last`."""
        parts = text.split("+")
        return cls(parts[0], tuple(parts[1:]))

    @property
    def number(self) -> int:
        """Which GPU: 1 of gpu:1, and 0 where none is named."""
        return int(self.name.partition(":")[2] or 0)


class Arrays(NamedTuple):
    """What an op is given, with its own axes."""

    x: Any
    """The input, N[[D]H]WC; of `dense` that of a conv1d."""
    w: Any
    """The filter, [[kd]kh]kwIO; of `dense` that of a conv1d of one tap."""
    bias: Any
    """(cout,), or None."""
    added: Any = None
    """What the step `add` adds: of the output's axes, with 1 along some; or None."""

    def channels_first(self) -> "Arrays":
        """Return them with the input, and what is added, as (N, C, …)."""
        x, added = mapped(layout.nchw, (self.x, self.added))
        return self._replace(x=x, added=added)


def mapped(function: Callable[[Any], Any], arrays: Iterable[Any]) -> List[Any]:
    """Return what a function makes of each array; None stays None."""
    return [None if array is None else function(array) for array in arrays]


def present(arrays: Iterable[Any]) -> List[Any]:
    """Return the arrays that are there."""
    return [array for array in arrays if array is not None]


class Framework(Protocol):
    """One framework of this process.

    It may have `steps`: those of `convdiff_worker.ops.then.STEPS` that it computes; one without
    it computes none, and none is asked of it.

    Arrays are NumPy's, in the op's dtype, in and out; bfloat16 comes and goes as uint16 bits.
    Outputs are C-contiguous. What an op does on a device is done there or refused, and `device`
    has only modes that the fingerprint lists.

    It may have a method `pads_itself(conv) -> bool`: whether the padding of an op is the
    framework's own at every length. Where it is not, its function that pads puts zeros around the
    input, or cuts a transposed output, before or after the call. One without the method always pads
    itself.

    It may have a method `net(net, device, arrays)`, which returns what runs a net of these arrays,
    NumPy's, by their keys: an object whose `run(input_nhwc, fetched)` yields (name, activation),
    NHWC, of the layers whose names are in `fetched`, each as soon as it is there.
    """

    refused: Dict[str, str]
    """Dtypes that it can't compute in, each with the reason."""

    def fingerprint(self) -> Dict[str, Any]:
        """Return what it says it is, as plain values: see `convdiff_worker.cpu.fingerprint`."""

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """Return its own convolution with bias, N[[D]H]WC. given: `Arrays`; the last may be absent.

        With the step `conv.then`, in one call and one graph where its mode has such: that is how
        it comes to be fused.

        Another row of `convdiff_worker.ops.OPS` is another method of that name, and may be missing.
        Padding is the framework's own where it has it, since that chooses other kernels.
        """

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """Return the products of (n, 1, taps) and (1, channels, taps), summed over the taps.

        With its own multiply and reduce_sum, whatever the modes; (n, channels).
        """

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """Return the output (…, channels) with the bias (channels,) added, in the same shape."""

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """Return what a step makes of an output (…, channels), by its own function.

        `added`, of `add`, has as many axes. Only of a framework that has `steps`.
        """


def computing(framework: Any, op: str, device: str, plain: Dict[str, Any]) -> Callable[..., Any]:
    """Return what computes an op or the reference of (input, filter, bias or None).

    By the name `added` it takes what is added by the step `add`; the reference, by the name
    `places`, the only places that are asked for: see `convdiff_worker.manual`.

    plain: the geometry as it travels. An object with a method `run(op, device, plain, *arrays)`
    answers by itself: that is how packages wrote theirs before there was a protocol. Raises
    ValueError for a dtype that the framework can't compute in.
    """
    then = plain.get("then")
    if then and then not in getattr(framework, "steps", ()):
        raise ValueError("it has no step %s after a convolution here" % then)
    if hasattr(framework, "run"):
        return lambda *arrays, **_: framework.run(op, device, plain, *arrays)
    conv = geometry(plain)
    if conv.dtype in framework.refused:
        raise ValueError(framework.refused[conv.dtype])
    if op == REFERENCE:
        return partial(manual, framework, conv, Device.parsed(device))
    compute = getattr(framework, op, None)
    if compute is None:
        raise ValueError("it has no %s here" % op)
    return partial(on_own_axes, compute, conv, Device.parsed(device))


def on_own_axes(
    compute: Callable[..., Any],
    conv: Convolution,
    device: Device,
    input_nhwc: Any,
    filter_hwio: Any,
    bias: Any,
    added: Any = None,
) -> Any:
    """Compute an op on arrays with its own axes; return the output as NHWC."""
    arrays = [conv.own_input(input_nhwc), conv.own_filter(filter_hwio), bias]
    if added is not None:
        arrays.append(conv.own_addend(added, input_nhwc.shape))
    return conv.folded(compute(conv, device, *arrays), input_nhwc.shape)
