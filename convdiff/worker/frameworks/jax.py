"""JAX: lax.conv_general_dilated, compiled by XLA a shape; the precision is a mode."""

from typing import Any, Callable, Dict, Optional

import numpy as np

from .. import cpu, layout
from ..manual import by_rows

Conv = Dict[str, Any]
MODES = ("default", "high", "highest")


def open(threads: Optional[int]) -> Any:
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
        self.jitted = {}  # type: Dict[Any, Callable[..., Any]]

    def fingerprint(self) -> Dict[str, Any]:
        """Return what this JAX says it is, as plain values."""
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

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array; bfloat16 comes and goes as uint16 bits."""
        jax = self.jax
        place, modes = layout.place_and_modes(device)
        where = jax.devices("cpu")[0] if place == "cpu" else self._gpus()[int(place[4:] or 0)]
        with jax.default_device(where):
            if op == "manual":
                arrays = [self._array(a, conv) for a in (input_nhwc, filter_hwio)]
                y = by_rows(self._rows, conv, *arrays)
                if bias is not None:
                    flat = y.reshape(-1, y.shape[-1])
                    total = self.jax.numpy.add(_padded(flat), self._array(bias, conv))
                    y = np.asarray(total)[: len(flat)].reshape(y.shape)
            else:
                arrays = [self._array(a, conv) for a in (input_nhwc, filter_hwio)]
                if bias is not None:
                    arrays.append(self._array(bias, conv))
                y = self._conv2d(conv, modes[-1] if modes else None)(*arrays)
            result = np.ascontiguousarray(np.asarray(y))
        return result.view(np.uint16) if conv["dtype"] == "bfloat16" else result

    def _rows(self, table: Any, columns: Any) -> Any:
        product = self.jax.numpy.multiply(_padded(table), columns)
        return np.asarray(self.jax.numpy.sum(product, axis=2))[: len(table)]

    def _conv2d(self, conv: Conv, precision: Optional[str]) -> Callable[..., Any]:
        key = (repr(sorted(conv.items())), precision)
        if key not in self.jitted:
            lax = self.jax.lax

            def conv2d(x: Any, w: Any, b: Any = None) -> Any:
                y = lax.conv_general_dilated(
                    x,
                    w,
                    tuple(conv["strides"]),
                    "VALID",
                    rhs_dilation=tuple(conv["dilations"]),
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                    feature_group_count=conv["groups"],
                    precision=precision,
                )
                return y if b is None else y + b

            self.jitted[key] = self.jax.jit(conv2d)
        return self.jitted[key]

    def _array(self, array: Any, conv: Conv) -> Any:
        if conv["dtype"] == "bfloat16" and array.dtype == np.uint16:
            return array.view(self.jax.numpy.bfloat16)
        return array

    def _gpus(self) -> Any:
        try:
            return self.jax.devices("gpu")
        except RuntimeError:
            return []


def _padded(rows: Any) -> Any:
    """Return rows with zeros up to a power of two: XLA compiles every new shape anew."""
    wanted = 1 << max(0, len(rows) - 1).bit_length()
    return np.concatenate([rows, np.zeros((wanted - len(rows),) + rows.shape[1:], rows.dtype)])
