"""The environment of a named runtime that requires a release which convdiff's own has not.

Nothing is installed unless the person's own pyproject.toml asks for it so, and names no `python`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from convdiff.runtime.environments import Tell, cache_folder, made, versions_here
from convdiff.runtime.pyproject import NamedRuntime
from convdiff.runtime.required import COMPANIONS, FRAMEWORKS
from convdiff.runtime.uv import NoEnvironmentError


def with_environment(one: NamedRuntime, tell: Tell) -> NamedRuntime:
    """Return a named runtime with the interpreter of an environment made for what it requires.

    As it is where it names a `python`, where its requirements are of no package of its framework,
    and where convdiff's own environment meets them. Where none can be made it is left to say what
    it lacks, after a line that says why.
    """
    asked = [text for text in one.requires if canonicalize_name(_name(text)) != "python"]
    if not _needs_its_own(one, asked):
        return one
    pythons = SpecifierSet(",".join(_specifier(text) for text in one.requires if text not in asked))
    fitting = [path for path, number in versions_here().items() if pythons.contains(number)]
    try:
        asked += COMPANIONS.get(one.framework, ())
        environment = made(asked, cache_folder(), fitting, tell=tell)
    except NoEnvironmentError as error:
        tell(f"{one.name}: {error}")
        return one
    return replace(one, python=environment.python)


def _needs_its_own(one: NamedRuntime, asked: Sequence[str]) -> bool:
    """Return whether a release of its framework is asked for that convdiff's own is not."""
    own = any(_is_of(text, one.framework) for text in asked)
    return one.python is None and own and not all(map(_is_met, asked))


def _name(text: str) -> str:
    return Requirement(text).name


def _specifier(text: str) -> str:
    return str(Requirement(text).specifier)


def _is_of(text: str, framework: str) -> bool:
    return FRAMEWORKS.get(canonicalize_name(_name(text))) == framework


def _is_met(text: str) -> bool:
    """Return whether convdiff's own environment has a package as it is required."""
    wanted = Requirement(text)
    return any(wanted.specifier.contains(one, prereleases=True) for one in _versions(wanted.name))


def _versions(package: str) -> Sequence[str]:
    """Return the versions here of a package, and of those that bring the same framework."""
    name = canonicalize_name(package)
    framework = FRAMEWORKS.get(name)
    siblings = [other for other, brings in FRAMEWORKS.items() if framework and brings == framework]
    versions = []
    for one in siblings or [name]:
        try:
            versions.append(version(one))
        except PackageNotFoundError:
            continue
    return versions
