"""What the repository and the package leave out, and what they must hold."""

from __future__ import annotations

import re
from pathlib import Path

from program import REPOSITORY


def test_the_package_is_marked_as_typed():
    """The marker that type checkers ask for; everything under convdiff/ is in the wheel."""
    import convdiff

    assert (Path(convdiff.__file__).parent / "py.typed").is_file()
    assert 'packages = ["convdiff"]' in (REPOSITORY / "pyproject.toml").read_text("utf-8")


def test_environments_that_make_makes_are_ignored_by_git():
    made = re.findall(r"^clean:\n\trm -rf (.*)$", (REPOSITORY / "Makefile").read_text(), re.M)
    folders = [name for name in made[0].replace("$(VENV)", ".venv").split() if "venv" in name]
    assert len(folders) == 4
    ignored = (REPOSITORY / ".gitignore").read_text().split()
    assert [folder for folder in folders if folder not in ignored] == []
