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
    stacked = _stacked(model, given, arrays, inputs)
    count = _count(given, [len(arrays[name]) for name in stacked], steps)
    drawing = _Drawing(Budget(str(model)), np.random.default_rng(SEED), frozenset(back.values()))
    made = []
    for number in range(count):
        step = dict(arrays)
        step.update((name, arrays[name][number]) for name in stacked)
        for name, kind in inputs.items():
            if name not in arrays:
                step[name] = drawing.of(name, kind)
        made.append(step)
    return Feeds(made, back)


def _stacked(
    model: Path, given: Path | None, arrays: Mapping[str, Array], inputs: Mapping[str, Any]
) -> set[str]:
    """Return the arrays that have a step in each element. Raises ConvdiffError for a misfit."""
    stacked = set()
    for name, array in arrays.items():
        wanted = _Wanted.of(model, name, inputs[name])
        wanted.refuse(given, array)
        if wanted.is_stacked(array):
            stacked.add(name)
    return stacked


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
    """Return arrays by the names of inputs; none of them is unpickled. Raises ConvdiffError."""
    if not given.is_file():
        what = "is not a regular file" if given.exists() else "does not exist"
        raise ConvdiffError(f"{Place(str(given))}: {what}")
    try:
        held = np.load(given, allow_pickle=False)
        arrays = {first: held} if isinstance(held, np.ndarray) else dict(held)
    except Exception:  # damaged bytes make NumPy, zipfile and zlib raise anything
        text = "no .npy or .npz file, or damaged, or it holds pickled objects: those are never read"
        raise ConvdiffError(f"{Place(str(given))}: {text}") from None
    if not arrays:
        raise ConvdiffError(f"{Place(str(given))}: holds no arrays")
    return arrays


@dataclass(frozen=True)
class _Wanted:
    """What a model reads as one of its inputs."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...] | None
    """0 is any extent; None where the file does not say."""

    @classmethod
    def of(cls, model: Path, name: str, kind: Any) -> _Wanted:
        """Return what a graph says of an input. Raises ModelError."""
        extents = tuple(max(0, dim.dim_value) for dim in kind.shape.dim)
        shape = extents if kind.HasField("shape") else None
        return cls(name, _dtype(str(model), name, kind), shape)

    def is_stacked(self, array: Array) -> bool:
        """Return whether an array has a step in each of its elements."""
        return self.shape is not None and array.ndim == len(self.shape) + 1

    def refuse(self, given: Path | None, array: Array) -> None:
        """Raise ConvdiffError for an array that the model does not read."""
        shape = array.shape[1:] if self.is_stacked(array) else array.shape
        what = f"{Place(str(given))}: {self.name}"
        if array.dtype != self.dtype:
            raise ConvdiffError(f"{what} holds {array.dtype}; the model reads {self.dtype}")
        if not array.size:
            raise ConvdiffError(f"{what} has no values")
        if self.shape is not None and not _fits(shape, self.shape):
            wanted = _written(self.shape)
            raise ConvdiffError(
                f"{what} is {_written(array.shape)}; the model reads {wanted}, "
                "or one axis more with a step in each element"
            )


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(most in (0, extent) for extent, most in zip(shape, wanted, strict=True))


def _written(shape: tuple[int, ...]) -> str:
    """Return a shape as 1×3×?; ? is any extent."""
    return "×".join(str(extent or "?") for extent in shape) or "one number"


def _dtype(file: str, name: str, kind: Any) -> np.dtype[Any]:
    """Return what an input's numbers are. Raises ModelError for one of no numbers."""
    from onnx import helper

    try:
        dtype: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    except Exception:  # an element type that is none
        raise ModelError(f"{file}: input {name} holds no numbers") from None
    return dtype


@dataclass(frozen=True)
class _Drawing:
    """Draws what is not given."""

    budget: Budget
    rng: Any
    state: frozenset[str]
    """Inputs that begin at zero."""

    def of(self, name: str, kind: Any) -> Array:
        """Return an array for an input. Raises ModelError for one of no numbers."""
        dtype = _dtype(self.budget.file, name, kind)
        closed: list[int] = []
        for dim in kind.shape.dim:
            closed.append(dim.dim_value if dim.dim_value > 0 else OPEN[bool(closed)])
        shape = self.budget.take(f"input {name}", closed, dtype.itemsize)
        if name in self.state or dtype.kind != "f":
            return np.zeros(shape, dtype)
        return np.asarray(self.rng.normal(size=shape), dtype)
