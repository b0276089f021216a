"""PyTorch: conv2d eager or compiled, in either memory format, with oneDNN (mkldnn) on or off."""

from typing import Any, Callable, Dict, Optional

import numpy as np

from .. import cpu, layout
from ..manual import by_rows

Conv = Dict[str, Any]
RECOMPILE_LIMIT = 100000
MODES = ("compiled", "channels_last", "mkldnn_off")


def open(threads: Optional[int]) -> Any:
    """Import PyTorch and return its Framework, with `threads` intra-op threads if given."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    return Torch(torch)


class Torch(object):
    """Every convolution is torch.nn.functional.conv2d on NCHW data."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.mkldnn = bool(torch.backends.mkldnn.enabled)
        self.compiled = {}  # type: Dict[Any, Callable[..., Any]]

    def fingerprint(self) -> Dict[str, Any]:
        """Return what this PyTorch says it is, as plain values."""
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
        )

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array; bfloat16 comes and goes as uint16 bits."""
        torch = self.torch
        place, modes = layout.place_and_modes(device)
        where = torch.device(place.replace("gpu", "cuda"))
        b = None if bias is None else self._tensor(bias, conv, where)
        with torch.no_grad():
            if op == "manual":

                def rows(table: Any, columns: Any) -> Any:
                    product = torch.mul(
                        self._tensor(table, conv, where), self._tensor(columns, conv, where)
                    )
                    return self._array(torch.sum(product, dim=2), conv)

                y = by_rows(rows, conv, input_nhwc, filter_hwio)
                if b is None:
                    return y
                return self._array(torch.add(self._tensor(y, conv, where), b), conv)
            x = self._tensor(layout.nchw(input_nhwc), conv, where)
            w = self._tensor(layout.oihw(filter_hwio), conv, where)
            if "channels_last" in modes:
                x = x.to(memory_format=torch.channels_last)
                w = w.to(memory_format=torch.channels_last)
            self._use_mkldnn("mkldnn_off" not in modes)
            y = self._conv2d("compiled" in modes)(
                x, w, b, tuple(conv["strides"]), tuple(conv["dilations"]), conv["groups"]
            )
            return layout.nhwc(self._array(y.contiguous(), conv))

    def _use_mkldnn(self, wanted: bool) -> None:
        """Switch oneDNN on or off where it is not so yet: asking takes as long as a small cell."""
        if wanted != self.mkldnn:
            self.torch.backends.mkldnn.set_flags(wanted)
            self.mkldnn = wanted

    def _conv2d(self, compiled: bool) -> Callable[..., Any]:
        torch = self.torch

        def conv2d(x: Any, w: Any, b: Any, strides: Any, dilations: Any, groups: int) -> Any:
            return torch.nn.functional.conv2d(
                x, w, b, stride=strides, padding=0, dilation=dilations, groups=groups
            )

        if not compiled:
            return conv2d
        if not self.compiled:
            # A shape is compiled by itself, as in a net; after eight it would not be any more.
            torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
            self.compiled["conv2d"] = torch.compile(conv2d, dynamic=False)
        return self.compiled["conv2d"]

    def _tensor(self, array: Any, conv: Conv, where: Any) -> Any:
        torch = self.torch
        array = np.ascontiguousarray(array)
        if not array.flags.writeable:
            array = array.copy()
        if conv["dtype"] == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(where)
        return torch.from_numpy(array).to(where)

    def _array(self, tensor: Any, conv: Conv) -> Any:
        tensor = tensor.detach().cpu()
        if conv["dtype"] == "bfloat16":
            return tensor.view(self.torch.int16).numpy().view(np.uint16)
        return tensor.numpy()
