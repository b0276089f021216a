"""`convdiff --version`; with -v what a report of a bug needs: Python, platform, frameworks."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

from convdiff import __version__


def version_lines(*, verbose: bool) -> Iterator[str]:
    """Yield the version; `verbose`: and this Python's, with what is installed beside it.

    Packages are read, and none is imported.
    """
    yield f"convdiff, version {__version__}"
    if verbose:
        yield f"python       {platform.python_version()} ({sys.executable})"
        yield f"platform     {platform.platform()}"
        yield from _packages()


def _packages() -> Iterator[str]:
    from importlib.metadata import distributions, packages_distributions, version

    from convdiff.runtime.matrix import FRAMEWORKS

    there = dict(packages_distributions())
    if sys.version_info < (3, 11):  # which reads no package's list of files, as NumPy's
        named = {one.metadata["Name"] for one in distributions()}
        there = {**{name: [name] for name in FRAMEWORKS if name in named}, **there}
    for framework in FRAMEWORKS:
        packages = dict.fromkeys(there.get(framework, ()))
        versions = [f"{version(name)} ({name})" for name in packages]
        yield f"{framework:12} {', '.join(versions) or 'not here'}"
