"""A model's net with its numbers, ready to be run; arrays of the file's axes turned to ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from convdiff.case.arrays import numpy_dtype
from convdiff.case.layout import written
from convdiff.lab.nets import NetRun, Subject, Watched, observe_net
from convdiff.lab.session import Session
from convdiff.net.models.axes import Tensor
from convdiff.net.models.limits import ModelError
from convdiff.net.models.model import Array, Model
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Runtime

SEED = 0
LETTERS = "NDHWC"


def subject_of(model: Model, given: Array | None = None) -> Subject:
    """Return a model's net, its arrays in the net's dtype, and its input.

    given: the input as the file's axes lie; without one it is drawn, normal and of one seed.
    Raises ModelError for a model with operations that are no layers here, or an input that does
    not fit.
    """
    refuse_unread(model)
    if given is None:
        given = np.random.default_rng(SEED).normal(size=model.input_shape)
    axes = model.input_axes
    refuse_shape(model, given.shape, "the input")
    dtype = numpy_dtype(model.net.dtype)
    arrays = {name: np.ascontiguousarray(array, dtype) for name, array in model.arrays.items()}
    return Subject(Path(model.file).name, model.net, arrays, nhwc(given.astype(dtype), axes))


def outputs_of(
    subject: Subject, runtime: Runtime, session: Session
) -> Mapping[str, Array] | NoBits:
    """Run a net once with nothing looked at but its outputs; return them, or why there are none."""
    batch, _, length, _ = subject.input_nhwc.shape
    run, pool = NetRun(runtime, length, batch), session.pool
    watched = [Watched(name) for name in subject.net.outputs]
    for _, outputs, _ in observe_net(subject, [run], watched, pool, observe="outputs"):
        return outputs
    return NoBits("stopped")


def refuse_unread(model: Model) -> None:
    """Raise ModelError where not all of a model's operations are layers here."""
    faults = [f"{node.name} is {node.op}: {node.unread}" for node in model.unread]
    if not faults and not model.net.layers:
        faults = list(model.notes) or ["it has no layers"]
    if faults:
        more = f" (and {len(faults) - 1} more: convdiff inspect)" if len(faults) > 1 else ""
        raise ModelError(f"{model.file}: {faults[0]}{more}")


def refuse_shape(model: Model, shape: tuple[int, ...], what: str) -> None:
    """Raise ModelError for an input of a shape that a model does not read; what: its name."""
    axes = model.input_axes
    fits = len(shape) == len(axes)
    for letter, extent, own in zip(axes, shape, model.input_shape, strict=False):
        if extent != own and letter not in model.open_axes + "N":
            fits = False
    if not fits:
        wanted, given = written(model.input_shape), written(shape) or "one number"
        raise ModelError(f"{model.file}: reads {wanted} {axes}; {what} is {given}")


def nhwc(array: Array, axes: str) -> Array:
    """Return an array of the file's axes as (N, rows, length, channels)."""
    held = [letter for letter in LETTERS if letter in axes]
    turned = array.transpose([axes.index(letter) for letter in held])
    extents = dict.fromkeys(LETTERS, 1) | dict(zip(held, turned.shape, strict=True))
    rows = extents["D"] * extents["H"]
    return np.ascontiguousarray(turned).reshape(extents["N"], rows, extents["W"], extents["C"])


def as_in_file(array_nhwc: Array, tensor: Tensor) -> Array:
    """Return an activation (N, rows, length, channels) with the axes that the file has."""
    batch, rows, length, channels = array_nhwc.shape
    depth = tensor.extents["D"]
    whole = array_nhwc.reshape(batch, depth, rows // depth, length, channels)
    gone = tuple(at for at, letter in enumerate(LETTERS) if letter not in tensor.axes)
    held = "".join(letter for letter in LETTERS if letter in tensor.axes)
    squeezed = whole.squeeze(gone)
    return np.ascontiguousarray(squeezed.transpose([held.index(a) for a in tensor.axes]))
