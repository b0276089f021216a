"""The releases of a framework, from the index that pip reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from convdiff.errors import ConvdiffError
from convdiff.runtime.environments import versions_here
from convdiff.runtime.required import framework_of
from convdiff.runtime.uv import NoEnvironmentError
from convdiff.runtime.wheels import newest_first

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


def releases(span: Span) -> Mapping[str, int]:
    """Return the last patch of each minor release in a span that has a wheel here, oldest first.

    With the size of its wheel in bytes, 0 where the index does not say. An end that names a patch
    is one of them; of a span of one or two minor releases all patches are. Pre-releases are none.
    Raises NoEnvironmentError where the index can't be read.
    """
    sizes = newest_first(span.package, set(versions_here().values()))
    held = [size for size in sizes if span.holds(size) and not size.is_prerelease]
    if not held:
        words = f"no release of {span.package} from {span.first} to {span.last} has a wheel"
        raise NoEnvironmentError(f"{words} for a Python that is here")
    return {str(one): sizes[one] for one in _steps(sorted(held), span)}


def _steps(held: Sequence[Version], span: Span) -> list[Version]:
    """Return which of the sorted releases in a span are tried."""
    latest = {version.release[:2]: version for version in held}
    if len(latest) < 3:
        return list(held)
    patches = {one for one in (span.first, span.last) if len(one.release) > 2}
    return sorted({*latest.values(), *(patches & set(held))})
