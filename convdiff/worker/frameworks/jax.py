"""JAX: lax.conv_general_dilated, compiled by XLA a shape; the precision is a mode."""

from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from .. import cpu
from ..framework import Device, Framework
from ..ops.conv2d import Convolution

MODES = ("default", "high", "highest")


def open(threads: Optional[int]) -> Framework:
    """Import JAX and return its Framework; its CPU threads can't be set in the process."""
    if threads:
        raise ValueError("JAX takes no thread count; pin its cores instead")
    import jax

    jax.config.update("jax_enable_x64", True)  # else float64 would be float32 unasked
    return Jax(jax)


class Jax(object):
    """One jitted function a geometry and precision."""

    def __init__(self, jax: Any) -> None:
        self.jax = jax
        self.refused = {}  # type: Dict[str, str]
        self.jitted = {}  # type: Dict[Any, Callable[..., Any]]

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

    def conv2d(
        self, conv: Convolution, device: Device, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """See `Framework`."""
        arrays = [self._array(a, conv.dtype) for a in (input_nhwc, filter_hwio)]
        if bias is not None:
            arrays.append(self._array(bias, conv.dtype))
        with self._on(device):
            return _plain(self._jitted(conv, device.modes)(*arrays), conv.dtype)

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        jnp = self.jax.numpy
        with self._on(device):
            rows = self._array(_padded(table), dtype)
            sums = jnp.sum(jnp.multiply(rows, self._array(columns, dtype)), axis=2)
            return _plain(sums, dtype)[: len(table)]

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        flat = output.reshape(-1, output.shape[-1])
        with self._on(device):
            rows = self._array(_padded(flat), dtype)
            total = self.jax.numpy.add(rows, self._array(bias, dtype))
            return _plain(total, dtype)[: len(flat)].reshape(output.shape)

    def _on(self, device: Device) -> Any:
        if device.name == "cpu":
            return self.jax.default_device(self.jax.devices("cpu")[0])
        return self.jax.default_device(self._gpus()[device.number])

    def _jitted(self, conv: Convolution, modes: Tuple[str, ...]) -> Callable[..., Any]:
        key = (conv, modes)
        if key not in self.jitted:
            lax = self.jax.lax

            def conv2d(x: Any, w: Any, b: Any = None) -> Any:
                y = lax.conv_general_dilated(
                    x,
                    w,
                    conv.strides,
                    "VALID",
                    rhs_dilation=conv.dilations,
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                    feature_group_count=conv.groups,
                    precision=modes[-1] if modes else None,
                )
                return y if b is None else y + b

            self.jitted[key] = self.jax.jit(conv2d)
        return self.jitted[key]

    def _array(self, array: Any, dtype: str) -> Any:
        return array.view(self.jax.numpy.bfloat16) if dtype == "bfloat16" else array

    def _gpus(self) -> Any:
        try:
            return self.jax.devices("gpu")
        except RuntimeError:
            return []


def _padded(rows: Any) -> Any:
    """Return rows with zeros up to a power of two: XLA compiles every new shape anew."""
    wanted = 1 << max(0, len(rows) - 1).bit_length()
    return np.concatenate([rows, np.zeros((wanted - len(rows),) + rows.shape[1:], rows.dtype)])


def _plain(array: Any, dtype: str) -> Any:
    result = np.ascontiguousarray(np.asarray(array))
    return result.view(np.uint16) if dtype == "bfloat16" else result
