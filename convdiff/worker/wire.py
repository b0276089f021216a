"""Frames on a private pipe: a JSON header, then raw little-endian arrays. No pickle.

A frame is `magic (4) | header length (u32) | payload length (u64) | header | payload`, all
little-endian. The header's key "arrays" lists [dtype, shape] of the payload's arrays, in order.
Both sides of the pipe use this file; it must run on Python 3.6 with NumPy 1.16.
"""

import json
import os
import struct
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

MAGIC = b"cvd1"
SMALL = 1 << 16
_HEAD = struct.Struct("<4sIQ")
MAX_HEADER = 256 * 1024 * 1024
ALIGNMENT = 64
"""Bytes: what frameworks allocate their own arrays at multiples of."""


class WireError(Exception):
    """What arrived is no frame of ours."""


def encode(header: Dict[str, Any], arrays: Sequence[Any] = ()) -> List[Any]:
    """Return one frame as a list of buffers; `arrays` are C-contiguous NumPy arrays."""
    payload = [memoryview(array).cast("B") for array in map(_plain, arrays) if array.size]
    header = dict(header, arrays=[[name_of(array), list(array.shape)] for array in arrays])
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    size = sum(len(part) for part in payload)
    return [_HEAD.pack(MAGIC, len(text), size) + text] + payload


def name_of(array: Any) -> str:
    """Return the dtype's name; bfloat16 is an extension type under that name."""
    return str(array.dtype.name)


def _plain(array: Any) -> Any:
    # A buffer of an extension type (bfloat16) can't be cast; its bits can.
    return array if array.dtype.kind in "fiub" else array.view("u%d" % array.dtype.itemsize)


def write(descriptor: int, frame: List[Any]) -> None:
    """Write a frame whole; a small one in one call, since the reader wakes at each."""
    if sum(len(part) for part in frame) <= SMALL:
        frame = [b"".join(frame)]
    for part in frame:
        view = memoryview(part)
        while len(view) > 0:
            view = view[os.write(descriptor, view[: 1 << 20]) :]


def head_size() -> int:
    """Return how many bytes precede the header."""
    return _HEAD.size


def decode_head(data: Union[bytes, bytearray]) -> Tuple[int, int]:
    """Return (header length, payload length). Raises WireError for a foreign byte stream."""
    magic, header, payload = _HEAD.unpack(data)
    if magic != MAGIC or header > MAX_HEADER:
        raise WireError("not a frame: %r" % bytes(data[:12]))
    return header, payload


def decode_header(text: Union[bytes, bytearray]) -> Dict[str, Any]:
    """Return the header's object. Raises WireError."""
    try:
        header = json.loads(bytes(text).decode("utf-8"))
    except ValueError as error:
        raise WireError("a damaged header: %s" % error) from None
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), list):
        raise WireError("a header without arrays")
    return header


def decode_arrays(header: Dict[str, Any], payload: bytearray) -> List[Any]:
    """Return the frame's arrays, views of `payload` where they lie well; bfloat16 as uint16 bits.

    Raises WireError where header and payload do not fit together.
    """
    try:
        return _arrays(header, payload)
    except (TypeError, ValueError) as error:
        raise WireError("damaged arrays: %s" % error) from None


def _arrays(header: Dict[str, Any], payload: bytearray) -> List[Any]:
    import numpy as np

    arrays, start = [], 0
    for name, shape in header["arrays"]:
        dtype = np.dtype("uint16" if name == "bfloat16" else str(name))
        if dtype.kind not in "fiub" or any(extent < 0 for extent in shape):
            raise WireError("an impossible array: %s %s" % (name, shape))
        count = 1
        for extent in shape:
            count *= extent
        if start + count * dtype.itemsize > len(payload):
            raise WireError("a payload shorter than its header says")
        flat = aligned(np.frombuffer(payload, dtype, count, start))
        arrays.append(flat.reshape(shape))
        start += count * dtype.itemsize
    return arrays


def aligned(array: Any) -> Any:
    """Return a contiguous array as it would lie if it had memory of its own: a copy where it must.

    A kernel may give other bits where its arrays begin at other addresses (MKL's matrix products
    do), and whoever calls a framework hands it arrays of their own.
    """
    import numpy as np

    if array.ctypes.data % ALIGNMENT == 0:
        return array
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def read_frame(descriptor: int) -> Optional[Tuple[Dict[str, Any], bytearray]]:
    """Read one frame with blocking reads; return (header, payload) or None at the end."""
    head = _read_exactly(descriptor, _HEAD.size)
    if head is None:
        return None
    header_size, payload_size = decode_head(head)
    text = _read_exactly(descriptor, header_size)
    payload = _read_exactly(descriptor, payload_size)
    if text is None or payload is None:
        return None
    return decode_header(text), payload


def _read_exactly(descriptor: int, size: int) -> Optional[bytearray]:
    data = bytearray(size)
    view = memoryview(data)
    filled = 0
    while filled < size:
        came = os.readv(descriptor, [view[filled:]])
        if not came:
            return None
        filled += came
    return data
