"""What a case shows in each release of a package, in an environment made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convdiff.case.arrays import make_tensors
from convdiff.case.model import Case
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits
from convdiff.runtime.environments import packages_of
from convdiff.runtime.model import Interpreter, Standing
from convdiff.runtime.required import required
from convdiff.runtime.uv import NoEnvironmentError
from convdiff.search.kept import Kept
from convdiff.search.neighbours import Neighbours, neighbours
from convdiff.search.observed import outputs_of
from convdiff.search.states import State, bits_of
from convdiff.search.stepping import Stepping


class Releases:
    """Runs a case in the environment of a release, each once."""

    def __init__(
        self,
        case: Case,
        package: str,
        stepping: Stepping,
        threads: Sequence[int] = (),
        newest: str = "",
    ) -> None:
        """Begin with none. newest: a date, what was released after it is not seen; "" for none."""
        self._case, self._package, self._stepping = case, package, stepping
        self._threads, self._newest = threads, newest
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
        stepping = self._stepping
        with Session(made, stepping.timeout) as session:
            session.start()
            stepping.stopping(session)
            standings = session.availability(self._case)
            self._note(release, standings)
            kept, tensors = Kept.of(stepping.ledger, standings, session), make_tensors(self._case)
            asked = (stepping.by, stepping.ask)

            def state_of(one: str) -> State | None:
                return self._state(one, standings, session)

            state = kept.states("release", self._case, tensors, state_of, asked)(release)
        if state is None:
            self.reasons.setdefault(release, "nothing could be compared")
        return state

    def _interpreters(self, release: str) -> list[Interpreter]:
        say = lambda what: self._stepping.tell(what, 0, 0, None)  # noqa: E731
        return required([f"{self._package}=={release}"], self._threads, self._newest, say)

    def _state(self, release: str, standings: Sequence[Standing], session: Session) -> State | None:
        if self._stepping.by == "bits":
            tensors = make_tensors(self._case)
            there = [standing.runtime for standing in standings if standing.available]
            outputs: list[Array | NoBits] = []
            for runtime in there:
                outputs += outputs_of(self._case, runtime, tensors, session)
            for output in outputs:
                if isinstance(output, NoBits):
                    self.reasons.setdefault(release, output.reason)
            return bits_of(outputs) if there else None
        return self._stepping.shown_by(self._case, session)

    def _note(self, release: str, standings: Sequence[Standing]) -> None:
        """Keep what a release says it is, or why none of it is there."""
        there = [standing for standing in standings if standing.available]
        if there:
            self.fingerprints[release] = there[0].fingerprint
        elif standings:
            self.reasons[release] = standings[0].reason or ""

    def between(self, last: str, first: str) -> Neighbours | None:
        """Run both sides of a change side by side."""
        made = [*self._interpreters(last)[:1], *self._interpreters(first)[:1]]
        return neighbours(self._case, made, "runtime", self._stepping)
