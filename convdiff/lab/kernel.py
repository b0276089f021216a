"""A cell's convolution, in its worker, as a kernel that can be probed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.model import Case
from convdiff.case.nonfinite import is_finite
from convdiff.lab.jobs import measure
from convdiff.lab.pool import Pool
from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.replay import Data
from convdiff.order.replay.verification import ObservedCall
from convdiff.order.reveal.kernel import Batch
from convdiff.order.reveal.memory import OrderMemory
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.with_step import with_step
from convdiff.plan.cell import Cell, NoBits
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import LIMITS

HIDING = ("relu6",)
"""Steps behind which too little of the sums is seen."""


class WorkerKernel:
    """Implements `order.reveal.kernel.Kernel`: shape, runtime and op are the cell's own.

    Where a step follows, it gives what the convolution gives before it, though the step is done:
    −0 is added; and relu(y) − relu(−y) is y, where all weights and the bias have the other sign the
    second time, since rounding is symmetric. relu6 hides too much: without it is asked.
    """

    def __init__(self, case: Case, cell: Cell, pool: Pool, tell: Callable[[int], None]) -> None:
        """tell: called with the calls so far."""
        self.geometry = geometry_of_cell(case, cell)
        self.calls = 0
        self._case, self._pool, self._tell = case, pool, tell
        self._cell = replace(cell, bare=cell.bare or case.conv.then in HIDING)
        self.then = cell.conv_of(case.conv).then
        both = self.then in LIMITS and not self._cell.bare
        self._signs = (False, True) if both else (False,)
        self._added = case.added.shape if case.added and self.then == "add" else None

    def probe(self, batches: Sequence[Batch], positions: Array | None = None) -> list[Array]:
        """See `Kernel.probe`. Raises RefusedError where the worker gives no answer."""
        both = [batch for _ in self._signs for batch in batches]
        negated = [sign for sign in self._signs for _ in batches]
        return self._before(self._asked(both, negated, positions))

    def _before(self, outputs: Sequence[Array]) -> list[Array]:
        """Return what there was before the step, of outputs of all signs."""
        if len(self._signs) == 1:
            return list(outputs)
        half = len(outputs) // 2
        with np.errstate(invalid="ignore", over="ignore"):
            pairs = zip(outputs[:half], outputs[half:], strict=True)
            return [plus - minus for plus, minus in pairs]

    def _asked(
        self, batches: Sequence[Batch], negated: Sequence[bool], positions: Array | None
    ) -> list[Array]:
        self.calls += sum(len(batch.taps) for batch in batches)
        self._tell(self.calls)
        header = {
            "do": "probe",
            "conv": self._cell.conv_of(self._case.conv)._asdict(),
            "negated": negated,
            "added": self._added,
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
        dtype = numpy_dtype(self.geometry.dtype)
        x, w = input_nhwc.astype(dtype), filter_hwio.astype(dtype)
        b = None if bias is None else bias.astype(dtype)
        added = None if self._added is None else np.full(self._added, -0.0).astype(dtype)
        data = [Tensors(w, b, x, added)]
        if len(self._signs) > 1 and not is_finite(data[0]):  # NaN may be lost behind the step
            (output,) = self._measured(data, replace(self._cell, bare=True))
            return output
        if len(self._signs) > 1:
            data.append(Tensors(-w, None if b is None else -b, x))
        (output,) = self._before(self._measured(data, self._cell))
        return output

    def whole(self, data: Tensors) -> Array:
        """Return what the convolution with its step gives, (positions, cout)."""
        (output,) = self._measured([data], self._cell)
        return output

    def others(self) -> list[ObservedCall]:
        """Return calls with the step on other numbers, where the place of a term is to be told."""
        if self._added is None:
            return []
        dtype, g, random = (
            numpy_dtype(self.geometry.dtype),
            self.geometry,
            np.random.default_rng(11),
        )

        def drawn(*shape: int) -> Array:
            return random.normal(0, 1, shape).astype(dtype)

        bias = drawn(g.cout) if g.bias else None
        data = Tensors(drawn(*g.filter_hwio), bias, drawn(*g.input_nhwc), drawn(*self._added))
        return [ObservedCall(_data(g.conv, data), self.whole(data))]

    def _measured(self, data: Sequence[Tensors], cell: Cell) -> list[Array]:
        self.calls += len(data)
        self._tell(self.calls)
        outputs = []
        for output in measure(self._case, cell, data, self._pool):
            if output is None or output.shape != self.geometry.output_nhwc:
                raise RefusedError("failed", "the runtime gave no output of the expected shape")
            outputs.append(flat(output))
        return outputs


def geometry_of_cell(case: Case, cell: Cell) -> Geometry:
    """Return the shapes of one cell's convolution."""
    conv = cell.conv_of(case.conv)
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


def orders_of_cell(
    kernel: WorkerKernel, data: Data, output: Array, budget: int, memory: OrderMemory
) -> Orders:
    """Return the orders of a cell's output, (positions, cout), with the step that follows, if any.

    data: the cell's own numbers; budget, memory: as `orders_of` has them.
    """
    if not kernel.then:
        return orders_of(kernel, data, output, budget, memory)
    before = orders_of(kernel, replace(data, added=None), None, budget, memory)
    if kernel.then in HIDING:  # another kernel may be called with the step, on other numbers
        orders = tuple(replace(one, confirmed=False) for one in before.orders)
        before = replace(before, orders=orders)
    spent, calls = kernel.calls, [ObservedCall(data, output)]
    try:
        calls += kernel.others()
    except RefusedError as refused:
        return replace(before, refusals=(*before.refusals, refused.refusal), orders=())
    return replace(with_step(before, kernel.then, calls), calls=before.calls + kernel.calls - spent)


def flat(output_nhwc: Array) -> Array:
    """Return an output as kernels do: (positions, cout), in fp64 for float64, else in fp32."""
    wide = np.float64 if output_nhwc.dtype == np.float64 else np.float32
    return output_nhwc.astype(wide).reshape(-1, output_nhwc.shape[-1])


def data_of(case: Case, cell: Cell, tensors: Tensors) -> Data:
    """Return a cell's own numbers as kernels take them: bfloat16 as fp32."""
    conv = cell.conv_of(case.conv)
    return _data(conv, tensors.upto(cell.batch, cell.length).first(conv))


def _data(conv: Convolution, own: Tensors) -> Data:
    given = (own.input_nhwc, own.filter_hwio, own.bias, _addend(conv, own))
    arrays = [None if a is None else _stored(a) for a in given]
    assert arrays[0] is not None and arrays[1] is not None
    return Data(arrays[0], arrays[1], arrays[2], arrays[3])


def _addend(conv: Convolution, tensors: Tensors) -> Array | None:
    """Return what the step adds to each element, (positions, cout)."""
    if conv.then != "add" or tensors.added is None:
        return None
    shape = tensors.input_nhwc.shape
    part = np.broadcast_to(conv.addend(tensors.added, shape), conv.output_shape(*shape[:3]))
    return np.reshape(part, (-1, conv.channels_out))


def _stored(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
