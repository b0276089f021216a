"""Which of many variables change a case's bits: the fewest that do together."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from convdiff.case.arrays import make_tensors
from convdiff.case.model import Case
from convdiff.errors import ConvdiffError
from convdiff.lab.session import Session
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.search.kept import Kept
from convdiff.search.observed import outputs_of, standing_of
from convdiff.search.reduce import parts, reduce
from convdiff.search.states import By, State, bits_of
from convdiff.search.stepping import Stepping

Variables = Mapping[str, str]


@dataclass(frozen=True)
class Culprits:
    """The fewest variables that make the difference."""

    names: tuple[str, ...]
    """Empty where both environments give the same bits."""
    runs: int
    is_minimal: bool
    is_whole: bool = True
    """With them alone the bits are those of the other end; else others change more."""
    reason: str = ""
    """Why nothing can be said."""


def parsed(option: str, text: str) -> dict[str, str]:
    """Read `A=1 B=2` as a shell would. Raises ConvdiffError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConvdiffError(f"{option} {text}: {error}") from None
    for word in words:
        if not word.partition("=")[0].isidentifier() or "=" not in word:
            raise ConvdiffError(f"{option}: {word!r} is no NAME=VALUE")
    return dict(word.split("=", 1) for word in words)


def culprits(
    good: Variables, bad: Variables, state_of: Callable[[Variables], State | None], most: int
) -> Culprits:
    """Return the fewest variables of `bad` with which `good` does not show what it does alone.

    state_of: what the case shows with some variables; None where it could not be run. Both ends are
    asked first. most: how often it is asked.
    """
    ends = state_of(good), state_of(bad)
    names = frozenset(name for name in {*good, *bad} if good.get(name) != bad.get(name))
    if None in ends:
        return Culprits((), 2, is_minimal=False, reason="one end could not be run")
    if ends[0] == ends[1]:
        return Culprits((), 2, is_minimal=True)

    def shows(some: frozenset[str]) -> bool:
        return state_of(mixed(good, bad, some)) not in (ends[0], None)

    reduction = reduce(names, _fewer, lambda some: some, shows, most - 2)
    is_whole = state_of(mixed(good, bad, reduction.least)) == ends[1]
    least = tuple(sorted(reduction.least))
    return Culprits(least, reduction.tried + 2, reduction.is_minimal, is_whole)


def mixed(good: Variables, bad: Variables, names: frozenset[str]) -> dict[str, str]:
    """Return `good` with some variables as `bad` has them, or has them not."""
    kept = {name: value for name, value in good.items() if name not in names}
    return kept | {name: bad[name] for name in sorted(names) if name in bad}


def _fewer(some: frozenset[str]) -> Iterator[frozenset[str]]:
    ordered = sorted(some)
    for kept in parts(len(ordered)):
        yield frozenset(ordered[i] for i in kept)


class Environments:
    """Runs a case in one environment of variables after the other, in each once."""

    def __init__(self, case: Case, interpreter: Interpreter, stepping: Stepping) -> None:
        """Begin with none."""
        self._case, self._interpreter, self._stepping = case, interpreter, stepping
        self._tensors = make_tensors(case)
        self.states: dict[tuple[tuple[str, str], ...], State | None] = {}
        self.reasons: dict[str, None] = {}
        """Why environments could not be run, each once."""

    def state(self, variables: Variables) -> State | None:
        """Return what the case shows with some variables; None where it could not be run."""
        key = tuple(sorted(variables.items()))
        if key not in self.states:
            named = " ".join(f"{name}={value}" for name, value in key) or "no variable"
            self._stepping.tell(f"{self._case.name}: {named}", 0, 0, None)
            self.states[key] = self._shown(replace(self._interpreter, settings=key))
        return self.states[key]

    def _shown(self, there: Interpreter) -> State | None:
        """Return a state in a process of its own, which says what it is before it runs."""
        case, stepping = self._case, self._stepping
        with Session([there], stepping.timeout) as session:
            session.start()
            stepping.stopping(session)
            standing = standing_of(case, there, session)
            if isinstance(standing, str):
                self.reasons[standing] = None
                return None
            runtime, kept = standing.runtime, Kept.of(stepping.ledger, [standing], session)

            def state(by: By) -> State | None:
                if by == "bits":
                    outputs = outputs_of(case, runtime, self._tensors, session)
                    reasons = [output.reason for output in outputs if isinstance(output, NoBits)]
                    self.reasons |= dict.fromkeys(reasons[:1])
                    return bits_of(outputs)
                return stepping.shown_by(case, session)

            asked = [stepping.ask]
            return kept.states("settings", case, self._tensors, state, asked)(stepping.by)
