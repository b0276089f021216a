"""What `convdiff bisect` looks along: releases, environments, or sizes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from convdiff.case.model import Case
from convdiff.cli.bisect_options import Asked
from convdiff.cli.streams import write_err
from convdiff.errors import DRIFT, SAME, UNTESTED, ConvdiffError
from convdiff.lab.session import Session
from convdiff.report.history import besides, of_releases, of_settings, of_sizes, skipped
from convdiff.report.neighbours import difference_lines
from convdiff.report.product import product_lines
from convdiff.runtime.amount import amount_of_releases
from convdiff.runtime.model import Runtime
from convdiff.runtime.required import is_made
from convdiff.search.ends import contradiction
from convdiff.search.history import History, most_asked
from convdiff.search.kept import Kept
from convdiff.search.neighbours import in_session, neighbours
from convdiff.search.observed import standing_of
from convdiff.search.product import product_of
from convdiff.search.releases import Span, releases
from convdiff.search.settings import Environments, culprits, mixed, parsed
from convdiff.search.sizes import Sizes, switch_on
from convdiff.search.states import state_in_words
from convdiff.search.stepping import Stepping
from convdiff.search.tried import Releases

Answer: TypeAlias = tuple[list[str], int]
"""The report's lines, and the exit code."""
MOST_SETTINGS = 200
"""So many environments are tried at most."""


def search(case: Case, asked: Asked, stepping: Stepping) -> Answer:
    """Bisect what is asked for."""
    if asked.options.requires:
        return _releases(case, asked, stepping)
    if asked.good_env is not None:
        return _settings(case, asked, stepping)
    return _sizes(case, asked, stepping)


def _releases(case: Case, asked: Asked, stepping: Stepping) -> Answer:
    options = asked.options
    if len(options.requires) > 1:
        raise ConvdiffError("--requires: bisect takes one span of releases")
    span = Span.parse(options.requires[0])
    sizes = releases(span)
    line = asked.ends.cut(list(sizes))
    _announce(span.package, {release: sizes[release] for release in line}, asked)
    tried = Releases(case, span.package, stepping, options.threads or (), options.exclude_newer)
    history = asked.history(line, tried.state)
    lines = list(of_releases(case, span.package, history, tried, asked.ends))
    for change in history.changes:
        names = (change.last, change.first)
        both = tried.between(*names)
        requires = [f"--requires {span.package}=={name}" for name in names]
        if both is not None:
            lines += difference_lines(both, names, asked.again(case, " ".join(requires)))
        lines += besides(tried, *names)
    return _checked(lines, history, asked, case)


def _announce(package: str, sizes: Mapping[str, int], asked: Asked) -> None:
    """Say what is to be installed before it is."""
    newest = asked.options.exclude_newer
    absent = [size for name, size in sizes.items() if not is_made(f"{package}=={name}", newest)]
    most = len(sizes) if asked.scan else most_asked(len(sizes))
    if absent:
        write_err(f"convdiff: {amount_of_releases(package, absent, most)}")


def _checked(lines: list[str], history: History[Any], asked: Asked, case: Case) -> Answer:
    """Return an answer, unless the ends are not what is said of them."""
    against = contradiction(asked.ends, history, state_in_words)
    if against:
        return [f"{case.name}: {against}"], UNTESTED
    return lines, _code(history)


def _code(history: History[Any]) -> int:
    if len(history.states) < 2:
        return UNTESTED
    return DRIFT if history.changes else SAME


def _sizes(case: Case, asked: Asked, stepping: Stepping) -> Answer:
    axis, values = asked.axis(case)
    line = asked.ends.cut(values)
    interpreter = asked.interpreter("sizes")
    sizes = Sizes(case, axis, line)
    with Session([interpreter], stepping.timeout) as session:
        session.start()
        stepping.stopping(session)
        standing = standing_of(case, interpreter, session)
        if isinstance(standing, str):
            raise ConvdiffError(f"{interpreter.framework}: {standing}")
        runtime, kept = standing.runtime, Kept.of(stepping.ledger, [standing], session)
        if stepping.by == "verdict":
            state_of = sizes.verdicts_in(kept, stepping.ask, stepping.tell)
        else:
            state_of = sizes.bits_on(runtime, kept)
        history = asked.history(line, state_of)
        lines = list(of_sizes(case, axis, runtime, history, asked.ends))
        lines += skipped(sizes.reasons)
        if history.changes and history.changes[0].is_exact:
            lines += _both_sides(sizes, history, asked, kept, stepping)
            lines += _at_product(sizes, history, runtime, kept) if stepping.by == "bits" else []
    return _checked(lines, history, asked, case)


def _both_sides(
    sizes: Sizes, history: History[int], asked: Asked, kept: Kept, stepping: Stepping
) -> list[str]:
    """Return how both sides of the first change differ; of channels nothing."""
    change = history.changes[0]
    pair = sizes.pair(change)
    if pair is None:
        return []
    case, axis = pair
    both = in_session(case, kept.session, axis, stepping.ask, stepping.tell)
    option = {"length": "--lengths", "batch": "--batch"}[sizes.axis]
    again = asked.again(sizes.case, f"{option} {change.last},{change.first}")
    names = (f"{sizes.axis} {change.last}", f"{sizes.axis} {change.first}")
    return list(difference_lines(both, names, again)) if both else []


def _at_product(sizes: Sizes, history: History[int], runtime: Runtime, kept: Kept) -> list[str]:
    """Return whether the one change is at a product of sizes; nothing where it was ended."""
    if not history.is_monotone or sizes.case.added is not None:
        return []
    switch = switch_on(sizes.case, sizes.axis, runtime, kept)
    product = product_of(sizes.largest, sizes.axis, history.changes[0], switch)
    return [] if kept.session.signal else list(product_lines(product))


def _settings(case: Case, asked: Asked, stepping: Stepping) -> Answer:
    good = parsed("--good-env", asked.good_env or "")
    bad = parsed("--bad-env", asked.bad_env or "")
    interpreter = asked.interpreter("settings")
    tried = Environments(case, interpreter, stepping)
    fewest = culprits(good, bad, tried.state, MOST_SETTINGS)
    if fewest.reason:
        return [f"{case.name}: {': '.join([fewest.reason, *tried.reasons])}"], UNTESTED
    lines = list(of_settings(case, (good, bad), fewest, len(tried.states), stepping.by))
    if not fewest.names:
        return lines, SAME
    changed = mixed(good, bad, frozenset(fewest.names))
    sides = [replace(interpreter, settings=tuple(sorted(one.items()))) for one in (good, changed)]
    both = neighbours(case, sides, "runtime", stepping)
    if both is not None:
        words = f"--good-env {_written(good)} --bad-env {_written(changed)}"
        again = asked.again(case, words, "bisect")
        lines += difference_lines(both, ("before", "after"), again)
    return lines, DRIFT


def _written(variables: Mapping[str, str]) -> str:
    return shlex.quote(shlex.join(f"{name}={value}" for name, value in variables.items()))
