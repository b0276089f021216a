"""The one way in which convolutions are asked: fixed shape, many probes, all positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.worker import probes


@dataclass(frozen=True)
class Batch:
    """Probe calls of one kind; what the rows mean is told in `convdiff.worker.probes`.

    taps: (calls, cout, 4) int64, one row an output channel; of kind `vector` (calls, leaves)
    float32, the weights of all channels. window: see `convdiff.worker.probes.probe_weights`.
    """

    kind: str
    taps: Array
    window: tuple[tuple[int, ...], tuple[int, ...]] | None = None


class Kernel(Protocol):
    """A convolution of fixed shape: a worker, a callable and a synthetic kernel are all one."""

    @property
    def geometry(self) -> Geometry:
        """The shape that every call has."""

    @property
    def calls(self) -> int:
        """Convolutions run so far."""

    def probe(self, batches: Sequence[Batch], positions: Array | None = None) -> list[Array]:
        """Run all calls of all batches, one message; return an array a batch.

        Each is (calls, positions, cout), float64 for float64 kernels and float32 otherwise (which
        holds every float16 and bfloat16). positions: flat indices into N x OH x OW; None is all.
        """

    def run(self, input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        """Run one call on the given numbers; return (positions, cout) in the same float type."""


ConvolutionFunction = Callable[[Array, Array, "Array | None"], Array]


class CallableKernel:
    """Any Python function `fn(input_nhwc, filter_hwio, bias) -> output_nhwc` as a kernel.

    For float16 the function gets float16 arrays; for bfloat16 float32 arrays of bfloat16 values,
    to narrow itself. What it returns is converted with `numpy.asarray`.
    """

    def __init__(self, fn: ConvolutionFunction, geometry: Geometry) -> None:
        self.geometry = geometry
        self.calls = 0
        self._fn = fn
        self._input: tuple[str, Array] | None = None

    def probe(self, batches: Sequence[Batch], positions: Array | None = None) -> list[Array]:
        """See `Kernel.probe`."""
        answers = []
        for batch in batches:
            outputs = []
            for taps in batch.taps:
                output = self._call(batch, taps)
                outputs.append(output if positions is None else output[positions])
            answers.append(np.stack(outputs))
        return answers

    def run(self, input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        """See `Kernel.run`. Raises ValueError where the function returns another shape.

        The function gets copies: it may change them.
        """
        own_bias = None if bias is None else bias.copy()
        return self._run(input_nhwc.copy(), filter_hwio.copy(), own_bias)

    def _run(self, input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        self.calls += 1
        wide = np.float64 if self.geometry.dtype == "float64" else np.float32
        with np.errstate(over="ignore", invalid="ignore"):  # some vectors are to overflow
            output = np.asarray(self._fn(input_nhwc, filter_hwio, bias))
        if output.shape != self.geometry.output_nhwc:
            raise ValueError(
                f"the kernel returned shape {output.shape}, expected {self.geometry.output_nhwc}"
            )
        return output.astype(wide).reshape(self.geometry.positions, self.geometry.cout)

    def _call(self, batch: Batch, taps: Array) -> Array:
        g = self.geometry
        weights, bias = probes.probe_weights(
            batch.kind, taps, g.filter_hwio, g.bias, g.dtype, batch.window
        )
        return self._run(self._constant(batch.kind, taps), weights, bias)

    def _constant(self, kind: str, taps: Array) -> Array:
        """Return the input of a call; the last one is kept and copied, as most calls share it."""
        if kind == "random":
            return probes.probe_input(kind, taps, self.geometry.input_nhwc, self.geometry.dtype)
        if self._input is None or self._input[0] != kind:
            made = probes.probe_input(kind, taps, self.geometry.input_nhwc, self.geometry.dtype)
            self._input = (kind, made)
        copied: Array = self._input[1].copy()
        return copied
