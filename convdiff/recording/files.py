"""Recordings as files: the codec is the suffix, and a file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

from convdiff.atomic import replacing
from convdiff.case.in_hand import kind_of
from convdiff.recording import json_file, safetensors_file
from convdiff.recording.decode import decoded
from convdiff.recording.encode import encoded
from convdiff.recording.model import Recording, RecordingError

CODECS = {".json": json_file, ".safetensors": safetensors_file}
INSTEAD = (
    "`convdiff run CASE --save FILE.json` writes one, and"
    " `convdiff compare A.npy B.npy --case CASE` judges two outputs"
)
"""What those need who have another file in hand."""


def refuse_suffix(path: Path) -> None:
    """Raise RecordingError unless a recording may be called so."""
    if path.suffix not in CODECS:
        raise RecordingError(f"{path}: name a recording {' or '.join(f'*{s}' for s in CODECS)}")


def refuse_in_hand(path: Path) -> None:
    """Raise RecordingError where a file is an array or a model, and no recording."""
    kind = None if path.suffix in CODECS else kind_of(path)
    if kind is not None:
        raise RecordingError(f"{path}: {kind.what}, no recording; {INSTEAD}")


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording. Raises RecordingError where the file can't be written."""
    refuse_suffix(path)
    header, arrays = encoded(recording)
    try:
        with replacing(path) as temporary:
            CODECS[path.suffix].write(temporary, header, arrays)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None


def read_recording(path: Path, name: str = "") -> Recording:
    """Read a recording and check every bit of it. Raises RecordingError for all that is wrong.

    name: what its runtimes say they were recorded in; the file's own name if empty.
    """
    refuse_in_hand(path)
    refuse_suffix(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise RecordingError(f"{path}: not a file")  # a pipe or a device may never end
    try:
        header, arrays = CODECS[path.suffix].read(path)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    return decoded(header, arrays, name or path.name)
