"""The options of `convdiff bisect`, and what they mean."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from convdiff.cli.options import Options, options_of, values_of
from convdiff.cli.searches import FRESH, of_search
from convdiff.cli.types import RANGE, Choice
from convdiff.errors import ConvdiffError

if TYPE_CHECKING:
    from convdiff.case.model import Case
    from convdiff.lab.lab import Tell
    from convdiff.runtime.model import Interpreter
    from convdiff.search.ends import Ends
    from convdiff.search.history import History
    from convdiff.search.observed import Stopping
    from convdiff.search.shape import SizeAxis
    from convdiff.search.states import By, State
    from convdiff.search.stepping import Stepping

T = TypeVar("T", int, str)

WHERE = of_search("budget")
OWN = (
    click.Option(
        ["--channels"], type=RANGE, help="Input channels: 2..512; those above the first are zeros."
    ),
    click.Option(
        ["--by"],
        type=Choice(["bits", "verdict"]),
        help="What must be the same: all bits, or the verdicts of drift and their causes."
        "  [default: verdict of releases, else bits]",
    ),
    click.Option(["--good"], metavar="VALUE", help="The release or size that is good."),
    click.Option(["--bad"], metavar="VALUE", help="The release or size that is bad."),
    click.Option(["--find-fix"], is_flag=True, help="The older end, or the smaller, is bad."),
    click.Option(["--good-env"], metavar="'NAME=VALUE …'", help="Variables of one end."),
    click.Option(["--bad-env"], metavar="'NAME=VALUE …'", help="Variables of the other end."),
    click.Option(["--scan"], is_flag=True, help="Try all of them, to find every change."),
    click.Option(
        ["--skip"],
        multiple=True,
        metavar="VALUE",
        help="Pass by a release or size; may be repeated.",
    ),
    FRESH,
)
OPTIONS = (*WHERE, *OWN)


@dataclass(frozen=True)
class Asked:
    """What is bisected."""

    options: Options
    channels: tuple[int, ...] | None
    by: By | None
    good: str | None
    bad: str | None
    find_fix: bool
    good_env: str | None
    bad_env: str | None
    scan: bool
    skip: tuple[str, ...]
    fresh: bool

    @property
    def ends(self) -> Ends[Any]:
        """What is said of both ends."""
        from convdiff.search.ends import Ends

        return Ends(self.good, self.bad, self.find_fix)

    def refuse(self) -> None:
        """Raise ConvdiffError for options that can't go together."""
        if self.bad_env is not None and self.good_env is None:
            raise ConvdiffError(
                "--bad-env: name the other end, too, with --good-env (it may be '')"
            )
        if self.options.requires and self.good_env is not None:
            raise ConvdiffError("--requires and --good-env: one at a time")
        if self.good_env is not None and (self.good or self.bad or self.scan or self.skip):
            raise ConvdiffError(
                "--good-env: --good, --bad, --scan and --skip are of releases or sizes"
            )

    def stepping(self, stopping: Stopping, tell: Tell) -> Stepping:
        """Return how each step is run."""
        from convdiff.pipeline import Ask
        from convdiff.search.ledger import Ledger
        from convdiff.search.stepping import Stepping

        by = self.by or ("verdict" if self.options.requires else "bits")
        ask = Ask(budget=self.options.budget, explain_up_to=float("inf"))
        return Stepping(by, ask, self.options.timeout, stopping, tell, Ledger(fresh=self.fresh))

    def history(self, line: Sequence[T], state_of: Callable[[T], State | None]) -> History[T]:
        """Find where a line changes, as it is asked."""
        from convdiff.search.ends import chosen
        from convdiff.search.history import bisect, scan

        passed = {chosen(line, text, "--skip") for text in self.skip}
        asked = lambda one: None if one in passed else state_of(one)  # noqa: E731
        if self.scan:
            return scan(line, asked)
        return bisect(line, asked, from_last=self.find_fix)

    def interpreter(self, what: str) -> Interpreter:
        """Return the one that is asked for. Raises ConvdiffError for several, of devices too."""
        (interpreter, *others) = self.options.interpreters()
        if others or len(self.options.device or ()) > 1:
            raise ConvdiffError(f"bisect: {what} are bisected on one runtime")
        return interpreter

    def axis(self, case: Case) -> tuple[SizeAxis, tuple[int, ...]]:
        """Return which sizes are bisected, and what they are.

        Raises ConvdiffError for none, or two.
        """
        given: dict[SizeAxis, tuple[int, ...] | None] = {
            "length": self.options.lengths,
            "batch": self.options.batch,
            "channels": self.channels,
        }
        named = {axis: sizes for axis, sizes in given.items() if sizes and len(sizes) > 1}
        own: dict[SizeAxis, tuple[int, ...]] = {"length": case.lengths, "batch": case.batches}
        several = named or {axis: sizes for axis, sizes in own.items() if len(sizes) > 1}
        if len(several) != 1:
            words = "name the sizes of one axis, with --lengths, --batch or --channels"
            raise ConvdiffError(f"bisect: {words}")
        ((axis, sizes),) = several.items()
        return axis, sizes

    def again(self, case: Case, words: str, verb: str = "run") -> str:
        """Return the command that runs both sides of a change again, or bisects them."""
        from convdiff.cli.repeat import asked_words, sized

        options = replace(self.options, requires=())
        sizes: list[str] = []
        for option, values in (("--lengths", options.lengths), ("--batch", options.batch)):
            sizes += [] if option in words else sized(option, values)
        file = [] if case.built_in else [case.file]
        command = shlex.join(["convdiff", verb, *file, *sizes, *asked_words(options)])
        return f"{command} {words}"


def asked_of(values: Mapping[str, Any]) -> Asked:
    """Return what the values of OPTIONS, by name, ask for."""
    where = options_of(values_of(WHERE, values))
    return Asked(where, **values_of(OWN, values))
