"""Whatever changes in a file is noticed, or changes nothing that it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from recordings import case_of, put, recorded, recording, resealed, same, tensors_of

from convdiff.errors import USAGE
from convdiff.recording.files import read_recording, write_recording
from convdiff.recording.model import Recording, RecordingError


@pytest.fixture(scope="module")
def small() -> Recording:
    """The smallest that has a bias, an order and probes: a value less than zero, and -0."""
    tensors = tensors_of((1, 1, 1, 1), (1, 1, 2, 1), seed=5)
    tensors.input_nhwc[0, 0, 1, 0] = -0.0
    return recording(recorded("(0+b)", tensors, case=case_of(tensors, "a")))


@pytest.fixture(scope="module")
def files(small: Recording, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    for suffix in (".json", ".safetensors"):
        write_recording(folder / f"whole{suffix}", small)
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def unnoticed(path: Path, raw: bytes, whole: Recording, flips: Iterable[tuple[int, int]]) -> int:
    """Read a file with each flip, and return how many flips read as well; as what it was, that is.

    Fails where one reads as anything else, or ends in anything but one line.
    """
    sound = 0
    for at, new in flips:
        path.write_bytes(raw[:at] + bytes([new]) + raw[at + 1 :])
        try:
            found = read_recording(path)
        except RecordingError as error:
            assert error.exit_code == USAGE
            assert str(error).isprintable()
            continue
        assert same(found, whole), f"byte {at} as {bytes([new])!r}"
        sound += 1
    return sound


def subtle(raw: bytes) -> list[tuple[int, int]]:
    """Return the least conspicuous flip of every byte: another digit, a letter of another case."""
    return [(at, byte ^ (0x20 if chr(byte).isalpha() else 0x01)) for at, byte in enumerate(raw)]


def payload_start(raw: bytes) -> int:
    return 8 + int.from_bytes(raw[:8], "little")


def test_every_bit_of_every_array_counts(files: dict[str, bytes], small: Recording, tmp_path: Path):
    raw = files[".safetensors"]
    places = range(payload_start(raw), len(raw))
    assert len(places) == 4 * 6  # a tap, a bias, two inputs, two outputs; one order needs no map
    flips = [(at, raw[at] ^ (1 << bit)) for at in places for bit in range(8)]
    assert unnoticed(tmp_path / "flipped.safetensors", raw, small, flips) == 0


@pytest.mark.slow
def test_every_byte_of_a_safetensors_recording_counts_but_its_padding(
    files: dict[str, bytes], small: Recording, tmp_path: Path
):
    raw = files[".safetensors"]
    padding = re.search(rb" *\Z", raw[: payload_start(raw)])
    assert padding is not None
    assert unnoticed(tmp_path / "flipped.safetensors", raw, small, subtle(raw)) == 0
    tabs = [(at, ord("\t")) for at in range(padding.start(), padding.end())]
    assert unnoticed(tmp_path / "flipped.safetensors", raw, small, tabs) in (0, len(tabs))


@pytest.mark.slow
def test_every_byte_of_a_json_recording_counts_but_its_spacing(
    files: dict[str, bytes], small: Recording, tmp_path: Path
):
    raw = files[".json"]
    # The case of a letter in 0x1.8p+1, and a last digit that is rounded to the same value.
    assert unnoticed(tmp_path / "flipped.json", raw, small, subtle(raw)) < 50
    spaces = [(at, ord("\t")) for at in range(len(raw)) if raw[at] in b" \n"]
    quoted = unnoticed(tmp_path / "flipped.json", raw, small, spaces)
    assert len(spaces) - 20 < quoted < len(spaces)  # all but those in names and words


@pytest.mark.slow
def test_every_character_of_a_value_counts(
    files: dict[str, bytes], small: Recording, tmp_path: Path
):
    """In decimal and in hexadecimal: what reads as before says the same number another way."""
    raw = files[".json"]
    start = raw.index(b'"values"')
    row = re.compile(rb'\[(?P<decimal>[^,\[]+), "(?P<exact>[^"]+)"\]')
    path = tmp_path / "edited.json"
    rows = list(row.finditer(raw, start))
    assert len(rows) == 6
    for found in rows[:1] + rows[-1:]:
        for part in ("decimal", "exact"):
            text, at = found[part].decode(), found.start(part)
            for k, letter in enumerate(text):
                for other in "0123456789abcdefpx.+-":
                    if other == letter:
                        continue
                    edited = text[:k] + other + text[k + 1 :]
                    path.write_bytes(raw[:at] + edited.encode() + raw[at + len(text) :])
                    try:
                        assert same(read_recording(path), small)
                    except RecordingError:
                        continue
                    alike = np.float32(value(edited, part)), np.float32(value(text, part))
                    assert alike[0].tobytes() == alike[1].tobytes(), f"{text} as {edited}"


def value(text: str, part: str) -> float:
    return float(text) if part == "decimal" else float.fromhex(text)


def test_a_decimal_that_says_other_than_its_bits_is_refused(small: Recording, tmp_path: Path):
    """A reviewer reads the decimals: they may not say one thing, and the bits another."""
    path = tmp_path / "two.json"
    write_recording(path, small)
    text = path.read_text("utf-8")
    assert text.count('[-0.0, "-0x0.0p+0"]') == 1
    path.write_text(text.replace("[-0.0, ", "[0.0, "), "utf-8")
    with pytest.raises(RecordingError, match="damaged: the values of a/input"):
        read_recording(path)


@pytest.mark.parametrize("key", ["kind", "arrays", "cases", "sha256", "values"])
def test_a_key_named_twice_is_refused(key: str, files: dict[str, bytes], tmp_path: Path):
    """Else the first could be shown for review, and the last be read."""
    path = tmp_path / "twice.json"
    path.write_bytes(b'{"%b": {},' % key.encode() + files[".json"][1:])
    with pytest.raises(RecordingError, match="a key is named twice"):
        read_recording(path)


def test_an_edited_header_is_refused_whatever_was_edited(small: Recording, tmp_path: Path):
    path = tmp_path / "edited.json"
    write_recording(path, small)
    text = path.read_text("utf-8")
    for was, now in (
        ('"notation": "(0+b)"', '"notation": "(b+0)"'),
        ('"version": "2.21.0"', '"version": "2.20.0"'),
        ('"device": "cpu"', '"device": "gpu"'),
        ('"baseline": "bitwise"', '"baseline": "anything"'),
    ):
        assert text.count(was) == 1
        path.write_text(text.replace(was, now), "utf-8")
        with pytest.raises(RecordingError, match="damaged, or edited by hand"):
            read_recording(path)


def test_the_seal_of_the_tests_is_the_seal_of_the_format(small: Recording, tmp_path: Path):
    """Proof that what other tests seal anew is refused for what it says, not for its seal."""
    path = tmp_path / "sealed.json"
    write_recording(path, small)
    output = np.array([3.0, -1.5], np.float32).reshape(1, 1, 2, 1)
    name = next(name for name in small_names(path) if "conv2d" in name)
    resealed(path, lambda document: put(document, name, output))
    (entry,) = read_recording(path).cases["a"].entries
    assert entry.output.tobytes() == output.tobytes()


def small_names(path: Path) -> list[str]:
    return re.findall(r'^  "(a/[^"]+)": \{', path.read_text("utf-8"), re.MULTILINE)
