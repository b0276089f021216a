"""`convdiff bisect`: the release, the setting or the size at which a case changes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import MATRIX_OPTIONS, Options, packed
from convdiff.cli.shared import shared
from convdiff.cli.stopper import Stopper
from convdiff.cli.streams import write_err, write_out
from convdiff.cli.types import RANGE, Choice
from convdiff.errors import DRIFT, ENDED, SAME, SIGNALS, UNTESTED, ConvdiffError

if TYPE_CHECKING:
    from convdiff.case.model import Case
    from convdiff.lab.lab import Tell
    from convdiff.lab.session import Session
    from convdiff.pipeline import Ask
    from convdiff.runtime.model import Interpreter, Runtime
    from convdiff.search.ends import Ends
    from convdiff.search.history import History
    from convdiff.search.kept import Kept
    from convdiff.search.ledger import Ledger
    from convdiff.search.shape import SizeAxis
    from convdiff.search.sizes import Sizes
    from convdiff.search.states import By, State

T = TypeVar("T", int, str)

EPILOG = """\b
Example:
  convdiff bisect --requires 'tensorflow==1.0..2.21'
  convdiff bisect --lengths 5,9 --requires 'tensorflow==1.0..2.21' --scan
  convdiff bisect case.yaml --good-env 'A=1 B=2' --bad-env 'A=0 B=3 C=4'
  convdiff bisect case.yaml --lengths 7..20000 --framework torch
  convdiff bisect --requires 'tensorflow==1.0..2.21' --find-fix
"""
MATRIX = (
    "lengths",
    "batch",
    "threads",
    "device",
    "framework",
    "kernel",
    "runtime",
    "python",
    "requires",
    "exclude_newer",
    "budget",
    "timeout",
)
"""The options of `run` that say what is run."""
SHARED = tuple(option for option in MATRIX_OPTIONS if option.name in MATRIX)
GOOD_ENV = click.Option(["--good-env"], metavar="'NAME=VALUE …'", help="Variables of one end.")
BAD_ENV = click.Option(["--bad-env"], metavar="'NAME=VALUE …'", help="Variables of the other end.")
CHANNELS = click.Option(
    ["--channels"], type=RANGE, help="Input channels: 2..512; those above the first are zeros."
)
BY = click.Option(
    ["--by"],
    type=Choice(["bits", "verdict"]),
    help="What must be the same: all bits, or the verdicts of drift and their causes."
    "  [default: verdict of releases, else bits]",
)
GOOD = click.Option(["--good"], metavar="VALUE", help="The release or size that is good.")
BAD = click.Option(["--bad"], metavar="VALUE", help="The release or size that is bad.")
FIX = click.Option(["--find-fix"], is_flag=True, help="The older end, or the smaller, is bad.")
SCAN = click.Option(["--scan"], is_flag=True, help="Try all of them, to find every change.")
SKIP = click.Option(
    ["--skip"], multiple=True, metavar="VALUE", help="Pass by a release or size; may be repeated."
)
FRESH = shared("fresh", "Run every step, whatever is known of earlier runs.")
OWN = (CHANNELS, BY, GOOD, BAD, FIX, GOOD_ENV, BAD_ENV, SCAN, SKIP, FRESH)
OPTIONS = (*SHARED, *OWN)


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

    @cached_property
    def ledger(self) -> Ledger:
        """What is known of earlier runs, and what this one adds to it."""
        from convdiff.search.ledger import Ledger

        return Ledger(fresh=self.fresh)

    @property
    def ends(self) -> Ends[Any]:
        """What is said of both ends."""
        from convdiff.search.ends import Ends

        return Ends(self.good, self.bad, self.find_fix)

    def history(self, line: Sequence[T], state_of: Callable[[T], State | None]) -> History[T]:
        """Find where a line changes, as it is asked."""
        from convdiff.search.ends import chosen
        from convdiff.search.history import bisect, scan

        passed = {chosen(line, text, "--skip") for text in self.skip}
        asked = lambda one: None if one in passed else state_of(one)  # noqa: E731
        if self.scan:
            return scan(line, asked)
        return bisect(line, asked, from_last=self.find_fix)


def _asked_of(values: Mapping[str, Any]) -> Asked:
    options = Options(**{name: values[name] for name in MATRIX})
    return Asked(options, **{str(one.name): values[str(one.name)] for one in OWN})


Watching: TypeAlias = Callable[["Session"], None]
"""Called with each session that is at work."""
Answer: TypeAlias = tuple[list[str], int]
"""The report's lines, and the exit code."""
Way: TypeAlias = Callable[["Case", Asked, Watching, "Tell"], Answer]


@click.command("bisect", cls=Grouped, params=[*OPTIONS], epilog=EPILOG)
@click.argument(
    "case", required=False, type=click.Path(path_type=Path), shell_complete=files(*CASES)
)
@packed("asked", OPTIONS, _asked_of)
def command(case: Path | None, asked: Asked) -> int:
    """Find where CASE changes: between two releases, two environments, or two sizes.

    With --requires 'PACKAGE==FIRST..LAST' the last patch of each minor release is a step, installed
    when it is asked; what is compared is what the case shows there: the verdicts along its own axes
    and their proved causes. With --good-env and --bad-env the fewest variables that change the
    bits are found. Else the sizes of --lengths, --batch or --channels are the line, and the bits of
    the outputs that all of them have are compared; where they change at a product of sizes, other
    shapes confirm it. Both ends come first; exits 1 where they differ, 0 where they agree, and then
    says what is between them, untried; 125 where they are not what --good and --bad say. What an
    earlier run has tried is known.
    """
    from convdiff.cli.session import load_all

    way = _way(asked)
    _refuse_model(case)
    plain = replace(asked.options, requires=())
    (loaded,) = load_all((case,) if case else (), plain)
    from convdiff.cli.progress import progress
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.report.known import known_words

    ends = Stopper()
    with progress() as tell, stopped_by_signals(ends.stopping, ends.end):
        lines, code = way(loaded, asked, ends.watch, tell)
    write_out("".join(f"{line}\n" for line in lines))
    for line in known_words(asked.ledger.known):
        write_err(f"convdiff: {line}")
    if ends.stopping.signal:
        write_err(f"convdiff: {SIGNALS[ends.stopping.signal]}")
        return ENDED + ends.stopping.signal
    return code


def _refuse_model(case: Path | None) -> None:
    """Raise ConvdiffError for a model file, with how one of its layers becomes a case."""
    from convdiff.cli.trace_model import is_model

    if case is not None and is_model(case):
        how = f"convdiff extract {case} --layer NAME -o case.yaml writes a case of one layer"
        raise ConvdiffError(
            f"{case}: a model, and bisect runs one convolution; {how} (convdiff inspect {case} "
            "lists them)"
        )


def _way(asked: Asked) -> Way:
    """Return what is bisected: releases, settings, or sizes. Raises ConvdiffError for two."""
    if asked.bad_env is not None and asked.good_env is None:
        raise ConvdiffError("--bad-env: name the other end, too, with --good-env (it may be '')")
    if asked.options.requires and asked.good_env is not None:
        raise ConvdiffError("--requires and --good-env: one at a time")
    if asked.good_env is not None and (asked.good or asked.bad or asked.scan or asked.skip):
        raise ConvdiffError("--good-env: --good, --bad, --scan and --skip are of releases or sizes")
    if asked.options.requires:
        return _releases
    return _settings if asked.good_env is not None else _sizes


def _releases(case: Case, asked: Asked, watch: Watching, tell: Tell) -> Answer:
    from convdiff.report.history import besides, of_releases
    from convdiff.report.neighbours import difference_lines
    from convdiff.search.releases import Span, releases
    from convdiff.search.tried import Releases, Trying

    options = asked.options
    if len(options.requires) > 1:
        raise ConvdiffError("--requires: bisect takes one span of releases")
    span = Span.parse(options.requires[0])
    sizes = releases(span)
    line = asked.ends.cut(list(sizes))
    _announce(span.package, {one: sizes[one] for one in line}, asked)
    trying = Trying(
        span.package,
        options.threads or (),
        options.timeout,
        _ask(options),
        options.exclude_newer,
        asked.by or "verdict",
    )
    tried = Releases(case, trying, watch, tell, asked.ledger)
    history = asked.history(line, tried.state)
    lines = list(of_releases(case, span.package, history, tried, asked.ends))
    for change in history.changes:
        names = (change.last, change.first)
        found = tried.between(*names)
        requires = [f"--requires {span.package}=={name}" for name in names]
        if found is not None:
            lines += difference_lines(found, names, _again(case, asked, " ".join(requires)))
        lines += besides(tried, *names)
    return _checked(lines, history, asked, case)


def _announce(package: str, sizes: Mapping[str, int], asked: Asked) -> None:
    """Say what is to be installed before it is."""
    from convdiff.runtime.amount import amount_of_releases
    from convdiff.runtime.required import is_made
    from convdiff.search.history import most_asked

    newest = asked.options.exclude_newer
    absent = [size for name, size in sizes.items() if not is_made(f"{package}=={name}", newest)]
    most = len(sizes) if asked.scan else most_asked(len(sizes))
    if absent:
        write_err(f"convdiff: {amount_of_releases(package, absent, most)}")


def _ask(options: Options) -> Ask:
    from convdiff.pipeline import Ask

    return Ask(budget=options.budget, explain_up_to=float("inf"))


def _checked(lines: list[str], history: History[Any], asked: Asked, case: Case) -> Answer:
    """Return an answer, unless the ends are not what is said of them."""
    from convdiff.search.ends import contradiction
    from convdiff.search.states import state_in_words

    against = contradiction(asked.ends, history, state_in_words)
    if against:
        return [f"{case.name}: {against}"], UNTESTED
    return lines, _code(history)


def _again(case: Case, asked: Asked, words: str, verb: str = "run") -> str:
    """Return the command that runs both sides of a change again, or bisects them."""
    from convdiff.case.ranges import write_range
    from convdiff.cli.repeat import asked_words

    options = replace(asked.options, requires=())
    sizes = []
    for option, values in (("--lengths", options.lengths), ("--batch", options.batch)):
        if values and option not in words:
            sizes += [option, write_range(values).replace(" ", "")]
    file = [] if case.built_in else [case.file]
    return " ".join([shlex.join(["convdiff", verb, *file, *sizes, *asked_words(options)]), words])


def _sizes(case: Case, asked: Asked, watch: Watching, tell: Tell) -> Answer:
    from convdiff.lab.session import Session
    from convdiff.report.history import of_sizes, skipped
    from convdiff.search.kept import Kept
    from convdiff.search.observed import standing_of
    from convdiff.search.sizes import Sizes

    axis, values = _axis(case, asked)
    line = asked.ends.cut(values)
    interpreter = _only(asked.options, "sizes")
    sizes = Sizes(case, axis, line)
    with Session([interpreter], asked.options.timeout) as session:
        session.start()
        watch(session)
        standing = standing_of(case, interpreter, session)
        if isinstance(standing, str):
            raise ConvdiffError(f"{interpreter.framework}: {standing}")
        runtime, kept = standing.runtime, Kept.of(asked.ledger, [standing], session)
        if asked.by == "verdict":
            state_of = sizes.verdicts_in(kept, _ask(asked.options), tell)
        else:
            state_of = sizes.bits_on(runtime, kept)
        history = asked.history(line, state_of)
        lines = list(of_sizes(case, axis, runtime, history, asked.ends))
        lines += skipped(sizes.reasons)
        if history.changes and history.changes[0].is_exact:
            lines += _about(sizes, history, asked, kept, runtime, tell)
    return _checked(lines, history, asked, case)


def _only(options: Options, what: str) -> Interpreter:
    """Return the one that is asked for. Raises ConvdiffError for several, of devices as well."""
    (interpreter, *others) = options.interpreters()
    if others or len(options.device or ()) > 1:
        raise ConvdiffError(f"bisect: {what} are bisected on one runtime")
    return interpreter


def _axis(case: Case, asked: Asked) -> tuple[SizeAxis, tuple[int, ...]]:
    """Return which sizes are bisected, and what they are. Raises ConvdiffError for none, or two."""
    options = asked.options
    given: dict[SizeAxis, tuple[int, ...] | None] = {
        "length": options.lengths,
        "batch": options.batch,
        "channels": asked.channels,
    }
    named = {axis: sizes for axis, sizes in given.items() if sizes and len(sizes) > 1}
    own: dict[SizeAxis, tuple[int, ...]] = {"length": case.lengths, "batch": case.batches}
    several = named or {axis: sizes for axis, sizes in own.items() if len(sizes) > 1}
    if len(several) != 1:
        words = "name the sizes of one axis, with --lengths, --batch or --channels"
        raise ConvdiffError(f"bisect: {words}")
    ((axis, sizes),) = several.items()
    return axis, sizes


def _about(
    sizes: Sizes,
    history: History[int],
    asked: Asked,
    kept: Kept,
    runtime: Runtime,
    tell: Tell,
) -> list[str]:
    """Return how both sides of a change differ, and whether it is at a product of sizes."""
    from convdiff.report.neighbours import difference_lines
    from convdiff.report.product import product_lines
    from convdiff.search.neighbours import in_session
    from convdiff.search.product import product_of
    from convdiff.search.sizes import switch_on

    change = history.changes[0]
    lines: list[str] = []
    pair = sizes.pair(change)
    if pair is not None:
        found = in_session(pair[0], kept.session, pair[1], _ask(asked.options), tell)
        option = {"length": "--lengths", "batch": "--batch"}[sizes.axis]
        again = _again(sizes.case, asked, f"{option} {change.last},{change.first}")
        names = (f"{sizes.axis} {change.last}", f"{sizes.axis} {change.first}")
        lines += difference_lines(found, names, again) if found else []
    if asked.by != "verdict" and history.is_monotone and sizes.case.added is None:
        switch = switch_on(sizes.case, sizes.axis, runtime, kept)
        lines += product_lines(product_of(sizes.largest, sizes.axis, change, switch))
    return lines


def _settings(case: Case, asked: Asked, watch: Watching, tell: Tell) -> Answer:
    from convdiff.report.history import of_settings
    from convdiff.report.neighbours import difference_lines
    from convdiff.search.neighbours import neighbours
    from convdiff.search.settings import Environments, culprits, mixed, parsed

    good = parsed("--good-env", asked.good_env or "")
    bad = parsed("--bad-env", asked.bad_env or "")
    interpreter = _only(asked.options, "settings")
    timeout, ask, by = asked.options.timeout, _ask(asked.options), asked.by or "bits"
    tried = Environments(case, interpreter, by, timeout, ask, watch, tell, asked.ledger)
    found = culprits(good, bad, tried.state, 200)
    if found.reason:
        return [f"{case.name}: {': '.join([found.reason, *tried.reasons])}"], UNTESTED
    lines = list(of_settings(case, (good, bad), found, len(tried.states), by))
    if not found.names:
        return lines, SAME
    changed = mixed(good, bad, frozenset(found.names))
    sides = [replace(interpreter, settings=tuple(sorted(one.items()))) for one in (good, changed)]
    both = neighbours(case, sides, "runtime", ask, timeout, watch, tell)
    if both is not None:
        words = f"--good-env {_written(good)} --bad-env {_written(changed)}"
        lines += difference_lines(both, ("before", "after"), _again(case, asked, words, "bisect"))
    return lines, DRIFT


def _written(variables: Mapping[str, str]) -> str:
    return shlex.quote(shlex.join(f"{name}={value}" for name, value in variables.items()))


def _code(history: History[Any]) -> int:
    if len(history.states) < 2:
        return UNTESTED
    return DRIFT if history.changes else SAME
