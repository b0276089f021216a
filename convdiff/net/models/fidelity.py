"""Whether a model rebuilt as layers gives the bits that its own file gives in its own runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convdiff.lab.nets import Subject
from convdiff.lab.session import Session
from convdiff.net.models.model import Array, Model
from convdiff.net.models.own_values import differing
from convdiff.net.models.subject import as_in_file, outputs_of
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Runtime


@dataclass(frozen=True)
class Fidelity:
    """What the rebuilt net gives beside the file itself."""

    runtime: str
    elements: int = 0
    differing: int = 0
    reason: str = ""
    """Why it was not compared."""


def fidelity_of(model: Model, subject: Subject, runtime: Runtime, session: Session) -> Fidelity:
    """Run a file and its net once in the same runtime, with nothing looked at but the outputs."""
    own = _own(model, subject, runtime, session)
    if isinstance(own, NoBits):
        return Fidelity(runtime.id, reason=own.reason)
    outputs = outputs_of(subject, runtime, session)
    if isinstance(outputs, NoBits):
        return Fidelity(runtime.id, reason=outputs.reason)
    elements = unlike = 0
    for one, name in zip(own, subject.net.outputs, strict=True):
        rebuilt = as_in_file(np.asarray(outputs[name]), model.activations[name])
        elements += one.size
        unlike += differing(one, rebuilt)
    return Fidelity(runtime.id, elements, unlike)


def _own(
    model: Model, subject: Subject, runtime: Runtime, session: Session
) -> list[Array] | NoBits:
    data = np.frombuffer(Path(model.file).read_bytes(), np.uint8)
    load = {"do": "model", "ask": "load", "key": "file", "optimise": True}
    loaded = session.pool.ask(runtime.interpreter, load, [data])
    if isinstance(loaded, NoBits):
        return loaded
    given = as_in_file(subject.input_nhwc, model.fed)
    header = {"do": "model", "ask": "run", "key": "file", "feeds": [model.source]}
    return session.pool.ask(
        runtime.interpreter, {**header, "outputs": list(model.outputs)}, [given]
    )
