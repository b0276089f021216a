"""Environments made on demand, in the user's cache folder: one for each set of requirements.

Each has a folder named by a digest of what was asked for; it is there once `environment.json` is in
it, so that what was cut short is made again. A lock beside it lets two runs ask at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from packaging.version import Version

from convdiff.errors import ConvdiffError
from convdiff.runtime import uv
from convdiff.runtime.amount import amount
from convdiff.runtime.uv import NoEnvironmentError

CACHE = "CONVDIFF_CACHE"
"""The variable that names another cache folder."""
DESCRIPTION = "environment.json"
UNTOLD = (
    ("tensorflow", "2.12", "protobuf<4"),
    ("tensorflow-cpu", "2.12", "protobuf<4"),
    ("tensorflow", "2.16", "numpy<2"),
    ("tensorflow-cpu", "2.16", "numpy<2"),
    ("torch", "2.3", "numpy<2"),
    ("onnxruntime", "1.19", "numpy<2"),
)
"""Packages which, below a version, need what their wheels do not say: releases that came later
break them."""

NEVER = "; python_version < '0'"
LOOSER = (
    f"tensorboard {NEVER}",
    f"tensorflow-tensorboard {NEVER}",
    f"html5lib {NEVER}",
    f"bleach {NEVER}",
    "termcolor>=1.1; python_version >= '3.7'",
)
"""In place of what packages ask for that nothing here needs, and that has no wheel: TensorFlow 1.5
to 1.12 on Python 3.6 import no termcolor, and none of its wheels is for that Python."""
OVERRIDES = (
    LOOSER,
    (*LOOSER, "gast==0.3.3"),
    (*LOOSER, "wrapt>=1.13,<1.15", f"clang {NEVER}"),
)
"""What is tried in turn: gast 0.2.2, wrapt 1.12 and clang 5 have no wheel."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """One that is there."""

    key: str
    requires: tuple[str, ...]
    python: str
    """Its interpreter."""
    version: str
    """Of Python."""
    packages: tuple[str, ...]
    size: int
    """Bytes on disk."""
    used: float = 0.0
    """When it was last asked for: seconds since the epoch."""

    @property
    def name(self) -> str:
        """What was asked for, in one word."""
        return ",".join(self.requires)


def cache_folder(what: str = "environments") -> Path:
    """Return where something lies: in $CONVDIFF_CACHE, else in the user's cache folder."""
    own = os.environ.get(CACHE)
    if own:
        return Path(own) / what
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "convdiff" / what


def candidates() -> list[str]:
    """Return the interpreters here that an environment may be made of, the newest first."""
    return list(versions_here())


def versions_here() -> Mapping[str, str]:
    """Return the version of each of them, as in 3.10, asked once."""
    return _versions_on(os.environ.get("PATH", ""), Path.home())


@cache
def _versions_on(path: str, home: Path) -> Mapping[str, str]:
    folders = [Path(folder) for folder in path.split(os.pathsep) if folder]
    versions = (home / ".pyenv" / "versions").glob("3.*/bin")
    pythons: dict[tuple[int, int], str] = {sys.version_info[:2]: sys.executable}
    for folder in (*folders, *versions):
        for minor in range(6, 30):
            python = folder / f"python3.{minor}"
            if (3, minor) not in pythons and _answers(python, minor):
                pythons[3, minor] = str(python)
    return {pythons[version]: f"3.{version[1]}" for version in sorted(pythons, reverse=True)}


def _answers(python: Path, minor: int) -> bool:
    """Return whether a program is that Python: a name may be a shim for one that is not there."""
    if not os.access(python, os.X_OK):
        return False
    asked = f"import sys; sys.exit(sys.version_info[:2] != (3, {minor}))"
    done = subprocess.run([str(python), "-c", asked], capture_output=True, check=False)
    return done.returncode == 0


def environments(folder: Path) -> list[Environment]:
    """Return all that are there, the one used last first."""
    kept = (_read(path.parent) for path in folder.glob(f"*/{DESCRIPTION}"))
    return sorted(filter(None, kept), key=lambda one: -one.used)


def _read(folder: Path) -> Environment | None:
    file = folder / DESCRIPTION
    try:
        described = json.loads(file.read_text("utf-8"))
        for name in ("requires", "packages"):
            described[name] = tuple(described[name])
        environment = Environment(**{**described, "used": file.stat().st_mtime})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return environment if os.access(environment.python, os.X_OK) else None


def packages_of(python: str) -> Mapping[str, str]:
    """Return the packages of the environment that an interpreter is of, and their versions."""
    environment = _read(Path(python).parent.parent)
    return _versions_of(environment.packages) if environment else {}


def _versions_of(pins: Sequence[str]) -> Mapping[str, str]:
    """Return the packages of exact requirements, and their versions."""
    versions = {}
    for pin in pins:
        name, _, version = pin.partition(";")[0].strip().partition("==")
        versions[name] = version
    return versions


def key_of(requires: Sequence[str], newest: str = "") -> str:
    """Return the name of the folder of these requirements."""
    text = "\n".join([*sorted(requires), newest])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def made(
    requires: Sequence[str],
    folder: Path,
    pythons: Sequence[str],
    newest: str = "",
    tell: Tell = lambda what: None,
) -> Environment:
    """Return the environment of some requirements, made if it is not there yet.

    pythons: interpreters to make it of; the first that has wheels of everything is taken. Raises
    NoEnvironmentError where there is none.
    """
    key = key_of(requires, newest)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f"{key}.lock"):
        environment = _read(folder / key)
        if environment is None:
            environment = _make(key, requires, folder, pythons, newest, tell)
        os.utime(folder / key / DESCRIPTION)
    return environment


def _make(
    key: str,
    requires: Sequence[str],
    folder: Path,
    pythons: Sequence[str],
    newest: str,
    tell: Tell,
) -> Environment:
    name = ", ".join(requires)
    tell(f"{name}: looking for wheels")
    python, pins = _first_with_wheels(requires, pythons, newest)
    tell(f"{name}: installing {len(pins)} packages, {amount(uv.fetched(pins, python))}")
    home = folder / key
    shutil.rmtree(home, ignore_errors=True)  # what was cut short
    uv.install(home, python, pins)
    inside = home / "bin" / "python"
    version = _version(str(inside))
    size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    environment = Environment(key, tuple(requires), str(inside), version, tuple(pins), size)
    described = asdict(environment)
    del described["used"]
    (home / DESCRIPTION).write_text(json.dumps(described, indent=1), "utf-8")
    return environment


def _first_with_wheels(
    requires: Sequence[str], pythons: Sequence[str], newest: str
) -> tuple[str, list[str]]:
    """Return the first interpreter that has wheels of everything, and what they are."""
    reasons: list[str] = []
    for python, overrides in itertools.product(pythons, OVERRIDES):
        try:
            return python, _complete([*requires, "numpy"], python, newest, overrides)
        except NoEnvironmentError as error:
            reasons.append(str(error))
    words = f"no interpreter here has wheels of {', '.join(requires)}"
    telling = [reason for reason in reasons if "ABI tag" not in reason]
    first, *_ = [*telling, *reasons, "there is none"]
    raise NoEnvironmentError(f"{words}: {first}")


def _complete(
    requires: Sequence[str], python: str, newest: str, overrides: Sequence[str]
) -> list[str]:
    """Return what is to be installed, with what wheels do not say that they need."""
    pins = uv.resolved(requires, python, newest, overrides)
    versions, untold = _versions_of(pins), []
    for package, below, needed in UNTOLD:
        version = versions.get(package)
        if version and Version(version) < Version(below):
            untold.append(needed)
    if not untold:
        return pins
    return uv.resolved([*requires, *untold], python, newest, overrides)


def _version(python: str) -> str:
    asked = "import platform; print(platform.python_version())"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def remove(folder: Path, key: str) -> None:
    """Remove an environment. Raises ConvdiffError for one that is not there."""
    there = folder.iterdir() if folder.is_dir() else ()
    if key not in {one.name for one in there if one.is_dir()}:
        raise ConvdiffError(f"no environment {key!r} in {folder}")
    with _locked(folder / f"{key}.lock"):
        shutil.rmtree(folder / key)
    (folder / f"{key}.lock").unlink(missing_ok=True)


def evict(folder: Path, limit: int) -> list[Environment]:
    """Remove those that were used the longest ago until the rest takes `limit` bytes at most."""
    there = environments(folder)
    gone = []
    while there and sum(one.size for one in there) > limit:
        gone.append(there.pop())
        remove(folder, gone[-1].key)
    return gone


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock that ends with this process, whatever ends it."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def age(used: float) -> float:
    """Return how many days ago something was used."""
    return (time.time() - used) / 86_400
