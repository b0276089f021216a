"""What a case shows in each release of a package, in an environment made for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from convdiff.case.arrays import make_tensors
from convdiff.case.model import Case
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.pipeline import Ask, run
from convdiff.plan.cell import NoBits
from convdiff.runtime.environments import packages_of
from convdiff.runtime.model import Interpreter, Standing
from convdiff.runtime.required import required
from convdiff.runtime.uv import NoEnvironmentError
from convdiff.search.kept import Kept
from convdiff.search.ledger import Ledger
from convdiff.search.neighbours import Neighbours, neighbours
from convdiff.search.observed import outputs_of
from convdiff.search.states import By, State, bits_of, shown

Stopping = Callable[[Session], None]


@dataclass(frozen=True)
class Trying:
    """How a case is run in each release."""

    package: str
    threads: Sequence[int]
    timeout: float
    ask: Ask
    newest: str
    """A date: what was released after it is not seen; "" for none."""
    by: By


class Releases:
    """Runs a case in the environment of a release, each once."""

    def __init__(
        self, case: Case, trying: Trying, stopping: Stopping, tell: Tell, ledger: Ledger
    ) -> None:
        """Begin with none. stopping: called with each session, so that a signal ends it."""
        self._case, self._trying = case, trying
        self._stopping, self._tell, self._ledger = stopping, tell, ledger
        self.reasons: dict[str, str] = {}
        """Why releases could not be tried."""
        self.fingerprints: dict[str, Mapping[str, object]] = {}
        self.packages: dict[str, Mapping[str, str]] = {}
        """Of each release's environment, with their versions."""

    def state(self, release: str) -> State | None:
        """Return what the case shows in a release; None where it can't be installed or run."""
        try:
            made = self._interpreters(release)
        except NoEnvironmentError as error:
            self.reasons[release] = str(error)
            return None
        self.packages[release] = packages_of(made[0].python)
        with Session(made, self._trying.timeout) as session:
            session.start()
            self._stopping(session)
            standings = session.availability(self._case)
            self._note(release, standings)
            kept, tensors = Kept.of(self._ledger, standings, session), make_tensors(self._case)
            asked = (self._trying.by, self._trying.ask)

            def state_of(one: str) -> State | None:
                return self._state(one, standings, session)

            state = kept.states("release", self._case, tensors, state_of, asked)(release)
        if state is None:
            self.reasons.setdefault(release, "nothing could be compared")
        return state

    def _interpreters(self, release: str) -> list[Interpreter]:
        trying = self._trying
        say = lambda what: self._tell(what, 0, 0, None)  # noqa: E731
        return required([f"{trying.package}=={release}"], trying.threads, trying.newest, say)

    def _state(self, release: str, standings: Sequence[Standing], session: Session) -> State | None:
        if self._trying.by == "bits":
            tensors = make_tensors(self._case)
            there = [one.runtime for one in standings if one.available]
            each = [outputs_of(self._case, one, tensors, session) for one in there]
            outputs = [one for some in each for one in some]
            for one in outputs:
                if isinstance(one, NoBits):
                    self.reasons.setdefault(release, one.reason)
            return bits_of(outputs) if there else None
        result = run([self._case], session, self._trying.ask, self._tell)
        return shown(result.cases[0]) if result.cases else None

    def _note(self, release: str, standings: Sequence[Standing]) -> None:
        """Keep what a release says it is, or why none of it is there."""
        there = [one for one in standings if one.available]
        if there:
            self.fingerprints[release] = there[0].fingerprint
        elif standings:
            self.reasons[release] = standings[0].reason or ""

    def between(self, last: str, first: str) -> Neighbours | None:
        """Run both sides of a change side by side."""
        made = [one for release in (last, first) for one in self._interpreters(release)[:1]]
        trying = self._trying
        return neighbours(
            self._case, made, "runtime", trying.ask, trying.timeout, self._stopping, self._tell
        )
