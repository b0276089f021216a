"""The options that `run` and `sweep` share, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from convdiff.case.device import Device
from convdiff.case.ranges import parse_range
from convdiff.cli.reports import REPORT_OPTIONS, Reports
from convdiff.errors import ConvdiffError
from convdiff.runtime.matrix import interpreters, split_spec
from convdiff.runtime.model import Interpreter, Unnamed
from convdiff.runtime.pyproject import find_runtimes

DEFAULT_FRAMEWORK = ("tensorflow",)

Function = TypeVar("Function", bound=Callable[..., Any])


class RangeType(click.ParamType[Any]):
    """Whole numbers: 7, 7..20, 5..2000:5, 1,2,8."""

    name = "RANGE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Parse a range of numbers from 1 up."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = parse_range(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if numbers[0] < 1:
            self.fail("must be 1 or more", param, ctx)
        return numbers


class VaryType(click.ParamType[Any]):
    """An environment variable and its values: NAME=A,B."""

    name = "NAME=A,B"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, tuple[str, ...]]:
        """Split a variable's name from its values."""
        if isinstance(value, tuple):
            return value
        name, equals, values = value.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            self.fail(f"{value!r}: write NAME=A,B with an environment variable's name", param, ctx)
        return name, tuple(dict.fromkeys(values.split(",")))


class DevicesType(click.ParamType[Any]):
    """Devices, joined by commas: cpu, gpu, gpu:0, cpu+xla."""

    name = "cpu,gpu"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Device, ...]:
        """Parse devices."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(dict.fromkeys(Device.parse(part.strip()) for part in value.split(",")))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class DeviceType(click.ParamType[Any]):
    """One device: cpu, gpu:0, cpu+xla."""

    name = "DEVICE"

    def convert(self, value: Any, param: Any, ctx: Any) -> Device:
        """Parse a device."""
        if isinstance(value, Device):
            return value
        try:
            return Device.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class FrameworksType(click.ParamType[Any]):
    """Frameworks, joined by commas, each with or without a device: torch:cpu+channels_last."""

    name = "NAME[:DEVICE]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Split and check framework names."""
        if isinstance(value, tuple):
            return value
        specs = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        for spec in specs:
            if ":" in split_spec(spec)[0]:
                self.fail(f"{spec!r}: unknown device; --kernel runs module:function", param, ctx)
        return specs


class KernelType(click.ParamType[Any]):
    """An own convolution: module:function."""

    name = "MODULE:FUNCTION"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Check that a module and a function are named."""
        if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", str(value)):
            self.fail(f"{value!r} is not module:function", param, ctx)
        if split_spec(str(value))[1] is not Unnamed.THE_CASES:
            self.fail(f"{value!r}: a function can't be called like a device", param, ctx)
        return str(value)


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    lengths: tuple[int, ...] | None
    batch: tuple[int, ...] | None
    threads: tuple[int, ...] | None
    device: tuple[Device, ...] | None
    framework: tuple[str, ...] | None
    kernel: tuple[str, ...]
    runtime: tuple[str, ...]
    pairwise: bool
    vary: tuple[tuple[str, tuple[str, ...]], ...]
    python: tuple[str, ...]
    require: tuple[Device, ...]
    strict: bool
    show_all: bool
    timeout: float
    explain: bool
    budget: int
    save: Path | None
    baseline: Path | None
    update_baseline: bool
    add_to_baseline: bool
    json: Path | None
    junit: Path | None
    markdown: Path | None
    github: bool
    color: str

    @property
    def reports(self) -> Reports:
        """Return the reports that are asked for."""
        return Reports(self.json, self.junit, self.markdown, self.github, self.color, self.show_all)

    @property
    def frameworks(self) -> tuple[str, ...]:
        """Return the frameworks and own kernels to run, TensorFlow where nothing is named."""
        named = (*(self.framework or ()), *self.kernel)
        return named or (() if self.runtime else DEFAULT_FRAMEWORK)

    def interpreters(self) -> list[Interpreter]:
        """Return what is to be started. Raises ConvdiffError for what can't be."""
        known = find_runtimes(Path.cwd()) if self.runtime else {}
        for name in self.runtime:
            if name not in known:
                there = ", ".join(known) or "none in any pyproject.toml from here upwards"
                raise ConvdiffError(f"--runtime {name}: no such runtime; there is {there}")
        named = [known[name] for name in self.runtime]
        threads = self.threads or ()
        if not self.frameworks and (self.vary or self.python):
            raise ConvdiffError(
                "a named runtime has its own python and env: --vary and --python go with "
                "--framework or --kernel"
            )
        if not self.frameworks:
            return interpreters((), (), threads, (), named)
        return interpreters(self.frameworks, self.python, threads, self.vary, named)

    @property
    def records(self) -> bool:
        """Return whether what is observed is to be kept."""
        return self.save is not None or self.update_baseline or self.add_to_baseline

    @property
    def names_an_axis(self) -> bool:
        """Return whether anything is asked to vary."""
        several = (self.frameworks, self.python, self.runtime)
        return any((self.lengths, self.batch, self.threads, self.vary)) or any(
            len(names) > 1 for names in several
        )


def matrix_options(function: Function) -> Function:
    """Add the options and hand them to the command as one Options object."""

    def collected(*args: Any, **values: Any) -> Any:
        own = {name: values.pop(name) for name in list(values) if name not in _NAMES}
        return function(*args, options=Options(**values), **own)

    collected.__name__, collected.__doc__ = function.__name__, function.__doc__
    decorated: Any = collected
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


_NAMES = frozenset(Options.__dataclass_fields__)
_OPTIONS = (
    click.option("--lengths", type=RangeType(), help="Input widths: 7..20, 5..2000:5, 7,8,9."),
    click.option("--batch", type=RangeType(), help="Batch sizes: 1,8."),
    click.option("--threads", type=RangeType(), help="Intra-op thread counts: 1,2,4."),
    click.option("--device", type=DevicesType(), help="Devices, instead of the case's."),
    click.option(
        "--framework",
        type=FrameworksType(),
        help="Frameworks to run, as in torch,jax or tensorflow:cpu+xla.  [default: tensorflow]",
    ),
    click.option(
        "--kernel",
        type=KernelType(),
        multiple=True,
        help="Your own convolution, function(x, w, b) on NHWC and HWIO; may be repeated.",
    ),
    click.option(
        "--runtime",
        multiple=True,
        metavar="NAME",
        help="A [tool.convdiff.runtimes.NAME] of your pyproject.toml; may be repeated.",
    ),
    click.option("--pairwise", is_flag=True, help="Compare every runtime with every other."),
    click.option(
        "--vary",
        type=VaryType(),
        multiple=True,
        help="Environment variable and the values to compare; may be repeated.",
    ),
    click.option(
        "--python",
        multiple=True,
        metavar="PATH",
        help="Interpreter of another environment ('this' is convdiff's own); may be"
        " repeated. Nothing is installed there.",
    ),
    click.option(
        "--require",
        type=DevicesType(),
        default=(),
        help="Run on these too, and exit 125 if they are absent.",
    ),
    click.option("--strict", is_flag=True, help="Tell −0 from +0, and one NaN from another."),
    click.option("--all", "show_all", is_flag=True, help="Show every comparison and element."),
    click.option(
        "--explain/--no-explain",
        default=True,
        show_default=True,
        help="Reveal and replay the summation orders of what differs as rounding.",
    ),
    click.option(
        "--budget",
        type=click.IntRange(min=1),
        default=20_000,
        show_default=True,
        metavar="CALLS",
        help="Probe calls that a case's explanations may take.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        default=300.0,
        show_default=True,
        metavar="SECONDS",
        help="Longest silence of a worker.",
    ),
    click.option(
        "--save",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Record what was observed: .json for review, .safetensors for size.",
    ),
    click.option(
        "--baseline",
        type=click.Path(path_type=Path),
        metavar="FILE|FOLDER",
        help="Compare with what is recorded; a folder has a file a case.",
    ),
    click.option(
        "--update-baseline", is_flag=True, help="Record all that was observed as the baseline."
    ),
    click.option(
        "--add-to-baseline", is_flag=True, help="Record only what the baseline has not got yet."
    ),
    *REPORT_OPTIONS,
)
