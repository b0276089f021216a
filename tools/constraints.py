"""Writes constraints.txt: what pip would install today for every extra, on each Python given.

    python tools/constraints.py python3.10 python3.11

Nothing is installed: pip resolves in a new environment of each interpreter and reports. A release
that all of them get stands alone; one that differs gets a marker. `make constraints` runs it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = "tensorflow,test,check,coverage"
HEADER = """\
# The versions that everything here is tested with. They constrain, they install nothing:
#   pip install --constraint constraints.txt 'convdiff[tensorflow]'
# `make constraints` writes this file.
"""
VERSION = "import sys; print(*sys.version_info[:2], sep='.')"


def main(interpreters: list[str]) -> None:
    """Resolve on every interpreter, and write what they agree on and where they part."""
    if not interpreters:
        sys.exit("which interpreters? As in: tools/constraints.py python3.10 python3.11")
    resolved = {version_of(python): resolve(python) for python in interpreters}
    text = HEADER + "".join(f"{line}\n" for line in merged(resolved))
    (ROOT / "constraints.txt").write_text(text, "utf-8")


def version_of(python: str) -> tuple[int, ...]:
    """Return an interpreter's version, as in (3, 10)."""
    return tuple(map(int, output(python, "-c", VERSION).split(".")))


def resolve(python: str) -> dict[str, str]:
    """Return the releases that pip chooses, by name; ours is none of them."""
    with tempfile.TemporaryDirectory() as folder:
        output(python, "-m", "venv", folder)
        pip = (str(Path(folder, "bin", "python")), "-m", "pip", "--quiet", "install")
        report = output(*pip, "--dry-run", "--ignore-installed", "--report", "-", f".[{EXTRAS}]")
    packages = [entry["metadata"] for entry in json.loads(report)["install"]]
    return {name(p["name"]): public(p["version"]) for p in packages if p["name"] != "convdiff"}


def output(*command: str) -> str:
    """Run a command in the project; what it prints, or the end of all."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def name(written: str) -> str:
    """Return a package's normalised name."""
    return re.sub(r"[-_.]+", "-", written).lower()


def public(version: str) -> str:
    """Return a version without the label of a local build, as +cpu."""
    return version.split("+", maxsplit=1)[0]


def merged(resolved: Mapping[tuple[int, ...], Mapping[str, str]]) -> list[str]:
    """Return one line a package, or one for each span of Pythons that get the same release."""
    pythons = sorted(resolved)
    names = sorted(set().union(*resolved.values()))
    lines = []
    for package in names:
        releases = [resolved[python].get(package) for python in pythons]
        starts = [n for n in range(len(pythons)) if n == 0 or releases[n] != releases[n - 1]]
        for start, end in zip(starts, [*starts[1:], len(pythons)], strict=True):
            if releases[start] is not None:
                lines.append(f"{package}=={releases[start]}{marker(pythons, start, end)}")
    return lines


def marker(pythons: list[tuple[int, ...]], start: int, end: int) -> str:
    """Return the condition for Pythons `start` to `end`, the last one not included."""
    bounds = []
    if start > 0:
        bounds.append(f'python_version >= "{dotted(pythons[start])}"')
    if end < len(pythons):
        bounds.append(f'python_version < "{dotted(pythons[end])}"')
    return f"; {' and '.join(bounds)}" if bounds else ""


def dotted(version: tuple[int, ...]) -> str:
    """Write a version as packages do."""
    return ".".join(map(str, version))


if __name__ == "__main__":
    main(sys.argv[1:])
