"""JAX: lax's convolutions, compiled by XLA a shape; the precision is a mode."""

from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from .. import cpu, layout
from ..framework import Arrays, Device, Framework, mapped
from ..kept import Kept
from ..ops.convolution import Convolution
from ..ops.net import Net

PRECISIONS = ("default", "high", "highest")
OP_BY_OP = "op_by_op"
"""Each operation compiled by itself, as outside of `jax.jit`."""
MODES = PRECISIONS + (OP_BY_OP,)
PADDINGS = {"valid": "VALID", "same": "SAME", "same_lower": "SAME_LOWER"}
"""What lax computes from the input's extents itself; all else it is given as numbers."""
MOST_KEPT = 64
"""Functions that are kept: XLA takes more than a megabyte for each."""
Compute = Callable[[Any, Any], Any]


STEPS = {
    "relu": lambda jax, y, added: jax.nn.relu(y),
    "relu6": lambda jax, y, added: jax.nn.relu6(y),
    "add": lambda jax, y, added: jax.numpy.add(y, added),
}
"""What follows an op, of its output and of what is added."""


def open(threads: Optional[int]) -> Framework:
    """Import JAX and return its Framework; its CPU threads can't be set in the process."""
    if threads:
        raise ValueError("JAX takes no thread count; pin its cores instead")
    import jax

    jax.config.update("jax_enable_x64", True)  # else float64 would be float32 unasked
    return Jax(jax)


class Jax(object):
    """One jitted function an op, geometry, precision and shape; the latest are kept."""

    steps = tuple(STEPS)

    def __init__(self, jax: Any) -> None:
        self.jax = jax
        self.refused = {}  # type: Dict[str, str]
        self.made = Kept(MOST_KEPT)
        self.op_by_op = 0  # functions whose operations JAX keeps itself

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        jax = self.jax
        names = {}  # type: Dict[str, str]
        for number, device in enumerate(self._gpus()):
            names["gpu:%d" % number] = device.device_kind
        return cpu.fingerprint(
            "jax",
            jax.__version__,
            names,
            None,
            git="jaxlib " + __import__("jaxlib").__version__,
            cuda="yes" if names else None,
            mode="jit",
            modes=list(MODES),
        )

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        if conv.padding not in PADDINGS:
            x, _ = layout.cropped(arrays.x, conv.own_pads(arrays.x))
            arrays = arrays._replace(x=x)
        return self._call(conv, device, arrays)

    def conv2d_transpose(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        return self._call(conv, device, Arrays(*given))

    def dense(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        return self._call(conv, device, arrays._replace(w=arrays.w[0]))

    conv1d = conv3d = conv2d
    conv1d_transpose = conv3d_transpose = conv2d_transpose

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        jnp = self.jax.numpy
        with self._on(device):
            rows = self._array(_padded(table), dtype)
            sums = jnp.sum(jnp.multiply(rows, self._array(columns, dtype)), axis=2)
            return layout.bits(sums, dtype)[: len(table)]

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        flat = output.reshape(-1, output.shape[-1])
        with self._on(device):
            rows = self._array(_padded(flat), dtype)
            total = self.jax.numpy.add(rows, self._array(bias, dtype))
            return layout.bits(total, dtype)[: len(flat)].reshape(output.shape)

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        y, beside = mapped(partial(self._array, dtype=dtype), (output, added))
        with self._on(device):
            return layout.bits(STEPS[then](self.jax, y, beside), dtype)

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`."""
        from ..nets.jax import JaxNet

        ways = {
            "on": partial(self._on, device),
            "tensor": lambda array: self.jax.numpy.asarray(self._array(array, net.dtype)),
            "array": partial(layout.bits, dtype=net.dtype),
            "op": lambda conv: _made(self.jax, conv, _precision(device)),
            "jitted": OP_BY_OP not in device.modes,
        }
        return JaxNet(self.jax, net, arrays, ways)

    def _on(self, device: Device) -> Any:
        if device.name == "cpu":
            return self.jax.default_device(self.jax.devices("cpu")[0])
        return self.jax.default_device(self._gpus()[device.number])

    def _call(self, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        """Compute an op, add the bias, if any, and do the step, if any."""
        given = mapped(partial(self._array, dtype=conv.dtype), arrays)
        key = (conv, device.modes, tuple(mapped(np.shape, given)))
        compute = self.made.get(key, partial(self._function, conv, device))
        with self._on(device):
            return layout.bits(compute(*given), conv.dtype)

    def _function(self, conv: Convolution, device: Device) -> Any:
        """Return a function of (x, w, b, added), for arrays of one shape each."""
        compute = _made(self.jax, conv, _precision(device))

        def whole(x: Any, w: Any, b: Any = None, added: Any = None) -> Any:
            y = compute(x, w)
            if b is not None:
                y = y + b
            return STEPS[conv.then](self.jax, y, added) if conv.then else y

        if OP_BY_OP not in device.modes:
            return self.jax.jit(whole)
        self.op_by_op += 1
        if self.op_by_op % MOST_KEPT == 0:
            self.jax.clear_caches()
        return whole

    def _array(self, array: Any, dtype: str) -> Any:
        return array.view(self.jax.numpy.bfloat16) if dtype == "bfloat16" else array

    def _gpus(self) -> Any:
        try:
            return self.jax.devices("gpu")
        except RuntimeError:
            return []


def _convolution(jax: Any, conv: Convolution, precision: Optional[str]) -> Compute:
    """Return the convolution of (x, w) as JAX makes it."""

    def compute(x: Any, w: Any) -> Any:
        pads = layout.added(conv.own_pads(x))
        return jax.lax.conv_general_dilated(
            x,
            w,
            conv.own(conv.strides),
            PADDINGS.get(conv.padding, pads),
            rhs_dilation=conv.own(conv.dilations),
            dimension_numbers=_axes(conv),
            feature_group_count=conv.groups,
            precision=precision,
        )

    return compute


def _transposed(jax: Any, conv: Convolution, precision: Optional[str]) -> Compute:
    def compute(x: Any, w: Any) -> Any:
        # JAX's numbers are what is added to the input that is spread out; and its VALID is longer
        # than the filter reaches where the stride is.
        return jax.lax.conv_transpose(
            x,
            w.swapaxes(-1, -2),
            conv.own(conv.strides),
            "SAME" if conv.padding == "same" else _ends(conv, x),
            rhs_dilation=conv.own(conv.dilations),
            dimension_numbers=_axes(conv),
            transpose_kernel=True,  # else JAX correlates: the filter would be flipped
            precision=precision,
        )

    return compute


def _transposed_groups(jax: Any, conv: Convolution, precision: Optional[str]) -> Compute:
    """Return what `lax.conv_transpose` calls itself, which knows no groups."""

    def compute(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x,
            jax.numpy.flip(w, tuple(range(conv.rank))),
            (1,) * conv.rank,
            _ends(conv, x),
            lhs_dilation=conv.own(conv.strides),
            rhs_dilation=conv.own(conv.dilations),
            dimension_numbers=_axes(conv),
            feature_group_count=conv.groups,
            precision=precision,
        )

    return compute


def _dense(jax: Any, conv: Convolution, precision: Optional[str]) -> Compute:
    return partial(jax.numpy.matmul, precision=precision)


def _made(jax: Any, conv: Convolution, precision: Optional[str]) -> Compute:
    """Return what computes an op of (x, w)."""
    if conv.transposed and conv.groups > 1:
        return _transposed_groups(jax, conv, precision)
    return MAKE[conv.op](jax, conv, precision)


MAKE = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "conv1d_transpose": _transposed,
    "conv2d_transpose": _transposed,
    "conv3d_transpose": _transposed,
    "dense": _dense,
}  # type: Dict[str, Callable[[Any, Convolution, Optional[str]], Compute]]


def _precision(device: Device) -> Optional[str]:
    """Return the last precision among a device's modes."""
    for mode in reversed(device.modes):
        if mode in PRECISIONS:
            return mode
    return None


def _axes(conv: Convolution) -> Tuple[str, str, str]:
    spatial = "DHW"[-conv.rank :]
    return "N%sC" % spatial, "%sIO" % spatial, "N%sC" % spatial


def _ends(conv: Convolution, x: Any) -> List[Tuple[int, int]]:
    """Return what is added before and after an input that is spread out."""
    return [axis.laid(n).ends for axis, n in zip(conv.own(conv.axes), x.shape[1:-1])]


def _padded(rows: Any) -> Any:
    """Return rows with zeros up to a power of two: XLA compiles every new shape anew."""
    wanted = 1 << max(0, len(rows) - 1).bit_length()
    return np.concatenate([rows, np.zeros((wanted - len(rows),) + rows.shape[1:], rows.dtype)])
