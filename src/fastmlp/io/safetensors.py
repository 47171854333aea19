"""The safetensors format: a strict reader of headers, and a writer.

A file is 8 bytes of little-endian header length, that many bytes of JSON, and the tensors' bytes::

    {"__metadata__": {"key": "text"},
     "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}

Offsets count from the end of the header. The reader accepts only files that follow the format's
specification (https://github.com/huggingface/safetensors#format), with float32, float64 and int8
tensors.
It checks every length against the size of the file before it allocates memory.
"""

from __future__ import annotations

import json
import math
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, FastMLPError
from fastmlp.io.atomic import write_atomically

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 16 * 2**20
MAX_DIMENSIONS = 8
MAX_TENSOR_BYTES = 2**63 - 1  # what a signed 64-bit size can hold
METADATA = "__metadata__"
DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I8": np.dtype("i1"),
}
DTYPE_NAMES = {dtype.newbyteorder("="): name for name, dtype in DTYPES.items()}


class ModelFileError(FastMLPError, ValueError):
    """The file that the message names is truncated, corrupt or not a fastmlp model."""


@dataclass(frozen=True)
class TensorEntry:
    """The place of a tensor: bytes `begin` to `end`, counted from the end of the header."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """A checked header; `data_start` is the file position of offset 0."""

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]
    data_start: int


class Malformed(Exception):
    """A fault of a file; `naming` adds the name of the file."""


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn `Malformed` into a `ModelFileError` that names `path`."""
    try:
        yield
    except Malformed as problem:
        raise ModelFileError(f"{os.fspath(path)} is not a fastmlp model: {problem}") from None


@contextmanager
def open_tensors(path: str | os.PathLike[str]) -> Iterator[tuple[BufferedReader, Header]]:
    """Open `path` and yield it with its checked header; a malformed file is a `ModelFileError`."""
    name = validation.path(path)
    with naming(name):
        # Opening a named pipe would wait for its writer, so check before opening.
        if not stat.S_ISREG(os.stat(name).st_mode):
            raise Malformed("it is not a regular file")
        with open(name, "rb") as file:
            yield file, _read_header(file)


def read_into(file: BufferedReader, header: Header, name: str, out: NDArray[Any]) -> None:
    """Fill the C-contiguous array `out`, of the right dtype and shape, with tensor `name`."""
    file.seek(header.data_start + header.tensors[name].begin)
    view = out.reshape(-1).view(np.uint8)
    if file.readinto(view.data) != out.nbytes:
        raise Malformed(f"it ended early while tensor {name!r} was being read")
    if sys.byteorder == "big":
        out.byteswap(inplace=True)


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write float32, float64 and int8 arrays and text `metadata` to `path`, atomically.

    The layout depends on the contents only: equal networks give equal files.

    Raises
    ------
    ArgumentError
        If the header is too long to be read back; then nothing is written.
    """
    header: dict[str, Any] = {METADATA: dict(metadata)}
    chunks, offset = [], 0
    for name, tensor in tensors.items():
        data = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
        header[name] = {
            "dtype": DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + data.nbytes],
        }
        offset += data.nbytes
        chunks.append(data.reshape(-1).view(np.uint8))
    write_atomically(path, [_encode(header), *chunks])


def parse_json(text: str, what: str) -> Any:
    """Parse strict JSON: no duplicate keys, no NaN or infinity, no excessive nesting."""
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what} is not valid JSON ({error})") from None


def _encode(header: dict[str, Any]) -> bytes:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # aligns the tensors for programs that map the file
    if len(text) > MAX_HEADER_BYTES:
        raise ArgumentError(
            f"descriptions and metadata: got {len(text)} bytes; want at most {MAX_HEADER_BYTES}, "
            "so that the file can be read"
        )
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _read_header(file: BufferedReader) -> Header:
    size = os.fstat(file.fileno()).st_size
    if size < LENGTH_BYTES:
        raise Malformed(f"{size} bytes are too few for a header")
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    limit = min(size - LENGTH_BYTES, MAX_HEADER_BYTES)
    if not 2 <= length <= limit:
        raise Malformed(f"its header claims {length} bytes, expected 2 to {limit}")
    raw = file.read(length)
    if len(raw) != length or raw[:1] != b"{":
        raise Malformed("its header does not start a JSON object")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Malformed("its header is not UTF-8 text") from None
    fields = parse_json(text.rstrip(" "), "its header")
    metadata = _check_metadata(fields.pop(METADATA, {}))
    tensors = {name: _check_entry(name, entry) for name, entry in fields.items()}
    _check_offsets(tensors, size - LENGTH_BYTES - length)
    return Header(tensors, metadata, LENGTH_BYTES + length)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key appears twice")
    return result


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _check_metadata(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Malformed(f"{METADATA} must map text to text")
    return metadata


def _check_entry(name: str, entry: Any) -> TensorEntry:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise Malformed(f"tensor {name!r} must have exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise Malformed(f"tensor {name!r} has dtype {dtype!r:.40}, expected F32, F64 or I8")
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise Malformed(f"tensor {name!r} has an invalid shape {shape!r:.80}")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise Malformed(f"tensor {name!r} has invalid data_offsets {offsets!r:.80}")
    # Checked with Python's integers, which cannot overflow, and as if no size were 0.
    if math.prod(max(n, 1) for n in shape) * DTYPES[dtype].itemsize > MAX_TENSOR_BYTES:
        raise Malformed(f"tensor {name!r} has an impossible shape {shape!r:.80}")
    if offsets[1] - offsets[0] != math.prod(shape) * DTYPES[dtype].itemsize:
        raise Malformed(
            f"tensor {name!r} of shape {shape!r:.80} does not fill bytes {offsets!r:.80}"
        )
    return TensorEntry(DTYPES[dtype], tuple(shape), offsets[0], offsets[1])


def _are_sizes(values: Any) -> bool:
    # Not isinstance, which takes true and false for integers.
    return isinstance(values, list) and all(type(n) is int and n >= 0 for n in values)


def _check_offsets(tensors: dict[str, TensorEntry], data_bytes: int) -> None:
    position = 0
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise Malformed(f"tensor {name!r} starts at byte {entry.begin}, expected {position}")
        position = entry.end
    if position != data_bytes:
        raise Malformed(f"its tensors need {position} bytes, but {data_bytes} are there")
