"""A model as a case with layers: what is compared along its axes is asked as of a case file."""

from __future__ import annotations

from pathlib import Path

from convdiff.case.device import Device
from convdiff.case.model import ArraySpec
from convdiff.case.net_model import NetCase
from convdiff.case.npy import array_shape
from convdiff.errors import Place
from convdiff.net.models.axes import Tensor
from convdiff.net.models.model import Model
from convdiff.net.models.subject import refuse_shape, refuse_unread
from convdiff.worker.ops.net import INPUT

OURS = "NDHWC"


def case_of(model: Model, given: Path | None) -> NetCase:
    """Return a model's net as a case; its arrays are the model's own, see `Subject`.

    given: an .npy file with the input as the model has it; drawn, normal and of seed 0, without
    one. Raises ModelError for operations that are no layers here, CaseError for the input.
    """
    refuse_unread(model)
    if given is None:
        shape = Tensor(INPUT, model.input_axes, model.input_shape)
        spec = ArraySpec("normal", _four(shape), (1.0,), place=Place(model.file))
    else:
        spec = _file(model, given)
    return NetCase(
        name=Path(model.file).name,
        file=model.file,
        net=model.net,
        arrays={},
        held=model.arrays,
        input=spec,
        lengths=(spec.shape[2],),
        batches=(spec.shape[0],),
        devices=(Device("cpu"),),
    )


def _four(tensor: Tensor) -> tuple[int, int, int, int]:
    rows, length, channels = tensor.ours
    return tensor.extents["N"], rows, length, channels


def _file(model: Model, given: Path) -> ArraySpec:
    shape, axes = array_shape(given, None, Place(str(given))), model.input_axes
    refuse_shape(model, shape, str(given))
    order = tuple(axes.index(letter) for letter in OURS if letter in axes)
    four = _four(Tensor(INPUT, axes, shape))
    return ArraySpec("file", four, file=given, axes=order, given=shape, place=Place(str(given)))
