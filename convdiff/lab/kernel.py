"""A cell's convolution, in its worker, as a kernel that can be probed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.model import Case
from convdiff.lab.jobs import measure
from convdiff.lab.pool import Pool
from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Data
from convdiff.order.reveal.kernel import Batch
from convdiff.order.reveal.refusal import RefusedError
from convdiff.plan.cell import Cell, NoBits


class WorkerKernel:
    """Implements `order.reveal.kernel.Kernel`: shape, runtime and op are the cell's own."""

    def __init__(self, case: Case, cell: Cell, pool: Pool, tell: Callable[[int], None]) -> None:
        """tell: called with the calls so far."""
        self.geometry = geometry_of_cell(case, cell)
        self.calls = 0
        self._case, self._cell, self._pool, self._tell = case, cell, pool, tell

    def probe(self, batches: Sequence[Batch], positions: Array | None = None) -> list[Array]:
        """See `Kernel.probe`. Raises RefusedError where the worker gives no answer."""
        self.calls += sum(len(batch.taps) for batch in batches)
        self._tell(self.calls)
        header = {
            "do": "probe",
            "conv": self._case.conv.first(self._cell.channels)._asdict(),
            "op": self._cell.op,
            "device": str(self._cell.runtime.device),
            "input": self.geometry.input_nhwc,
            "filter": self.geometry.filter_hwio,
            "bias": self.geometry.bias,
            "kinds": [batch.kind for batch in batches],
            "windows": [batch.window for batch in batches],
            "some": positions is not None,
        }
        arrays = [np.ascontiguousarray(batch.taps) for batch in batches]
        if positions is not None:
            arrays.append(np.ascontiguousarray(positions, np.int64))
        answers = self._pool.ask(self._cell.runtime.interpreter, header, arrays)
        if isinstance(answers, NoBits):
            raise RefusedError("failed", answers.reason)
        asked = self.geometry.positions if positions is None else len(positions)
        cout = self.geometry.cout
        if any(answer.shape[1:] not in ((asked, cout), (1, cout)) for answer in answers):
            raise RefusedError("failed", "an answer of another shape than the output's")
        return [np.broadcast_to(answer, (len(answer), asked, cout)) for answer in answers]

    def run(self, input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        """See `Kernel.run`. Raises RefusedError where the worker gives no bits."""
        self.calls += 1
        self._tell(self.calls)
        dtype = numpy_dtype(self.geometry.dtype)
        data = Tensors(
            filter_hwio.astype(dtype),
            None if bias is None else bias.astype(dtype),
            input_nhwc.astype(dtype),
        )
        (output,) = measure(self._case, self._cell, [data], self._pool)
        if output is None or output.shape != self.geometry.output_nhwc:
            raise RefusedError("failed", "the runtime gave no output of the expected shape")
        return flat(output)


def geometry_of_cell(case: Case, cell: Cell) -> Geometry:
    """Return the shapes of one cell's convolution."""
    conv = case.conv.first(cell.channels)
    return Geometry(
        (cell.batch, case.height, cell.length, conv.channels_in),
        conv.filter_shape,
        case.bias is not None,
        conv.strides,
        conv.dilations,
        conv.groups,
        conv.dtype,
        conv,
    )


def flat(output_nhwc: Array) -> Array:
    """Return an output as kernels do: (positions, cout), in fp64 for float64, else in fp32."""
    wide = np.float64 if output_nhwc.dtype == np.float64 else np.float32
    return output_nhwc.astype(wide).reshape(-1, output_nhwc.shape[-1])


def data_of(case: Case, cell: Cell, tensors: Tensors) -> Data:
    """Return a cell's own numbers as kernels take them: bfloat16 as fp32."""
    own = tensors.upto(cell.batch, cell.length).first(case.conv.first(cell.channels))
    given = (own.input_nhwc, own.filter_hwio, own.bias)
    arrays = [None if a is None else _stored(a) for a in given]
    assert arrays[0] is not None and arrays[1] is not None
    return Data(arrays[0], arrays[1], arrays[2])


def _stored(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
