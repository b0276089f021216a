"""The options that `run` and `sweep` share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click

from convdiff.case.device import Device
from convdiff.cli.complete import RECORDINGS, files, one_of
from convdiff.cli.renamed import lengths
from convdiff.cli.reports import DETAIL_OPTIONS, REPORT_OPTIONS, Reports, reports_of
from convdiff.cli.shared import shared
from convdiff.cli.streams import write_err
from convdiff.cli.types import DAY, DEVICES, RANGE, Finite
from convdiff.errors import ConvdiffError, meant
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Interpreter
from convdiff.runtime.pyproject import NamedRuntime, find_runtimes

DEFAULT_FRAMEWORK = ("tensorflow",)

BUDGET = click.Option(
    ["--budget"],
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    metavar="CALLS",
    help="Probe calls that a case's explanations may take.",
)
TIMEOUT = click.Option(
    ["--timeout"],
    type=Finite(min=0.1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest silence of a worker.",
)
TIME = click.Option(
    ["--time"],
    type=Finite(min=0.1),
    metavar="SECONDS",
    help="Stop after so long, and show what is known by then; what was not compared is untested.",
)
STRICT = click.Option(["--strict"], is_flag=True, help="Tell -0 from +0, and one NaN from another.")


def packed(
    name: str, options: Sequence[click.Option], make: Callable[[Mapping[str, Any]], Any]
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Hand a command what these options say as one typed value, its argument `name`.

    make: makes it of the options' values, by the options' names.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def with_one(**values: Any) -> int:
            taken = values_of(options, values)
            rest = {name: values[name] for name in values if name not in taken}
            return command(**rest, **{name: make(taken)})

        return with_one

    return decorate


def _say(what: str) -> None:
    """Tell of an environment that is made."""
    write_err(f"convdiff: {what} ...")


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    lengths: tuple[int, ...] | None = None
    batch: tuple[int, ...] | None = None
    channels_out: tuple[int, ...] | None = None
    threads: tuple[int, ...] | None = None
    device: tuple[Device, ...] | None = None
    framework: tuple[str, ...] | None = None
    kernel: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()
    pairwise: bool = False
    vary: tuple[tuple[str, tuple[str, ...]], ...] = ()
    python: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    exclude_newer: str = ""
    require: tuple[Device, ...] = ()
    strict: bool = False
    whole_reference: bool = False
    timeout: float = 300.0
    time: float | None = None
    explain: bool | None = None
    explain_up_to: float | None = None
    budget: int = 20_000
    save: Path | None = None
    baseline: Path | None = None
    update_baseline: bool = False
    add_to_baseline: bool = False
    reports: Reports = field(default_factory=Reports)

    @property
    def show_all(self) -> bool:
        """Whether every comparison and element is shown."""
        return self.reports.show_all

    @property
    def frameworks(self) -> tuple[str, ...]:
        """Return the frameworks and own kernels to run, TensorFlow where nothing is named."""
        named = (*(self.framework or ()), *self.kernel)
        return named or (() if self.runtime or self.requires else DEFAULT_FRAMEWORK)

    @property
    def explained_up_to(self) -> float | None:
        """Return the products up to which all is explained; None where nobody asks for it."""
        if self.explain_up_to is None and self.explain:
            return float("inf")
        return self.explain_up_to

    @property
    def unnamed_framework(self) -> str:
        """Return the framework that is run because nothing is named, "" where something is."""
        named = self.framework or self.kernel or self.runtime or self.requires
        return "" if named else DEFAULT_FRAMEWORK[0]

    def interpreters(self) -> list[Interpreter]:
        """Return what is to be started. Raises ConvdiffError for what can't be."""
        named, threads = self._named(), self.threads or ()
        made = self._required(threads)
        if not self.frameworks and (self.vary or self.python):
            raise ConvdiffError(
                "a named runtime has its own python and env: --vary and --python go with "
                "--framework or --kernel"
            )
        if not self.frameworks:
            return interpreters((), (), threads, (), named) + made
        return interpreters(self.frameworks, self.python, threads, self.vary, named) + made

    def _required(self, threads: tuple[int, ...]) -> list[Interpreter]:
        """Return the interpreters of environments that are asked for, made where they are not."""
        if not self.requires:
            return []
        from convdiff.runtime.required import required

        return required(self.requires, threads, self.exclude_newer, _say)

    def _named(self) -> list[NamedRuntime]:
        """Return the runtimes that are asked for by name."""
        known = find_runtimes(Path.cwd()) if self.runtime else {}
        for name in self.runtime:
            if name not in known:
                there = ", ".join(known) or "none in any pyproject.toml from here upwards"
                hint = meant(name, known)
                raise ConvdiffError(f"--runtime {name}: no such runtime; there is {there}{hint}")
        asked = [known[name] for name in self.runtime]
        if not any(one.requires for one in asked):
            return asked
        from convdiff.runtime.named import with_environment

        return [with_environment(one, _say) for one in asked]

    @property
    def changes_baseline(self) -> bool:
        """Return whether the baseline is made or added to."""
        return self.update_baseline or self.add_to_baseline

    @property
    def records(self) -> bool:
        """Return whether what is observed is to be kept."""
        return self.save is not None or self.changes_baseline

    @property
    def names_an_axis(self) -> bool:
        """Return whether anything is asked to vary."""
        several = (self.frameworks, self.python, self.runtime, self.requires)
        return any((self.lengths, self.batch, self.channels_out, self.threads, self.vary)) or any(
            len(names) > 1 for names in several
        )


MATRIX_OPTIONS = (
    lengths(type=RANGE, help="Input widths: 7..20, 5..2000:5, 7,8,9."),
    shared("batch", "Batch sizes: 1,8."),
    click.Option(
        ["--channels-out"],
        type=RANGE,
        help="So many of the first filters alone, against all: 1,8.",
    ),
    shared("threads", "Intra-op thread counts: 1,2,4."),
    shared("device", "Devices, instead of the case's."),
    shared(
        "framework",
        "Frameworks to run, as in torch,jax or tensorflow:cpu+xla.  [default: tensorflow]",
    ),
    shared("kernel", "Your own convolution, function(x, w, b) on NHWC and HWIO; may be repeated."),
    click.Option(
        ["--runtime"],
        multiple=True,
        metavar="NAME",
        shell_complete=one_of(lambda: find_runtimes(Path.cwd())),
        help="A [tool.convdiff.runtimes.NAME] of your pyproject.toml; may be repeated.",
    ),
    click.Option(["--pairwise"], is_flag=True, help="Compare every runtime with every other."),
    shared("vary", "Environment variable and the values to compare; may be repeated."),
    shared(
        "python",
        "Interpreter of another environment ('this' is convdiff's own); may be"
        " repeated. Nothing is installed there.",
    ),
    click.Option(
        ["--requires"],
        multiple=True,
        metavar="REQUIREMENT",
        help="Another release, as in tensorflow==2.12.*, in an environment made for it; may be"
        " repeated. See `convdiff runtimes`.",
    ),
    click.Option(
        ["--exclude-newer"],
        type=DAY,
        default="",
        metavar="DATE",
        help="Of --requires: as if nothing had been released after YYYY-MM-DD.",
    ),
    click.Option(
        ["--require"],
        type=DEVICES,
        default=(),
        help="Run on these too, and exit 125 if they are absent.",
    ),
    STRICT,
    click.Option(
        ["--whole", "whole_reference"],
        is_flag=True,
        help="Compute the reference of a large layer at all outputs, not at a sample of them.",
    ),
    *DETAIL_OPTIONS,
    click.Option(
        ["--explain/--no-explain"],
        default=None,
        help="Reveal and replay the summation orders of all that differs as rounding, or of"
        " nothing.  [default: of drift, and of what is small]",
    ),
    click.Option(
        ["--explain-up-to"],
        type=Finite(min=1),
        metavar="PRODUCTS",
        help="Explain what is expected, too, of outputs of so many products in all, as in 1e8.",
    ),
    BUDGET,
    TIMEOUT,
    TIME,
    click.Option(
        ["--save"],
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Record what was observed: .json for review, .safetensors for size.",
    ),
    click.Option(
        ["--baseline"],
        type=click.Path(path_type=Path),
        metavar="FILE|FOLDER",
        shell_complete=files(*RECORDINGS),
        help="Compare with what is recorded; a folder has a file a case.",
    ),
    click.Option(
        ["--update-baseline"], is_flag=True, help="Record all that was observed as the baseline."
    ),
    click.Option(
        ["--add-to-baseline"], is_flag=True, help="Record only what the baseline has not got yet."
    ),
    *REPORT_OPTIONS,
)


def of_run(*names: str) -> tuple[click.Option, ...]:
    """Return those of MATRIX_OPTIONS that another command has, too."""
    chosen = tuple(option for option in MATRIX_OPTIONS if option.name in names)
    assert len(chosen) == len(names), "each is one of run's"
    return chosen


def options_of(values: Mapping[str, Any]) -> Options:
    """Return what the values of MATRIX_OPTIONS, by name, ask for; a command may have only some."""
    own = {name: values[name] for name in Options.__dataclass_fields__ if name in values}
    return Options(**own, reports=reports_of(values))


def values_of(options: Sequence[click.Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of some options, by their names."""
    return {str(option.name): values[str(option.name)] for option in options}


matrix_options = packed("options", MATRIX_OPTIONS, options_of)
"""Hands a command its MATRIX_OPTIONS as `options`."""
