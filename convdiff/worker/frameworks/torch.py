"""PyTorch: eager or compiled, however its arrays lie, with oneDNN (mkldnn) on or off."""

from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np

from .. import cpu, layout, memory, wire
from ..framework import Arrays, Device, Framework, mapped
from ..ops.axis import Axis
from ..ops.convolution import Convolution
from ..ops.net import Net
from ..torch_calls import Call, convolution, transposed

RECOMPILE_LIMIT = 100000
FORMATS = ("channels_last", "input_channels_last", "weights_channels_last")
"""Both arrays in that memory format, or one of them and the other contiguous."""
MODES = ("compiled", "channels_last", "mkldnn_off", "deterministic") + FORMATS[1:] + memory.MODES
BY_RANK = {5: "channels_last_3d"}
"""What channels_last is called where a tensor has not four axes; of three torch has none."""


STEPS = {
    "relu": lambda torch, y, added: torch.nn.functional.relu(y),
    "relu6": lambda torch, y, added: torch.nn.functional.relu6(y),
    "add": lambda torch, y, added: torch.add(y, added),
}
"""What follows an op, of its output and of what is added."""


def open(threads: Optional[int]) -> Framework:
    """Import PyTorch and return its Framework, with `threads` intra-op threads if given."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    return Torch(torch)


class Torch(object):
    """Every op is a function of torch.nn.functional, a convolution's on NC… data."""

    steps = tuple(STEPS)

    def __init__(self, torch: Any) -> None:
        self.torch = torch

        functional = torch.nn.functional

        def eager(
            x: Any, w: Any, b: Any, added: Any, function: str, options: Any, *others: Any
        ) -> Any:
            ahead, behind, then = others
            if ahead:
                x = functional.pad(x, ahead)
            y = getattr(functional, function)(x, w, b, *options)
            if behind:
                y = functional.pad(y, behind)
            return STEPS[then](torch, y, added) if then else y

        self.eager = eager
        self.mkldnn = bool(torch.backends.mkldnn.enabled)
        self.deterministic = False
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

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        call, x = convolution(conv, arrays.x)
        arrays = arrays._replace(x=x, w=layout.oihw(arrays.w)).channels_first()
        return layout.nhwc(self._call(call, conv, device, _axes("OI", conv), arrays))

    def conv2d_transpose(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        call = transposed(conv, conv.own_pads(arrays.x))
        arrays = arrays._replace(w=layout.iohw(arrays.w, conv.groups)).channels_first()
        return layout.nhwc(self._call(call, conv, device, _axes("IO", conv), arrays))

    def dense(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        arrays = arrays._replace(w=layout.oihw(arrays.w[0]))
        return self._call(Call("linear"), conv, device, ("NWC", "OI"), arrays)

    conv1d = conv3d = conv2d
    conv1d_transpose = conv3d_transpose = conv2d_transpose

    def pads_itself(self, conv: Convolution) -> bool:
        """See `Framework`: torch pads both ends alike, or SAME without a stride."""
        if conv.padding == "same" and not conv.transposed:
            return True
        return all(map(_is_even, conv.own(conv.axes)))

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        rows, others = self._tensors((table, columns), dtype, device)
        product = self.torch.mul(rows, others)
        return self._array(self.torch.sum(product, dim=2), dtype)

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        y, b = self._tensors((output, bias), dtype, device)
        return self._array(self.torch.add(y, b), dtype)

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        y, beside = self._tensors((output, added), dtype, device)
        return self._array(STEPS[then](self.torch, y, beside).contiguous(), dtype)

    def _call(
        self,
        call: Call,
        conv: Convolution,
        device: Device,
        axes: Tuple[str, str],
        arrays: Arrays,
    ) -> Any:
        """Return what torch makes of these arrays.

        axes: those of the input and of the weights.
        """
        x = self._laid("input", arrays.x, axes[0], conv.dtype, device)
        w = self._laid("weights", arrays.w, axes[1], conv.dtype, device)
        b, added = self._tensors(arrays[2:], conv.dtype, device)
        self._switch(device)
        compute = self._compiled() if "compiled" in device.modes else self.eager
        with self.torch.no_grad():
            y = compute(x, w, b, added, *call._replace(then=conv.then))
        return self._array(y.contiguous(), conv.dtype)

    def _switch(self, device: Device) -> None:
        """Switch oneDNN and determinism where they are not so yet: asking takes its time."""
        mkldnn, deterministic = "mkldnn_off" not in device.modes, "deterministic" in device.modes
        if mkldnn != self.mkldnn:
            self.torch.backends.mkldnn.set_flags(mkldnn)
            self.mkldnn = mkldnn
        if deterministic != self.deterministic:
            self.torch.use_deterministic_algorithms(deterministic)
            self.deterministic = deterministic

    def _compiled(self) -> Callable[..., Any]:
        if self.compiled is None:
            # A shape is compiled by itself, as in a net; after eight it would not be any more.
            self.torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
            self.compiled = self.torch.compile(self.eager, dynamic=False)
        return self.compiled

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`."""
        from ..nets.torch import TorchNet

        self._compiled()  # sets the limit
        ways = {
            "laid": lambda which, a, axes: self._laid(which, a, axes, net.dtype, device),
            "tensor": lambda array: self._tensor(array, net.dtype, device),
            "array": lambda tensor: self._array(tensor.contiguous(), net.dtype),
            "switched": lambda: self._switch(device),
            "compile": None,
        }  # type: Dict[str, Any]
        if "compiled" in device.modes:
            ways["compile"] = partial(self.torch.compile, dynamic=False)
        return TorchNet(self, net, arrays, ways)

    def _laid(self, which: str, array: Any, axes: str, dtype: str, device: Device) -> Any:
        """Return input or weights as they are to lie in the device's memory."""
        wanted = [mode for mode in MODES if mode.startswith(which)]
        mode = memory.one_of(device.modes, ["channels_last"] + wanted)
        if mode in memory.MODES:
            lying = memory.laid(array, axes, mode)
            buffer = self._tensor(lying.buffer, dtype, device)
            return buffer.as_strided(array.shape, lying.strides, lying.offset)
        tensor = self._tensor(array, dtype, device)
        if not mode:
            return tensor
        wanted_format = getattr(self.torch, BY_RANK.get(array.ndim, "channels_last"))
        return tensor.to(memory_format=wanted_format)

    def _tensors(self, arrays: Iterable[Any], dtype: str, device: Device) -> List[Any]:
        return mapped(partial(self._tensor, dtype=dtype, device=device), arrays)

    def _tensor(self, array: Any, dtype: str, device: Device) -> Any:
        torch, where = self.torch, device.name.replace("gpu", "cuda")
        array = np.ascontiguousarray(array)
        if not array.flags.writeable:
            array = array.copy()
        array = wire.aligned(array)  # as torch's own tensors are
        if dtype == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(where)
        return torch.from_numpy(array).to(where)

    def _array(self, tensor: Any, dtype: str) -> Any:
        tensor = tensor.cpu()
        if dtype == "bfloat16":
            return tensor.view(self.torch.int16).numpy().view(np.uint16)
        return tensor.numpy()


def _is_even(axis: Axis) -> bool:
    """Return whether as much is added before as after, whatever the extent."""
    for extent in range(1, axis.stride + 1):
        before, after = axis.pad(extent)
        if before != after:
            return False
    return True


def _axes(channels: str, conv: Convolution) -> Tuple[str, str]:
    spatial = "DHW"[-conv.rank :]
    return "NC" + spatial, channels + spatial
