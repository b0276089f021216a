"""uv, which makes environments: found, told where packages come from, and asked.

uv reads neither pip's configuration nor `PIP_*` (https://docs.astral.sh/uv/pip/compatibility/), so
what pip is told is handed on; else a plain `torch` comes from another index than the user's.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from convdiff.errors import UNTESTED, ConvdiffError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BRIDGED = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "no-index": "UV_NO_INDEX",
}
"""What pip is told, and the variable that tells uv the same."""
TIMEOUT = 1800.0
"""Seconds that an install may take."""


class NoEnvironmentError(ConvdiffError):
    """An environment that can't be made here: nothing was tested."""

    exit_code = UNTESTED


def find_uv() -> str:
    """Return uv's binary: beside this Python, or on the PATH. Raises NoEnvironmentError."""
    beside = Path(sys.executable).parent / "uv"
    binary = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if binary is None:
        raise NoEnvironmentError(
            "--requires: uv makes environments, and is not here: pip install uv"
        )
    return binary


@cache
def environment() -> Mapping[str, str]:
    """Return the variables that uv is run with: this process's, and what pip is told.

    uv's own variables count before pip's. No Python is downloaded.
    """
    settings = _told_to_pip()
    bridged = {BRIDGED[name]: value for name, value in settings.items() if name in BRIDGED}
    fixed = {"UV_PYTHON_DOWNLOADS": "never", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    return {**bridged, **fixed, **os.environ, "UV_NO_PROGRESS": "1", "UV_NO_CONFIG": "1"}


def _told_to_pip() -> Mapping[str, str]:
    """Return pip's settings of this Python; what stands later in its own list counts more."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sections = ("global.", "install.", ":env:.")
    rows = [line.partition("=") for line in done.stdout.splitlines()]
    settings: dict[str, str] = {}
    for section in sections:
        for key, _, value in rows:
            if key.startswith(section):
                settings[key.removeprefix(section)] = str(ast.literal_eval(value))
    return settings


def resolved(
    requires: Sequence[str], python: str, newest: str = "", overrides: Sequence[str] = ()
) -> list[str]:
    """Return what an interpreter would get: exact requirements, wheels only.

    newest: a date, YYYY-MM-DD; what was uploaded after it is not seen. overrides: requirements in
    place of those that packages have themselves. Raises NoEnvironmentError with uv's own words.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{line}\n" for line in overrides))
        file.flush()
        return _resolved(requires, python, newest, file.name)


def _resolved(requires: Sequence[str], python: str, newest: str, overrides: str) -> list[str]:
    words = ["pip", "compile", "-", "--python", python, "--only-binary", ":all:"]
    words += ["--no-header", "--no-annotate", "--quiet", "--overrides", overrides]
    if newest:
        words += ["--exclude-newer", newest]
    text = _asked(words, "\n".join(requires) + "\n")
    return [line.strip() for line in text.splitlines() if line.strip()]


def fetched(pins: Sequence[str], python: str) -> int | None:
    """Return how many bytes of wheels exact requirements are, of those that lie on no disk here.

    None where an index does not say, or an older uv.
    """
    words = ["pip", "compile", "-", "--no-deps", "--python", python, "--only-binary", ":all:"]
    try:
        text = _asked([*words, "--quiet", "--format", "pylock.toml"], "\n".join(pins) + "\n")
    except NoEnvironmentError:  # an older uv writes no such file
        return None
    packages = tomllib.loads(text).get("packages", [])
    sizes = []
    for package in packages:
        for wheel in package.get("wheels", [])[:1]:
            if not str(wheel.get("url", "file:")).startswith("file:"):
                sizes.append(wheel.get("size"))
    return None if None in sizes else sum(sizes)


def install(folder: Path, python: str, pins: Sequence[str]) -> None:
    """Make an environment in a folder that is not there yet. Raises NoEnvironmentError."""
    _asked(["venv", "--quiet", "--python", python, "--no-project", str(folder)])
    words = ["pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
    _asked([*words, "--no-deps", "--only-binary", ":all:", "-r", "-"], "\n".join(pins) + "\n")


def _asked(words: Sequence[str], text: str = "") -> str:
    """Return what uv prints. Raises NoEnvironmentError where it fails."""
    try:
        done = subprocess.run(
            [find_uv(), *words],
            input=text,
            env=dict(environment()),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise NoEnvironmentError(f"uv {words[0]}: no answer for {TIMEOUT:g} s") from None
    if done.returncode:
        raise NoEnvironmentError(_reason(done.stderr))
    return done.stdout


def _reason(output: str) -> str:
    """Return why uv failed, in one line: the cause that it names, or its first words."""
    lines = [re.sub(r"^\W+", "", line).strip() for line in output.splitlines()]
    causes = [line.partition(":")[2].strip() for line in lines if line.startswith("cause:")]
    first = next((line for line in lines if line), "uv failed")
    if any("error sending request" in line or "dns error" in line for line in lines):
        return f"the package index can't be reached: {first.removeprefix('error: ')}"
    return causes[0] if causes else first.removeprefix("error: ")
