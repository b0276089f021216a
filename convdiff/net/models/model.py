"""What is read of a model file: its operations as they stand there, and the net they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convdiff.net.models.axes import Tensor
from convdiff.worker.ops.net import Net

Array = Any
"""A NumPy array, or one of bfloat16."""

FOLLOWS = "reads what is not known"
"""Why an operation is no layer that follows one which is none."""


class UnreadError(Exception):
    """Why an operation is no layer here, in a few words.

    is_too_small: its window is larger than what it moves over.
    """

    def __init__(self, reason: str, *, is_too_small: bool = False) -> None:
        super().__init__(reason)
        self.is_too_small = is_too_small


@dataclass(frozen=True)
class Node:
    """One operation of the file."""

    name: str
    op: str
    """As the format calls it."""
    inputs: tuple[str, ...]
    """Names of the values that it reads, constants too."""
    outputs: tuple[str, ...]
    shape: tuple[int, ...] | None = None
    """Of its first output, as the file's axes stand; None where nothing says it."""
    parameters: int = 0
    """How many numbers its constants hold."""
    unread: str = ""
    """Why it is no layer here; empty where it is one, or a constant."""
    is_constant: bool = False
    """Whether it is computed of constants alone."""
    is_too_small: bool = False
    """Whether it is no layer here for a window larger than what it moves over."""


@dataclass(frozen=True)
class Model:
    """A model file. `net` has the layers that are known; all of them where nothing is `unread`."""

    file: str
    format: str
    nodes: tuple[Node, ...]
    net: Net
    """Its arrays' keys are those of `arrays`; activations NHWC."""
    arrays: Mapping[str, Array]
    inputs: tuple[str, ...]
    """Names of what is fed."""
    source: str
    """The one of them that the net reads, the first of floating point."""
    outputs: tuple[str, ...]
    """The file's names of the net's outputs."""
    fed: Tensor
    """The net's input as the file has it; extents that it leaves open are numbers that fit."""
    open_axes: str = ""
    """Axes whose extents the file leaves open."""
    activations: Mapping[str, Tensor] = field(default_factory=dict)
    """How the file has each layer's, by its name."""
    notes: tuple[str, ...] = ()

    @property
    def unread(self) -> tuple[Node, ...]:
        """The operations that are no layers here."""
        return tuple(node for node in self.nodes if node.unread)

    @property
    def input_axes(self) -> str:
        """What the axes of the net's input are: NCHW; empty where it is not read."""
        return self.fed.axes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """As the file has it; see `fed`."""
        return self.fed.shape

    @property
    def channels(self) -> int:
        """Of its input."""
        return self.fed.extents["C"]

    @property
    def parameters(self) -> int:
        """How many numbers all layers hold."""
        return sum(node.parameters for node in self.nodes)
