"""What an ONNX file is fed: given arrays, or drawn ones; steps, and state that goes back in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.errors import ConvdiffError, Place, meant
from convdiff.net.models.limits import Budget, ModelError
from convdiff.net.models.model import Array
from convdiff.net.models.onnx_graph import inputs_of, load
from convdiff.net.models.own_run import Feeds

SEED = 0
OPEN = (1, 32)
"""What an open extent becomes: the first axis', and the others'."""


def feeds_of(model: Path, given: Path | None, back: Mapping[str, str], steps: int) -> Feeds:
    """Return what is fed in all steps.

    given: an .npz file by inputs' names, or an .npy file of the first; an array with one axis more
    than the file says has a step in each of its elements. What is not given is drawn once a step,
    normal and of seed 0; integers and state are zero. back: from outputs to inputs. steps: how many
    there are where no array says it. Raises ModelError, ConvdiffError.
    """
    graph = load(model).graph
    inputs = inputs_of(graph)
    arrays = {} if given is None else _read(given, next(iter(inputs)))
    _refuse(model, [*arrays, *back.values()], list(inputs), "input")
    _refuse(model, list(back), [one.name for one in graph.output], "output")
    stacked = {n for n, a in arrays.items() if a.ndim == len(inputs[n].shape.dim) + 1}
    count = _count(given, [len(arrays[name]) for name in stacked], steps)
    drawing = _Drawing(Budget(str(model)), np.random.default_rng(SEED), frozenset(back.values()))
    drawn = {name: kind for name, kind in inputs.items() if name not in arrays}
    made = []
    for number in range(count):
        given_here = {name: array[number] for name, array in arrays.items() if name in stacked}
        made.append({**arrays, **given_here, **{n: drawing.of(n, k) for n, k in drawn.items()}})
    return Feeds(made, back)


def _refuse(model: Path, asked: list[str], known: list[str], what: str) -> None:
    """Raise ModelError for a name that is none of the model's."""
    for name in asked:
        if name not in known:
            raise ModelError(f"{model}: has no {what} {name!r}{meant(name, known)}")


def _count(given: Path | None, stacked: list[int], steps: int) -> int:
    """Return how many steps there are. Raises ModelError where arrays do not agree."""
    counts = set(stacked) or {steps}
    if len(counts) > 1:
        raise ModelError(f"{given}: has arrays of {' and '.join(map(str, sorted(counts)))} steps")
    return counts.pop()


def _read(given: Path, first: str) -> dict[str, Array]:
    """Return arrays by the names of inputs; none of them is unpickled."""
    try:
        held = np.load(given, allow_pickle=False)
        return {first: held} if isinstance(held, np.ndarray) else dict(held)
    except (OSError, ValueError, EOFError) as error:
        raise ConvdiffError(f"{Place(str(given))}: no .npy or .npz file: {error}") from None


@dataclass(frozen=True)
class _Drawing:
    """Draws what is not given."""

    budget: Budget
    rng: Any
    state: frozenset[str]
    """Inputs that begin at zero."""

    def of(self, name: str, kind: Any) -> Array:
        """Return an array for an input. Raises ModelError for one of no numbers."""
        from onnx import helper

        try:
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        except Exception:  # an element type that is none
            raise ModelError(f"{self.budget.file}: input {name} holds no numbers") from None
        extents = [dim.dim_value for dim in kind.shape.dim]
        closed = [extent if extent > 0 else OPEN[at > 0] for at, extent in enumerate(extents)]
        shape = self.budget.take(f"input {name}", closed, dtype.itemsize)
        if name in self.state or dtype.kind != "f":
            return np.zeros(shape, dtype)
        return np.asarray(self.rng.normal(size=shape), dtype)
