"""PyTorch: conv2d eager or compiled, however its arrays lie, with oneDNN (mkldnn) on or off."""

from typing import Any, Callable, Dict, Optional

import numpy as np

from .. import cpu, layout, memory
from ..framework import Device, Framework
from ..ops.conv2d import Convolution

RECOMPILE_LIMIT = 100000
FORMATS = ("channels_last", "input_channels_last", "weights_channels_last")
"""Both arrays in that memory format, or one of them and the other contiguous."""
MODES = ("compiled", "channels_last", "mkldnn_off") + FORMATS[1:] + memory.MODES


def open(threads: Optional[int]) -> Framework:
    """Import PyTorch and return its Framework, with `threads` intra-op threads if given."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    return Torch(torch)


class Torch(object):
    """Every convolution is torch.nn.functional.conv2d on NCHW data."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

        def conv2d(x: Any, w: Any, b: Any, strides: Any, dilations: Any, groups: int) -> Any:
            return torch.nn.functional.conv2d(
                x, w, b, stride=strides, padding=0, dilation=dilations, groups=groups
            )

        self.eager = conv2d
        self.mkldnn = bool(torch.backends.mkldnn.enabled)
        self.refused = {}  # type: Dict[str, str]
        self.compiled = None  # type: Optional[Callable[..., Any]]

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        torch = self.torch
        names = {}  # type: Dict[str, str]
        if torch.cuda.is_available():
            for number in range(torch.cuda.device_count()):
                names["gpu:%d" % number] = torch.cuda.get_device_name(number)
        mkldnn = torch.backends.mkldnn
        return cpu.fingerprint(
            "torch",
            torch.__version__,
            names,
            torch.get_num_threads(),
            git=str(torch.version.git_version),
            cuda=torch.version.cuda,
            onednn=bool(mkldnn.is_available()),
            tf32=bool(torch.backends.cudnn.allow_tf32) if names else None,
            modes=list(MODES),
            by_mode={"mkldnn_off": {"onednn": False}},
        )

    def conv2d(
        self, conv: Convolution, device: Device, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """See `Framework`."""
        x = self._laid("input", layout.nchw(input_nhwc), conv.dtype, device)
        w = self._laid("weights", layout.oihw(filter_hwio), conv.dtype, device)
        b = None if bias is None else self._tensor(bias, conv.dtype, device)
        self._use_mkldnn("mkldnn_off" not in device.modes)
        compute = self._compiled() if "compiled" in device.modes else self.eager
        with self.torch.no_grad():
            y = compute(x, w, b, conv.strides, conv.dilations, conv.groups)
        return layout.nhwc(self._array(y.contiguous(), conv.dtype))

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        product = self.torch.mul(
            self._tensor(table, dtype, device), self._tensor(columns, dtype, device)
        )
        return self._array(self.torch.sum(product, dim=2), dtype)

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        y, b = self._tensor(output, dtype, device), self._tensor(bias, dtype, device)
        return self._array(self.torch.add(y, b), dtype)

    def _use_mkldnn(self, wanted: bool) -> None:
        """Switch oneDNN on or off where it is not so yet: asking takes as long as a small cell."""
        if wanted != self.mkldnn:
            self.torch.backends.mkldnn.set_flags(wanted)
            self.mkldnn = wanted

    def _compiled(self) -> Callable[..., Any]:
        if self.compiled is None:
            # A shape is compiled by itself, as in a net; after eight it would not be any more.
            self.torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
            self.compiled = self.torch.compile(self.eager, dynamic=False)
        return self.compiled

    def _laid(self, which: str, array: Any, dtype: str, device: Device) -> Any:
        """Return input or weights, NCHW or OIHW, as they are to lie in the device's memory."""
        wanted = [mode for mode in MODES if mode.startswith(which)]
        mode = memory.one_of(device.modes, ["channels_last"] + wanted)
        if mode in memory.MODES:
            lying = memory.laid(array, "NCHW" if which == "input" else "OIHW", mode)
            buffer = self._tensor(lying.buffer, dtype, device)
            return buffer.as_strided(array.shape, lying.strides, lying.offset)
        tensor = self._tensor(array, dtype, device)
        return tensor.to(memory_format=self.torch.channels_last) if mode else tensor

    def _tensor(self, array: Any, dtype: str, device: Device) -> Any:
        torch, where = self.torch, device.name.replace("gpu", "cuda")
        array = np.ascontiguousarray(array)
        if not array.flags.writeable:
            array = array.copy()
        if dtype == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(where)
        return torch.from_numpy(array).to(where)

    def _array(self, tensor: Any, dtype: str) -> Any:
        tensor = tensor.cpu()
        if dtype == "bfloat16":
            return tensor.view(self.torch.int16).numpy().view(np.uint16)
        return tensor.numpy()
