"""`convdiff bisect`: the release, the setting or the size at which a case changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.ends import Ends
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import MATRIX_OPTIONS, Options, packed
from convdiff.cli.shared import shared
from convdiff.cli.streams import write_err, write_out
from convdiff.errors import DRIFT, ENDED, SAME, SIGNALS, UNTESTED, ConvdiffError

if TYPE_CHECKING:
    from convdiff.case.model import Case
    from convdiff.lab.lab import Tell
    from convdiff.lab.session import Session
    from convdiff.search.history import History
    from convdiff.search.ledger import Ledger

EPILOG = """\b
Example:
  convdiff bisect --requires 'tensorflow==1.0..2.21'
  convdiff bisect --lengths 5 --requires 'tensorflow==1.0..2.21' --scan
  convdiff bisect case.yaml --good-env 'A=1 B=2' --bad-env 'A=0 B=3 C=4'
  convdiff bisect case.yaml --lengths 7..20000 --framework torch
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
GOOD = click.Option(["--good-env"], metavar="'NAME=VALUE …'", help="Variables of one end.")
BAD = click.Option(["--bad-env"], metavar="'NAME=VALUE …'", help="Variables of the other end.")
SCAN = click.Option(["--scan"], is_flag=True, help="Try all of them, to find every change.")
SKIP = click.Option(
    ["--skip"], multiple=True, metavar="RELEASE", help="Pass by a release; may be repeated."
)
FRESH = shared("fresh", "Run every step, whatever is known of earlier runs.")
OWN = (GOOD, BAD, SCAN, SKIP, FRESH)
OPTIONS = (*SHARED, *OWN)


@dataclass(frozen=True)
class Asked:
    """What is bisected."""

    options: Options
    good_env: str | None
    bad_env: str | None
    scan: bool
    skip: tuple[str, ...]
    fresh: bool


def _asked_of(values: Mapping[str, Any]) -> Asked:
    options = Options(**{name: values[name] for name in MATRIX})
    return Asked(options, *(values[option.name] for option in OWN))


Watching: TypeAlias = Callable[["Session"], None]
"""Called with each session that is at work."""


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
    bits are found. Else the sizes of --lengths or --batch are the line, and the bits of the outputs
    that all of them have are compared. Both ends come first; exits 1 where they differ, 0 where
    they agree, and then says what is between them, untried. What an earlier run has tried is known.
    """
    from convdiff.cli.session import load_all

    kinds = {"releases": bool(asked.options.requires), "settings": asked.good_env is not None}
    if asked.bad_env is not None and asked.good_env is None:
        raise ConvdiffError("--bad-env: name the other end, too, with --good-env (it may be '')")
    if all(kinds.values()):
        raise ConvdiffError("--requires and --good-env: one at a time")
    plain = replace(asked.options, requires=())
    (loaded,) = load_all((case,) if case else (), plain)
    ways = {"releases": _releases, "settings": _settings}
    way = next((ways[kind] for kind, is_asked in kinds.items() if is_asked), _sizes)
    from convdiff.cli.progress import progress
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.report.known import known_words
    from convdiff.search.ledger import Ledger

    ends, ledger = Ends(), Ledger(fresh=asked.fresh)
    with progress() as tell, stopped_by_signals(ends.stopping, ends.end):
        lines, code = way(loaded, asked, ledger, ends.watch, tell)
    write_out("".join(f"{line}\n" for line in lines))
    for line in known_words(ledger.known):
        write_err(f"convdiff: {line}")
    if ends.stopping.signal:
        write_err(f"convdiff: {SIGNALS[ends.stopping.signal]}")
        return ENDED + ends.stopping.signal
    return code


def _releases(
    case: Case, asked: Asked, ledger: Ledger, watch: Watching, tell: Tell
) -> tuple[list[str], int]:
    from convdiff.pipeline import Ask
    from convdiff.report.history import of_releases
    from convdiff.search.history import bisect, scan
    from convdiff.search.releases import Releases, Span, releases

    options = asked.options
    if len(options.requires) > 1:
        raise ConvdiffError("--requires: bisect takes one span of releases")
    span = Span.parse(options.requires[0])
    line = [one for one in releases(span) if one not in asked.skip]
    ask = Ask(budget=options.budget, explain_up_to=float("inf"))
    made = Releases(
        case, span.package, options.threads or (), options.timeout, ask, options.exclude_newer, tell
    )
    find = scan if asked.scan else bisect
    history = find(line, lambda release: made.state(release, watch, ledger))
    return list(of_releases(case, span.package, history, made)), _code(history)


def _sizes(
    case: Case, asked: Asked, ledger: Ledger, watch: Watching, tell: Tell
) -> tuple[list[str], int]:
    from convdiff.case.arrays import make_tensors
    from convdiff.lab.session import Session
    from convdiff.report.history import of_sizes
    from convdiff.search.history import bisect, scan
    from convdiff.search.kept import Kept
    from convdiff.search.observed import standing_of
    from convdiff.search.sizes import Sizes

    axes = [
        axis
        for axis, sizes in (("length", case.lengths), ("batch", case.batches))
        if len(sizes) > 1
    ]
    if len(axes) != 1:
        raise ConvdiffError("bisect: name the sizes of one axis, with --lengths or with --batch")
    (interpreter, *others) = asked.options.interpreters()
    if others:
        raise ConvdiffError("bisect: sizes are bisected on one runtime")
    with Session([interpreter], asked.options.timeout) as session:
        session.start()
        watch(session)
        standing = standing_of(case, interpreter, session)
        if isinstance(standing, str):
            raise ConvdiffError(f"{interpreter.framework}: {standing}")
        runtime, tensors = standing.runtime, make_tensors(case)
        sizes = Sizes(case, axes[0], runtime, tensors, session)
        find = scan if asked.scan else bisect
        kept = Kept.of(ledger, [standing], session)
        history = find(sizes.line, kept.states(f"size {axes[0]}", case, tensors, sizes.state))
    return list(of_sizes(case, axes[0], runtime, history, sizes.reasons)), _code(history)


def _settings(
    case: Case, asked: Asked, ledger: Ledger, watch: Watching, tell: Tell
) -> tuple[list[str], int]:
    from convdiff.case.arrays import make_tensors
    from convdiff.report.history import of_settings
    from convdiff.search.observed import bits_in
    from convdiff.search.settings import culprits, parsed
    from convdiff.search.states import State

    good = parsed("--good-env", asked.good_env or "")
    bad = parsed("--bad-env", asked.bad_env or "")
    (interpreter, *others) = asked.options.interpreters()
    if others:
        raise ConvdiffError("bisect: settings are bisected on one runtime")
    tensors, kept = make_tensors(case), {}

    def state(variables: Mapping[str, str]) -> State | None:
        key = tuple(sorted(variables.items()))
        if key not in kept:
            named = " ".join(f"{name}={value}" for name, value in key) or "no variable"
            tell(f"{case.name}: {named}", 0, 0, None)
            there = replace(interpreter, settings=key)
            kept[key] = bits_in(case, there, tensors, asked.options.timeout, watch, ledger)
        return kept[key]

    found = culprits(good, bad, state, 200)
    if found.reason:
        return [f"{case.name}: {found.reason}"], UNTESTED
    return list(of_settings(case, good, bad, found, len(kept))), DRIFT if found.names else SAME


def _code(history: History[Any]) -> int:
    if len(history.states) < 2:
        return UNTESTED
    return DRIFT if history.changes else SAME
