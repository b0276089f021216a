"""What an option's value may be: a name for --help, and a function that parses it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Generic, TypeVar

import click
from click.shell_completion import CompletionItem

from convdiff.case import expect
from convdiff.case.device import Device, UnknownDeviceError
from convdiff.case.forms import MisfitError
from convdiff.case.forms.misfit import cut
from convdiff.case.model import Allowance
from convdiff.case.ranges import parse_range
from convdiff.cli.complete import completed
from convdiff.errors import ConvdiffError, meant
from convdiff.runtime.matrix import FRAMEWORKS as FRAMEWORKS_THERE
from convdiff.runtime.matrix import packaged_frameworks, refuse_unknown, split_spec
from convdiff.runtime.model import Unnamed
from convdiff.worker.ops import OPS, REFERENCE
from convdiff.worker.ops.axis import PADDINGS

T = TypeVar("T")
KINDS = ("cpu", "gpu")
"""Devices that have a name without a number or a mode."""


class Parsed(click.ParamType[Any], Generic[T]):
    """A value that a function parses, which raises ValueError for what is none."""

    def __init__(
        self, name: str, parse: Callable[[str], T], known: Callable[[], Iterable[str]] = tuple
    ) -> None:
        """known: returns the names that a shell completes, of a list a,b each."""
        self.name, self.parse, self.known = name, parse, known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that go on with what is written so far."""
        return completed(self.known(), incomplete)

    def convert(self, value: Any, param: Any, ctx: Any) -> T:
        """Parse a text; what is parsed already, as a default is, stays."""
        if not isinstance(value, str):
            parsed: T = value
            return parsed
        try:
            return self.parse(value)
        except (ValueError, ConvdiffError) as error:
            self.fail(str(error), param, ctx)


class Finite(click.FloatRange):
    """A number within bounds, neither NaN nor infinity, which compare as if they were in them."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """See click."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class Choice(click.Choice[str]):
    """One of a few words, of which one may be a slip."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Say which there are, and which was meant."""
        there = super().get_invalid_choice_message(value, ctx).rstrip(".")
        return there + meant(str(value), self.choices)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{cut(text)!r} is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _range(text: str) -> tuple[int, ...]:
    numbers = parse_range(text)
    if numbers[0] < 1:
        raise ValueError("must be 1 or more")
    return numbers


def _variation(text: str) -> tuple[str, tuple[str, ...]]:
    """Split a variable's name from its values."""
    name, equals, values = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{text!r}: write NAME=A,B with an environment variable's name")
    return name, tuple(dict.fromkeys(values.split(",")))


def _parts(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",")))


def _devices(text: str) -> tuple[Device, ...]:
    return tuple(dict.fromkeys(map(Device.parse, _parts(text))))


def _frameworks(text: str) -> tuple[str, ...]:
    """Split frameworks, each with or without a device: torch:cpu+channels_last."""
    specs = _parts(text)
    for spec in specs:
        if ":" in split_spec(spec)[0]:
            name, _, device = spec.partition(":")
            if name in FRAMEWORKS_THERE:
                _refuse_device(name, device)
            raise ValueError(f"{spec!r}: unknown device; --kernel runs module:function")
        refuse_unknown(split_spec(spec)[0])
    return tuple(specs)


def _refuse_device(framework: str, device: str) -> None:
    """Raise ValueError with what a device is, and how it is written after a framework."""
    try:
        Device.parse(device)
    except UnknownDeviceError:
        raise UnknownDeviceError(device, f"{framework}:") from None


def _day(text: str) -> str:
    try:
        return text and date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{text!r} is no date; one is written 2019-06-30") from None


def _kernel(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", text):
        raise ValueError(f"{text!r} is not module:function")
    if split_spec(text)[1] is not Unnamed.THE_CASES:
        raise ValueError(f"{text!r}: a function can't be called like a device")
    return text


_INDEX_PART = re.compile(r"\s*\d{1,18}\s*")


def _index(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) not in (3, 4, 5) or not all(map(_INDEX_PART.fullmatch, parts)):
        raise ValueError(f"{text!r} is not n,h,w,c, nor n,c,h,w of a `layout: nchw`")
    return tuple(int(part) for part in parts)


def _padding(text: str) -> str | int:
    if text.lower() in PADDINGS:
        return text.lower()
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError(f"{cut(text)!r} is no number of zeros, nor {', '.join(PADDINGS)}")
    return int(text)


def _steps(text: str) -> int | list[int]:
    """Return one number, or one an axis."""
    if not re.fullmatch(r"[1-9]\d{0,8}(,[1-9]\d{0,8}){0,2}", text):
        raise ValueError(f"{cut(text)!r} is no number, nor one an axis as 2,1")
    numbers = [int(part) for part in text.split(",")]
    return numbers if len(numbers) > 1 else numbers[0]


ALLOWANCES = "bitwise|ulps:N|rounding|anything"


def _allowance(text: str) -> Allowance:
    ulps = re.fullmatch(r"ulps:\s*(\d{1,18})", text)
    if ulps:
        return Allowance("ulps", int(ulps[1]))
    try:
        allowance: Allowance = expect.ALLOWANCE.read(text)
    except MisfitError:
        hint = meant(text.partition(":")[0], re.split(r"[|:]", ALLOWANCES))
        raise ValueError(f"{text!r} is not one of {ALLOWANCES}{hint}") from None
    return allowance


def _back(text: str) -> tuple[str, str]:
    output, _, given = text.partition("=")
    if not output or not given:
        raise ValueError(f"{cut(text)!r} is no OUTPUT=INPUT")
    return output, given


NUMBER = Parsed("NUMBER", _number)
"""A finite number of either sign."""
RANGE = Parsed("RANGE", _range)
"""Whole numbers: 7, 7..20, 5..2000:5, 1,2,8."""
VARIATION = Parsed("NAME=A,B", _variation)
"""An environment variable and its values."""
BACK = Parsed("OUTPUT=INPUT", _back)
"""An output, and the input that has it in the next step."""
DEVICE = Parsed("DEVICE", Device.parse, lambda: KINDS)
DEVICES = Parsed("cpu,gpu", _devices, lambda: KINDS)
FRAMEWORKS = Parsed(
    "NAME[:DEVICE]", _frameworks, lambda: (*FRAMEWORKS_THERE, *packaged_frameworks())
)
DAY = Parsed("DATE", _day)
"""A day, as 2019-06-30, or none."""
KERNEL = Parsed("MODULE:FUNCTION", _kernel)
INDEX = Parsed("N,H,W,C", _index)
"""An element of an output, as the case's arrays lie."""
OP = Choice([*OPS, REFERENCE])
"""What is computed: an op, or multiply + reduce_sum."""
PADDING = Parsed("ZEROS|WORD", _padding, lambda: PADDINGS)
"""Zeros on all sides, or a word of a case's `padding`."""
STEPS = Parsed("N[,N]", _steps)
"""Strides or dilations, as a case has them."""
ALLOWANCE = Parsed(ALLOWANCES, _allowance, lambda: ("bitwise", "ulps:", "rounding", "anything"))
"""What may differ, as a case file's `expect` says it, and ulps:N."""
