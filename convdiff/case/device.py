"""A device as it is asked for: its kind, which one of several, and how code runs on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from convdiff.case.forms import As, Pattern
from convdiff.errors import close_word

Kind = Literal["cpu", "gpu"]

ALIASES = {name: "gpu" for name in ("cuda", "rocm", "hip", "mps", "xpu", "nvidia")}
"""What other programs call their GPU."""

PATTERN = r"^(cpu|gpu(:\d+)?)(\+[a-z0-9_]+)*$"


@dataclass(frozen=True)
class Device:
    """`cpu`, `gpu` or `gpu:0`, with execution modes, as in `gpu:0+xla`."""

    kind: Kind
    index: int | None = None
    """None stands for every GPU that is visible; a CPU has none."""
    modes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Device:
        """Read what `str` writes. Raises ValueError for anything else."""
        if not re.fullmatch(PATTERN, text):
            raise UnknownDeviceError(text)
        hardware, *modes = text.split("+")
        kind, _, index = hardware.partition(":")
        return cls(cast(Kind, kind), int(index) if index else None, tuple(modes))

    def __str__(self) -> str:
        """Write the device as case files and runtime ids do."""
        index = "" if self.index is None else f":{self.index}"
        return "+".join([f"{self.kind}{index}", *self.modes])

    @property
    def bare(self) -> Device:
        """The device without its execution modes: gpu:0 of gpu:0+xla."""
        return Device(self.kind, self.index)

    @property
    def of_any_index(self) -> Device:
        """The device whichever of its kind it is: gpu+xla of gpu:0+xla."""
        return Device(self.kind, None, self.modes)

    def covers(self, visible: Device) -> bool:
        """Return whether a device that a framework sees is one of those that this asks for."""
        return visible.kind == self.kind and self.index in (None, visible.index)


class UnknownDeviceError(ValueError):
    """What is no device's name; before: what is written before it, in what may have been meant."""

    def __init__(self, text: str, before: str = "") -> None:
        there = "there is cpu, gpu and gpu:N, with +modes"
        near = _near(text)
        question = f"; did you mean {before}{near}?" if near else ""
        super().__init__(f"unknown device {text!r}; {there}{question}")


def _near(text: str) -> str:
    """Return gpu where a device's name is much like that, or another's word; "" where none is."""
    return close_word(re.split("[:+]", text)[0], ("cpu", "gpu"), aliases=ALIASES)


class DeviceName(Pattern):
    """A device's name in a file."""

    def hint(self, value: Any) -> str:
        """See Form."""
        near = _near(str(value))
        return f"did you mean {near}?" if near else ""


DEVICE = As(DeviceName(PATTERN, "cpu, gpu or gpu:N, with modes as in cpu+xla"), Device.parse)
"""As files name it."""
