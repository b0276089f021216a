"""The releases of a framework, from the index that pip reads, and what a case shows in each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from packaging.version import InvalidVersion, Version

from convdiff.case.arrays import make_tensors
from convdiff.case.model import Case
from convdiff.errors import ConvdiffError
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.pipeline import Ask, run
from convdiff.result import CaseResult
from convdiff.runtime.environments import candidates
from convdiff.runtime.required import framework_of, required
from convdiff.runtime.uv import NoEnvironmentError
from convdiff.search.kept import Kept
from convdiff.search.ledger import PASSING, Ledger, Value
from convdiff.search.states import State, read, shown, told

SPAN = re.compile(r"^([A-Za-z0-9._-]+)==([\w.]+)\.\.([\w.]+)$")


@dataclass(frozen=True)
class Span:
    """Releases of a package between two versions, both ends included."""

    package: str
    first: Version
    last: Version

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read `tensorflow==1.0..2.21`. Raises ConvdiffError."""
        match = SPAN.match(text)
        try:
            if match is None:
                raise InvalidVersion(text)
            span = cls(match[1], Version(match[2]), Version(match[3]))
        except InvalidVersion:
            example = "as in tensorflow==1.0..2.21"
            raise ConvdiffError(
                f"--requires {text}: expected a span of releases, {example}"
            ) from None
        framework_of(span.package)
        if span.first > span.last:
            raise ConvdiffError(f"--requires {text}: the older release comes first")
        return span

    def holds(self, version: Version) -> bool:
        """Return whether a release is in it; an end of two numbers stands for all its patches."""
        last = version.release[: len(self.last.release)]
        return version >= self.first and last <= self.last.release


def releases(span: Span) -> list[str]:
    """Return the last patch of each minor release in a span that has a wheel here, oldest first.

    Raises NoEnvironmentError where the index can't be read.
    """
    versions: set[Version] = set()
    for python in candidates():
        versions |= _versions(span.package, python)
    latest: dict[tuple[int, ...], Version] = {}
    for version in sorted(one for one in versions if span.holds(one)):
        latest[version.release[:2]] = version
    if not latest:
        words = f"no release of {span.package} from {span.first} to {span.last} has a wheel"
        raise NoEnvironmentError(f"{words} for a Python that is here, or the index can't be read")
    return [str(version) for version in latest.values()]


def _versions(package: str, python: str) -> set[Version]:
    """Return the releases that have a wheel for an interpreter, as pip lists them."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    number = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    words = ["index", "versions", package, "--only-binary=:all:"]
    words += ["--python-version", number.stdout.strip()]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False
    )
    _, _, listed = done.stdout.partition("Available versions:")
    texts = [text.strip() for text in listed.splitlines()[0].split(",")] if listed else []
    return {Version(text) for text in texts if text}


class Releases:
    """Runs a case in the environment of a release, each once."""

    def __init__(
        self,
        case: Case,
        package: str,
        threads: Sequence[int],
        timeout: float,
        ask: Ask,
        newest: str,
        tell: Tell,
    ) -> None:
        self._case, self._package, self._threads = case, package, threads
        self._timeout, self._ask, self._newest, self._tell = timeout, ask, newest, tell
        self.reasons: dict[str, str] = {}
        """Why releases could not be tried."""
        self.orders: dict[str, tuple[str, ...]] = {}
        """How the gravest difference that a release shows comes about, side by side."""
        self.fingerprints: dict[str, dict[str, object]] = {}

    def state(
        self, release: str, stopping: Callable[[Session], None], ledger: Ledger
    ) -> State | None:
        """Return what the case shows in a release; None where it can't be installed or run."""
        text = f"{self._package}=={release}"
        try:
            say = lambda what: self._tell(what, 0, 0, None)  # noqa: E731
            made = required([text], self._threads, self._newest, say)
        except NoEnvironmentError as error:
            self.reasons[release] = str(error)
            return None
        with Session(made, self._timeout) as session:
            session.start()
            stopping(session)
            standings = session.availability(self._case)
            for standing in standings:
                self.fingerprints[release] = dict(standing.fingerprint)
                if not standing.fingerprint:
                    self.reasons[release] = standing.reason or ""
            kept, tensors = Kept.of(ledger, standings, session), make_tensors(self._case)
            work = partial(self._shown, session)
            value = kept.step("release", self._case, tensors, [self._ask], work)
        if value is None:
            return None
        self.orders[release] = tuple(value["orders"])
        return read(value)

    def _shown(self, session: Session) -> Value | None:
        """Return what the case shows; None where it was cut short, or nothing was compared."""
        result = run([self._case], session, self._ask, self._tell)
        state = shown(result.cases[0]) if result.cases else None
        if state is None or result.interrupted:
            return None
        return {**told(state), "orders": orders_of(result.cases[0]), PASSING: result.cases[0].died}


def orders_of(result: CaseResult) -> list[str]:
    """Return the orders of both sides of the first drift that is explained."""
    drift = [one for one in result.findings if not one.allowed and one.why is not None]
    told = drift[0].why.told if drift and drift[0].why else ()
    return [f"{order.side}: {order.notation}" for order in told]
