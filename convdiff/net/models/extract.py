"""One layer of a model as a case: its filter, bias and real input as files beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convdiff.case.arrays import make_tensors
from convdiff.case.layout import layout_of
from convdiff.case.load import load_case
from convdiff.errors import ConvdiffError, meant
from convdiff.lab.live import LiveLab
from convdiff.lab.nets import Subject
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.net.models.limits import ModelError
from convdiff.net.models.model import Array, Model
from convdiff.net.models.subject import outputs_of, subject_of
from convdiff.net.receptive_field import behind
from convdiff.numerics.bits import same_bits
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.constant import as_in_a_model
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.net import INPUT, Layer

Alone = Literal["same", "other", "not run"]


@dataclass(frozen=True)
class Extracted:
    """A case that was written, and what it gives beside what the layer gives in the net."""

    case: Path
    layer: str
    runtime: Runtime
    alone: Alone
    differing: int = 0
    elements: int = 0
    reason: str = ""
    """Why it was not run."""


def layer_of(model: Model, name: str) -> Layer:
    """Return a layer that is a case: a convolution or a dense product. Raises ModelError."""
    names = [layer.name for layer in model.net.layers]
    unread = {node.name: node for node in model.unread}
    if name in unread:
        raise ModelError(f"{model.file}: {name} is {unread[name].op}: {unread[name].unread}")
    if name not in names:
        raise ModelError(f"{model.file}: no layer is called {name!r}{meant(name, names)}")
    layer = model.net.layer(name)
    if layer.kind.family != "op":
        raise ModelError(
            f"{model.file}: {name} is {layer.op}: it sums no products of a filter, so it is no case"
        )
    return layer


def up_to(model: Model, layer: Layer) -> Model:
    """Return what a layer is computed by, with it and what it reads as the outputs."""
    needed = behind(model.net, layer.name)
    layers = tuple(one for one in model.net.layers if one.name in needed)
    outputs = tuple(name for name in (*layer.sources, layer.name) if name != INPUT)
    net = model.net._replace(layers=layers, outputs=outputs)
    arrays = {key: model.arrays[key] for one in layers for key in one.arrays.values()}
    nodes = tuple(node for node in model.nodes if not node.unread)
    return replace(model, net=net, arrays=arrays, nodes=nodes)


def extract(
    model: Model, name: str, given: Array | None, case: Path, runtime: Runtime, session: Session
) -> Extracted:
    """Write a layer's case and its arrays, run it alone, and hold it against the net.

    Alone its filter is a constant, as in the net.

    given: the model's input as its file has it; drawn without one. Raises ModelError for a layer
    that is no case, and where the net does not run.
    """
    layer = layer_of(model, name)
    subject = subject_of(up_to(model, layer), given)
    outputs = outputs_of(subject, runtime, session)
    if isinstance(outputs, NoBits):
        raise ConvdiffError(f"{runtime.id}: {outputs.reason}")
    activations = {INPUT: subject.input_nhwc, **outputs}
    x = activations[layer.sources[0]]
    _write(case, model, layer, subject, x)
    runtime = as_in_a_model(runtime)
    bits = _alone(case, runtime, session)
    if isinstance(bits, NoBits):
        return Extracted(case, name, runtime, "not run", reason=bits.reason)
    own = activations[name]
    if bits.shape != own.shape:
        return Extracted(case, name, runtime, "not run", reason=f"gives {bits.shape}")
    differing = int(np.count_nonzero(~same_bits(bits, own)))
    alone: Alone = "other" if differing else "same"
    return Extracted(case, name, runtime, alone, differing, own.size)


def _alone(case: Path, runtime: Runtime, session: Session) -> Array | NoBits:
    loaded = load_case(case)
    cell = Cell(runtime, loaded.conv.op, loaded.lengths[-1], loaded.batches[-1])
    live = LiveLab(loaded, make_tensors(loaded), session, {}, 0, Watch())
    with closing(live) as lab:
        for _ in lab.observe([cell]):
            pass
        return lab.bits(cell)


def _write(case: Path, model: Model, layer: Layer, subject: Subject, x: Array) -> None:
    """Write the case and its arrays. Raises ConvdiffError where one of the files is there."""
    conv = layer.conv
    own = {
        "filter": conv.own_filter(subject.arrays[layer.arrays["filter"]]),
        "input": conv.own_input(x),
    }
    if len(layout_of("nhwc", conv.op).filter.name) == 2:  # a dense product's has no spatial axis
        own["filter"] = own["filter"].reshape(conv.channels_in, conv.channels_out)
    if "bias" in layer.arrays:
        own["bias"] = subject.arrays[layer.arrays["bias"]]
    files = {key: case.with_name(f"{case.stem}.{key}.npy") for key in own}
    for path in (case, *files.values()):
        if path.exists():
            raise ConvdiffError(f"{path}: there is a file of this name")
    for key, path in files.items():
        is_narrow = own[key].dtype.name == "bfloat16"  # which NumPy's files do not name
        np.save(path, own[key].astype("float32") if is_narrow else own[key])
    lines = {
        "name": json.dumps(f"{Path(model.file).name}/{layer.name}", ensure_ascii=False),
        "op": conv.op,
        **{key: f"{{file: {json.dumps(files[key].name)}}}" for key in files},
        **_moves(conv),
    }
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    case.write_text(f"# One layer of a model, with its real input.\n{text}", encoding="utf-8")


def _moves(conv: Any) -> Mapping[str, str]:
    """Return the keys of a geometry whose values are not the usual ones."""
    usual = conv._field_defaults
    given: dict[str, Any] = {}
    for key in ("strides", "dilations", "output_padding"):
        values = list(conv.own(getattr(conv, key)))
        if any(value != usual[key][0] for value in values):
            given[key] = values
    if not isinstance(conv.padding, str):
        given["padding"] = list(map(list, conv.own(conv.padding)))
    elif conv.padding != "valid":
        given["padding"] = conv.padding
    if conv.groups != 1:
        given["groups"] = conv.groups
    if conv.dtype != "float32":
        given["dtype"] = conv.dtype
    return {key: str(value) for key, value in given.items()}
