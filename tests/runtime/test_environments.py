"""Environments made on demand: real ones, of a small framework, made by uv from the index."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from program import COMMAND, convdiff, environment

from convdiff.errors import ConvdiffError
from convdiff.runtime import environments, uv
from convdiff.runtime.environments import Environment, evict, key_of, made, remove
from convdiff.runtime.required import framework_of
from convdiff.runtime.uv import NoEnvironmentError

VERSION = "2.1.0"
"""It has wheels for every Python that convdiff runs on."""
ASKED = [f"numpy=={VERSION}"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder in which the environment is there."""
    folder = tmp_path_factory.mktemp("cache")
    found: list[Environment] = []

    def make() -> None:
        found.append(made(ASKED, folder / "environments", [sys.executable]))

    both = [threading.Thread(target=make) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(found) == 2
    assert found[0].key == found[1].key == key_of(ASKED)
    return folder


@pytest.mark.slow
def test_two_that_ask_at_once_get_one_environment(cache: Path) -> None:
    (found,) = environments.environments(cache / "environments")
    assert ASKED[0] in found.packages
    assert found.size > 10**7
    asked = [found.python, "-c", "import numpy; print(numpy.__version__)"]
    assert subprocess.check_output(asked, text=True).strip() == VERSION


@pytest.mark.slow
def test_a_case_runs_in_it_and_it_is_listed(cache: Path, tmp_path: Path) -> None:
    env = {"CONVDIFF_CACHE": str(cache)}
    ran = convdiff("run", "--requires", ASKED[0], "--json", "-", env=env, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert f'"numpy": "{VERSION}"' in ran.out
    assert "installing" not in ran.err
    listed = convdiff("runtimes", "--check", env=env)
    assert listed.code == 0
    assert listed.out.startswith(f"{key_of(ASKED)}  {ASKED[0]}  Python 3.")


@pytest.mark.slow
def test_what_was_cut_short_is_made_again(cache: Path) -> None:
    folder = cache / "environments"
    (folder / key_of(ASKED) / environments.DESCRIPTION).unlink()
    assert environments.environments(folder) == []
    assert made(ASKED, folder, [sys.executable]).packages


@pytest.mark.slow
def test_those_used_the_longest_ago_go_first(cache: Path, tmp_path: Path) -> None:
    for number in range(3):
        home = tmp_path / f"{number}"
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "python").symlink_to(sys.executable)
        told = {"key": f"{number}", "requires": [f"numpy=={number}"], "version": "3.11.0"}
        told |= {"python": str(home / "bin" / "python"), "packages": [], "size": 100}
        (home / environments.DESCRIPTION).write_text(environments.json.dumps(told))
        os.utime(home / environments.DESCRIPTION, (time.time(), time.time() - 100 * number))
    assert [one.key for one in evict(tmp_path, 150)] == ["2", "1"]
    assert [one.key for one in environments.environments(tmp_path)] == ["0"]
    remove(tmp_path, "0")
    for key in ("0", "..", "nosuch"):
        with pytest.raises(ConvdiffError, match="no environment"):
            remove(tmp_path, key)


@pytest.mark.slow
def test_without_a_network_it_is_one_line_and_125(tmp_path: Path) -> None:
    env = {"CONVDIFF_CACHE": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_OFFLINE": "1"}
    ran = convdiff("run", "--requires", "torch==2.1.0", env=env)
    assert ran.code == 125
    (line,) = [line for line in ran.err.splitlines() if not line.endswith("...")]
    assert line.startswith("convdiff: no interpreter here has wheels of torch==2.1.0: ")


@pytest.mark.slow
def test_what_has_no_release_is_one_line_and_125(tmp_path: Path) -> None:
    ran = convdiff("run", "--requires", "numpy==0.0.99", env={"CONVDIFF_CACHE": str(tmp_path)})
    assert ran.code == 125
    assert "there is no version of numpy==0.0.99" in ran.err


@pytest.mark.parametrize("text", ["tensorflw==2", "numpy @ file:///x", "numpy==", "-r x.txt", ""])
def test_what_is_no_framework_is_refused(text: str) -> None:
    with pytest.raises(ConvdiffError) as refused:
        framework_of(text)
    assert refused.value.exit_code == 2
    assert str(refused.value).startswith(f"--requires {text}: ")


@pytest.mark.slow
def test_uv_is_told_what_pip_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.invalid/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    uv.environment.cache_clear()
    told = uv.environment()
    uv.environment.cache_clear()
    assert told["UV_DEFAULT_INDEX"] == "https://index.invalid/simple"
    assert told["UV_FIND_LINKS"] == str(tmp_path)
    assert told["UV_PYTHON_DOWNLOADS"] == "never"


@pytest.mark.slow
def test_an_install_that_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    env = environment({"CONVDIFF_CACHE": str(tmp_path)})
    running = subprocess.Popen(
        [*COMMAND, "run", "--requires", "numpy==2.1.1"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    folder = tmp_path / "environments"
    while not list(folder.glob("*/pyvenv.cfg")) and running.poll() is None:
        time.sleep(0.01)
    os.killpg(running.pid, 9)
    running.wait()
    assert len(environments.environments(folder)) <= (running.returncode == 0)
    assert made(["numpy==2.1.1"], folder, environments.candidates()).packages


def test_no_environment_error_is_untested() -> None:
    assert NoEnvironmentError("x").exit_code == 125


@pytest.mark.slow
def test_a_named_runtime_gets_the_environment_that_it_requires(cache: Path, tmp_path: Path) -> None:
    table = '[tool.convdiff.runtimes.old]\nframework = "numpy"\n'
    (tmp_path / "pyproject.toml").write_text(f'{table}requires = ["{ASKED[0]}", "python>=3.9"]\n')
    env = {"CONVDIFF_CACHE": str(cache)}
    ran = convdiff("run", "--runtime", "old", "--json", "-", env=env, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert f'"numpy": "{VERSION}"' in ran.out
    assert len(environments.environments(cache / "environments")) == 1
    (tmp_path / "pyproject.toml").write_text(f'{table}requires = ["numpy>=1"]\n')
    ran = convdiff("run", "--runtime", "old", "--json", "-", env=env, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert f'"numpy": "{VERSION}"' not in ran.out
    assert len(environments.environments(cache / "environments")) == 1
