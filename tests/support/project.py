"""A project of somebody's, and pytest run in it as its developers do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from program import Ran, environment

PLUGIN = "convdiff.testing.pytest_plugin"
OK = """
filter: [1.5, -0.25]
input: {normal: 1, seed: 3}
lengths: [4, 6]
"""
DRIFT = """
name: fused
filter: [-0.7313, -1.1043, 1.8492, 1.3007, -0.1033]
bias: [0.0401]
input: {ramp: 10.0}
lengths: [7, 8]
expect: {length: bitwise, reference: bitwise}
"""
"""conv2d fuses multiply and add where multiply + reduce_sum can't."""
GPU = "name: on a gpu\ndevices: ['gpu:99']" + OK
"""Nobody has so many."""
ZERO = "filter: [0, 0]\ninput: {ramp: 1}\nlengths: [3, 4]\n"


@dataclass(frozen=True)
class Project:
    """A folder of files."""

    folder: Path

    def write(self, **files: str) -> None:
        """Write files, named without their suffix; `tests_py` is tests.py."""
        for name, text in files.items():
            stem, suffix = name.rsplit("_", 1)
            path = self.folder / f"{stem.replace('__', '/')}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")

    def command(self, *arguments: object) -> list[str]:
        """Return the command that runs pytest with the plugin, once, and none that is installed."""
        return [sys.executable, "-m", "pytest", "-p", PLUGIN, *map(str, arguments)]

    def pytest(self, *arguments: object, env: Mapping[str, str] | None = None) -> Ran:
        """Run pytest to its end."""
        return run(self.command(*arguments), self.folder, env or {})


def run(command: list[str], folder: Path, env: Mapping[str, str]) -> Ran:
    """Run a command in a folder, without what the outer pytest has put into the environment."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean(env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=180,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def clean(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which only the plugins that are named are loaded."""
    kept = {k: v for k, v in environment().items() if not k.startswith("PYTEST_")}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env}


def outcomes(ran: Ran) -> dict[str, int]:
    """Return the counts of pytest's last line, as in {'passed': 2}."""
    last = ran.out.strip().splitlines()[-1]
    return {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", last.split(" in ")[0])}


def section(ran: Ran, name: str) -> list[str]:
    """Return the lines of one failure."""
    text = re.split(rf"^_+ {re.escape(name)} _+\n", ran.out, maxsplit=1, flags=re.M)[1]
    return re.split(r"^(?:_{5,}|={5,}) ", text, maxsplit=1, flags=re.M)[0].splitlines()
