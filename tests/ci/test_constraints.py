"""constraints.txt pins what pyproject.toml asks for, and names no index that it came from."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
PINS = [Requirement(line) for line in LINES if not line.startswith("#")]


def merged(resolved):
    return runpy.run_path(str(ROOT / "tools" / "constraints.py"))["merged"](resolved)


def test_what_all_pythons_get_stands_alone_and_what_differs_has_a_marker():
    resolved = {
        (3, 11): {"numpy": "2.4.6", "jax": "0.10.2", "click": "8.5.1"},
        (3, 9): {"numpy": "2.0.2", "click": "8.5.1", "tomli": "2.5.0"},
        (3, 10): {"numpy": "2.2.6", "click": "8.5.1", "tomli": "2.5.0"},
    }
    assert merged(resolved) == [
        "click==8.5.1",
        'jax==0.10.2; python_version >= "3.11"',
        'numpy==2.0.2; python_version < "3.10"',
        'numpy==2.2.6; python_version >= "3.10" and python_version < "3.11"',
        'numpy==2.4.6; python_version >= "3.11"',
        'tomli==2.5.0; python_version < "3.11"',
    ]


def test_every_line_is_a_pin_and_none_an_address():
    for pin in PINS:
        assert [clause.operator for clause in pin.specifier] == ["=="] and not pin.url


def test_all_that_the_project_asks_for_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    asked = {canonicalize_name(Requirement(line).name) for line in lines}
    # CUDA's build has its own releases; where it is used there is a GPU to test it with.
    pinned = {canonicalize_name(pin.name) for pin in PINS} | {"convdiff", "tensorflow"}
    assert asked <= pinned
