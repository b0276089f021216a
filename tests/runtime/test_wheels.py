"""Releases as package indexes list them: JSON, HTML, a folder; one that does not answer."""

from __future__ import annotations

import json
import platform
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.version import Version
from program import convdiff

from convdiff.runtime import uv
from convdiff.runtime.amount import amount, amount_of_releases
from convdiff.runtime.uv import NoEnvironmentError
from convdiff.runtime.wheels import newest_first
from convdiff.search.releases import Span, releases

TAGS = "cp310-cp310-manylinux2014_x86_64"
OLD = "cp36-cp36m-manylinux1_x86_64"
NAMES = {
    f"torch-1.0.0-{OLD}.whl": 10,
    f"torch-1.0.1-{OLD}.whl": 11,
    f"torch-1.1.0-{TAGS}.whl": 20,
    f"torch-1.2.0-{TAGS}.whl": 30,
    f"torch-1.2.1rc1-{TAGS}.whl": 31,
    "torch-1.3.0-cp310-cp310-win_amd64.whl": 40,
    "torch-1.4.0.tar.gz": 50,
    f"torch-2.0.0-{TAGS}.whl": 60,
}
DEAD = "http://127.0.0.1:9/simple"
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64",
    reason="wheels of another machine",
)


class Index(BaseHTTPRequestHandler):
    """Two packages, one as JSON and one as HTML; all others are not there."""

    def do_GET(self) -> None:
        """Answer."""
        files = [
            {"filename": name, "size": size, "requires-python": ">=3.6", "yanked": "-2.0" in name}
            for name, size in NAMES.items()
        ]
        pages = {
            "/json/torch/": json.dumps({"files": files, "meta": {"api-version": "1.1"}}),
            "/html/torch/": "".join(
                f'<a href="../f/{name}#sha256=1"{" data-yanked" * ("-2.0" in name)}>x</a>'
                for name in NAMES
            ),
        }
        page = pages.get(self.path)
        code = 403 if self.path.startswith("/closed/") else 404
        self.send_response(200 if page else code)
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let uv's own variables count, which come before pip's."""
    for name in ("UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    uv.environment.cache_clear()
    yield monkeypatch
    uv.environment.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "html"])
def test_an_index_lists_what_an_interpreter_can_have(
    index: str, told: pytest.MonkeyPatch, form: str
) -> None:
    told.setenv("UV_DEFAULT_INDEX", f"{index}/{form}")
    found = newest_first("torch", ["3.10"])
    assert [str(one) for one in found] == ["1.2.1rc1", "1.2.0", "1.1.0"]
    assert found[Version("1.2.0")] == (30 if form == "json" else 0)
    assert [str(one) for one in newest_first("torch", ["3.6", "3.10"])][-2:] == ["1.0.1", "1.0.0"]
    assert newest_first("nosuch", ["3.10"]) == {}


@pytest.mark.slow
def test_a_folder_of_wheels_is_an_index(told: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"12345")
    told.setenv("UV_NO_INDEX", "1")
    told.setenv("UV_FIND_LINKS", str(tmp_path))
    found = newest_first("torch", ["3.10"])
    assert list(map(str, found)) == ["2.0.0", "1.2.1rc1", "1.2.0", "1.1.0"]
    assert set(found.values()) == {5}


@pytest.mark.slow
def test_the_last_patch_of_each_minor_release_is_a_step_and_a_patch_that_is_named(
    index: str, told: pytest.MonkeyPatch
) -> None:
    told.setenv("UV_DEFAULT_INDEX", f"{index}/json")
    told.setattr("convdiff.search.releases.versions_here", lambda: {"a": "3.6", "b": "3.10"})
    assert list(releases(Span.parse("torch==1.0..1.9"))) == ["1.0.1", "1.1.0", "1.2.0"]
    steps = list(releases(Span.parse("torch==1.0.0..1.9")))
    assert steps == ["1.0.0", "1.0.1", "1.1.0", "1.2.0"]
    assert list(releases(Span.parse("torch==1.0..1.1"))) == ["1.0.0", "1.0.1", "1.1.0"]
    with pytest.raises(NoEnvironmentError, match=r"no release of torch from 3\.0 to 4\.0 has"):
        releases(Span.parse("torch==3.0..4.0"))


@pytest.mark.slow
def test_an_index_that_refuses_is_told_from_one_without_the_package(
    index: str, told: pytest.MonkeyPatch
) -> None:
    told.setenv("UV_DEFAULT_INDEX", f"{index}/closed")
    with pytest.raises(NoEnvironmentError, match="403"):
        newest_first("torch", ["3.10"])


@pytest.mark.slow
def test_an_index_that_does_not_answer_is_one_line_and_125(tmp_path: Path) -> None:
    env = {"CONVDIFF_CACHE": str(tmp_path), "PIP_INDEX_URL": DEAD, "UV_DEFAULT_INDEX": DEAD}
    ran = convdiff("bisect", "--requires", "numpy==1.24..2.1", env=env)
    assert (ran.code, ran.out) == (125, "")
    assert ran.err == (
        "convdiff: the package index 127.0.0.1 can't be reached: [Errno 111] Connection refused\n"
    )


def test_what_an_install_takes_is_said() -> None:
    assert amount(604_000_000) == "604 MB to fetch (60 s at 10 MB/s), 1.2 GB to 2.4 GB on disk"
    assert amount(None) == "the index does not say how large"
    said = amount_of_releases("torch", [1_000_000, 3_000_000, 2_000_000], 2)
    assert said.startswith("at most 2 releases of torch to install: 5 MB to fetch")
    assert amount_of_releases("torch", [1_000_000], 2).startswith("at most 1 release of torch to")
    assert amount_of_releases("torch", [1, 0], 2).endswith("the index does not say how large")
