"""Files that are no recordings of this version are refused in a line; writing is all or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from program import case_file, convdiff, environment
from recordings import recorded, recording, resealed, same, tensors_of
from safetensors.numpy import save_file

from convdiff.recording.files import CODECS, read_recording, write_recording
from convdiff.recording.header import VERSION
from convdiff.recording.model import Recording, RecordingError

SUFFIXES = tuple(CODECS)


@pytest.fixture
def small() -> Recording:
    return recording(recorded("(0+b)", tensors_of((1, 1, 1, 1), (1, 1, 2, 1))))


def refused(path: Path) -> str:
    """Read what is no recording and return what is said of it."""
    with pytest.raises(RecordingError) as error:
        read_recording(path)
    said = str(error.value)
    assert error.value.exit_code == 2
    assert said.startswith(f"{path}: ") and said.isprintable() and len(said) < 500
    return said


@pytest.mark.parametrize("version", [VERSION + 1, 10**9, 10**4000])
@pytest.mark.parametrize("change", [{}, {"cases": {"new": "form"}, "more": 1}], ids=["", "new"])
def test_a_newer_version_says_so_before_all_else(
    version: int, change: dict[str, object], small: Recording, tmp_path: Path
):
    path = tmp_path / "newer.json"
    write_recording(path, small)
    resealed(path, lambda document: document.update(change, schema_version=version))
    said = refused(path)
    assert "written by a newer convdiff" in said and "upgrade convdiff to read it" in said
    assert f"this one reads {VERSION}" in said


@pytest.mark.parametrize("version", [0, -1, None, "2", 1.5, [2]])
def test_what_is_no_version_is_damage(version: object, small: Recording, tmp_path: Path):
    path = tmp_path / "odd.json"
    write_recording(path, small)
    resealed(path, lambda document: document.update(schema_version=version))
    assert "damaged header" in refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
        b"\x7fELF" + b"\0" * 4096,
        b"{}",
        b"[]",
        b"null",
        b"filter: [1, 2, 3]\ninput: {ramp: 1}\n",
        b'{"schema_version": 1, "kind": "something else"}',
        (2**40).to_bytes(8, "little") + b"{}",
    ],
    ids=lambda raw: repr(raw[:8]),
)
def test_foreign_files_are_refused(raw: bytes, suffix: str, tmp_path: Path):
    path = tmp_path / f"foreign{suffix}"
    path.write_bytes(raw)
    assert refused(path).startswith(f"{path}: not a ")


def test_a_models_weights_are_no_recording(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    weights = {"dense/kernel": np.ones((4, 4), np.float32), "dense/bias": np.ones(4, np.float16)}
    for metadata in (None, {"format": "pt"}, {"convdiff": "yes"}):
        save_file(weights, path, metadata)
        assert refused(path).startswith(f"{path}: not a ")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_recording_under_the_other_suffix_is_refused(
    suffix: str, small: Recording, tmp_path: Path
):
    (other,) = set(SUFFIXES) - {suffix}
    write_recording(tmp_path / f"one{suffix}", small)
    path = (tmp_path / f"one{suffix}").rename(tmp_path / f"one{other}")
    assert refused(path).startswith(f"{path}: not a ")


@pytest.mark.parametrize("name", ["one", "one.txt", "one.JSON", "one.json.gz", ".json", "one.yaml"])
def test_another_suffix_is_refused_and_the_right_ones_are_named(
    name: str, small: Recording, tmp_path: Path
):
    path = tmp_path / name
    assert "name a recording *.json or *.safetensors" in refused(path)
    with pytest.raises(RecordingError, match="name a recording"):
        write_recording(path, small)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_not_there_or_no_file_is_refused(suffix: str, tmp_path: Path):
    assert "No such file" in refused(tmp_path / f"missing{suffix}")
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    assert "directory" in refused(folder)
    device = tmp_path / f"device{suffix}"  # another one, or a pipe, may never end
    device.symlink_to("/dev/null")
    assert "not a file" in refused(device)
    (loop := tmp_path / f"loop{suffix}").symlink_to(loop)
    assert "symbolic links" in refused(loop)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_may_not_be_read_is_refused(suffix: str, small: Recording, tmp_path: Path):
    path = tmp_path / f"secret{suffix}"
    write_recording(path, small)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    assert "Permission denied" in refused(path)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["show", "compare"])
def test_the_commands_say_it_in_one_line(command: str, tmp_path: Path):
    """What `run --json` writes, and a case, are what is likeliest given by mistake."""
    report, case = tmp_path / "report.json", case_file(tmp_path, "filter: [1]\ninput: {ramp: 1}\n")
    said = {"schema_version": 1, "tool_version": "0", "exit_code": 0, "runtimes": [], "cases": []}
    report.write_text(json.dumps(said), "utf-8")
    for path, words in ((report, "not a convdiff recording"), (case, "name a recording")):
        ran = convdiff(command, *[path] * (2 if command == "compare" else 1))
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.count("\n") == 1
        assert ran.err.startswith(f"convdiff: {path}: ") and words in ran.err


FULL = """
import os, resource, sys
from pathlib import Path
from convdiff.recording.files import write_recording
from convdiff.recording.model import RecordingError
from recordings import recorded, recording, tensors_of
large = recording(recorded("(0+b)", tensors_of((1, 1, 1, 1), (1, 1, 6000, 1))))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_recording(Path(sys.argv[1]), large)
except RecordingError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    suffix: str, small: Recording, tmp_path: Path
):
    path = tmp_path / f"old{suffix}"
    write_recording(path, small)
    old = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL, path],
        env=environment({"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"{path}: ") and "File too large" in done.stdout
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_error_half_way_leaves_the_old_file_and_nothing_else(
    suffix: str, small: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / f"old{suffix}"
    write_recording(path, small)
    old, write = path.read_bytes(), CODECS[suffix].write

    def interrupted(temporary: Path, *rest: object) -> None:
        write(temporary, *rest)  # type: ignore[arg-type]
        assert len(list(tmp_path.iterdir())) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(CODECS[suffix], "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_recording(path, recording())
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_that_is_none_is_told(suffix: str, small: Recording, tmp_path: Path):
    (tmp_path / "file").write_text("")
    for folder, said in (("missing", "No such file"), ("file", "Not a directory")):
        path = tmp_path / folder / f"one{suffix}"
        with pytest.raises(RecordingError, match=said) as error:
            write_recording(path, small)
        assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_that_may_not_be_written_keeps_the_old_file(
    suffix: str, small: Recording, tmp_path: Path
):
    path = tmp_path / f"old{suffix}"
    write_recording(path, small)
    old = path.read_bytes()
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("root writes everywhere")
        with pytest.raises(RecordingError, match="Permission denied"):
            write_recording(path, recording())
    finally:
        tmp_path.chmod(0o700)
    assert path.read_bytes() == old


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_through_a_link_the_file_is_replaced_and_the_link_stays(
    suffix: str, small: Recording, tmp_path: Path
):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / f"real{suffix}", tmp_path / f"link{suffix}"
    write_recording(target, recording())
    link.symlink_to(target)
    write_recording(link, small)
    assert link.is_symlink() and same(read_recording(target), small)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_more_values_than_json_is_for_are_refused_and_the_old_file_stays(
    small: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(CODECS[".json"], "MOST_VALUES", 5)
    path = tmp_path / "old.json"
    write_recording(path, recording())
    with pytest.raises(RecordingError, match=r"too many for .json; name the recording .safetens"):
        write_recording(path, small)
    assert same(read_recording(path), recording())
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_too_large_for_json_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "large.json"
    with path.open("wb") as stream:
        stream.truncate(2**28 + 1)  # of holes: it takes no space
    assert "larger than 256 MB; use .safetensors" in refused(path)
