"""Model files: files are read back bit for bit, and malformed ones are refused."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.io import (
    ModelFileError,
    inspect,
    load,
    read_metadata,
    safetensors,
    save,
    write_atomically,
)

DTYPES = ["float32", "float64"]


def make_net(dtype: str = "float32", seed: int = 3) -> fm.Sequential:
    return fm.Sequential(
        fm.Linear(2, 3), fm.ELU(alpha=0.5), fm.Dropout(0.25), fm.Linear(3, 1, bias=False),
        dtype=dtype, seed=seed,
    )  # fmt: skip


def take_apart(blob: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(blob[:8], "little")
    return json.loads(blob[8 : 8 + length]), blob[8 + length :]


def put_together(header: dict[str, Any] | bytes, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "net.safetensors"
    save(make_net(), path, {"note": "small"})
    return path.read_bytes()


def assert_refused(tmp_path: Path, contents: bytes, what: str | None = None) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(contents)
    with pytest.raises(ModelFileError, match=what) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, (fm.FastMLPError, ValueError))


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_is_bit_exact(tmp_path: Path, dtype: str) -> None:
    net = make_net(dtype)
    net[0].W[0] = [np.nan, -0.0, np.inf]
    net.save(tmp_path / "net.safetensors")
    again = fm.load(str(tmp_path / "net.safetensors"))
    assert again.describe() == net.describe()
    assert again.params.dtype == net.params.dtype
    assert again.params.tobytes() == net.params.tobytes()


def test_metadata_comes_back_alone(tmp_path: Path) -> None:
    metadata = {"data": "digits", "naïve ключ": '{"json": ["inside", 1]}', "": ""}
    save(make_net(), tmp_path / "m", metadata)
    assert read_metadata(tmp_path / "m") == metadata
    save(make_net(), tmp_path / "m")
    assert read_metadata(tmp_path / "m") == {}


def test_inspect_tells_the_shapes(tmp_path: Path, blob: bytes) -> None:
    (tmp_path / "m").write_bytes(blob)
    model = inspect(tmp_path / "m")
    assert model.shapes == {"0.W": (2, 3), "0.b": (3,), "3.W": (3, 1)}
    assert model.network == make_net().describe()
    assert model.size == len(blob)


def test_network_without_parameters(tmp_path: Path) -> None:
    save(fm.Sequential(fm.ReLU(), in_features=4), tmp_path / "m")
    assert load(tmp_path / "m").params.size == 0


def test_equal_networks_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(make_net(), tmp_path / name, {"k": "v"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        (5, fm.ArgumentTypeError),
        ([], fm.ArgumentTypeError),
        ({"fastmlp": "mine"}, fm.ArgumentError),
        ({"key": 1}, fm.ArgumentTypeError),
        ({1: "value"}, fm.ArgumentTypeError),
        ({"key": "\ud800"}, fm.ArgumentError),
    ],
)
def test_bad_metadata_writes_nothing(tmp_path: Path, metadata: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        save(make_net(), tmp_path / "m", metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_official_library_reads_our_files(tmp_path: Path, dtype: str) -> None:
    official = pytest.importorskip("safetensors.numpy")
    net = make_net(dtype)
    save(net, tmp_path / "m")
    tensors = official.load_file(tmp_path / "m")
    assert tensors.keys() == {"0.W", "0.b", "3.W"}
    np.testing.assert_array_equal(tensors["0.W"], net[0].W, strict=True)
    np.testing.assert_array_equal(tensors["3.W"], net[3].W, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_we_read_files_of_the_official_library(tmp_path: Path, dtype: str) -> None:
    official = pytest.importorskip("safetensors.numpy")
    net = make_net(dtype)
    save(net, tmp_path / "m")
    header, _ = take_apart((tmp_path / "m").read_bytes())
    tensors = {"3.W": net[3].W, "0.b": net[0].b, "0.W": net[0].W}
    official.save_file(
        {k: np.ascontiguousarray(v) for k, v in tensors.items()},
        tmp_path / "theirs",
        header["__metadata__"],
    )
    np.testing.assert_array_equal(load(tmp_path / "theirs").params, net.params, strict=True)


def test_truncation_at_every_byte_is_refused(tmp_path: Path, blob: bytes) -> None:
    for length in range(len(blob)):
        assert_refused(tmp_path, blob[:length])
    assert_refused(tmp_path, blob + b"\0", "need")


def test_a_file_that_ends_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    # Larger than a buffer.
    save(fm.Sequential(fm.Linear(512, 512)), path)

    def cut_and_read() -> None:
        with safetensors.open_tensors(path) as (file, header):
            os.truncate(path, header.data_start + 1000)
            safetensors.read_into(file, header, "0.W", np.empty((512, 512), np.float32))

    with pytest.raises(ModelFileError, match=r"ended early while tensor '0\.W'"):
        cut_and_read()


def test_a_flipped_header_bit_is_refused_or_harmless(tmp_path: Path, blob: bytes) -> None:
    """A flipped bit is refused, unless it changed a name or a number that nothing can check."""
    path = tmp_path / "m"
    header_end = 8 + int.from_bytes(blob[:8], "little")
    refused = 0
    for position in range(header_end):
        for bit in (0, 5, 7):
            changed = bytearray(blob)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            try:
                load(path)
            except ModelFileError:
                refused += 1
    assert refused > 0.9 * 3 * header_end


@pytest.mark.parametrize("claim", [0, 1, 2**24 + 1, 2**31, 2**63 - 1, 2**64 - 1])
def test_header_length_is_bounded(tmp_path: Path, blob: bytes, claim: int) -> None:
    assert_refused(tmp_path, claim.to_bytes(8, "little") + blob[8:], "header claims")


W = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({**W, "dtype": "F16"}, "dtype"),
        ({**W, "dtype": "I32"}, "dtype"),
        ({**W, "dtype": "F64"}, "does not fill"),
        ({**W, "dtype": ["F32"]}, "dtype"),
        ({**W, "dtype": None}, "dtype"),
        ({**W, "shape": [3, 2]}, "no such tensor"),
        ({**W, "shape": [6]}, "no such tensor"),
        ({**W, "shape": [2, 4]}, "does not fill"),
        ({**W, "shape": [-2, -3]}, "shape"),
        ({**W, "shape": [2.0, 3]}, "shape"),
        ({**W, "shape": [True, 6]}, "shape"),
        ({**W, "shape": "23"}, "shape"),
        ({**W, "shape": None}, "shape"),
        ({**W, "shape": [1] * 9}, "shape"),
        ({**W, "shape": [2**32, 2**32]}, "impossible"),
        ({**W, "shape": [2**62, 0]}, "impossible"),
        ({**W, "shape": [10**400]}, "impossible"),
        ({**W, "data_offsets": [24, 0]}, "does not fill"),
        ({**W, "data_offsets": [-24, 0]}, "data_offsets"),
        ({**W, "data_offsets": [0]}, "data_offsets"),
        ({**W, "data_offsets": [0, 24, 48]}, "data_offsets"),
        ({**W, "data_offsets": [0.0, 24.0]}, "data_offsets"),
        ({**W, "data_offsets": [12, 36]}, "expected 0"),
        ({**W, "data_offsets": [24, 48]}, "expected 0"),
        ({**W, "data_offsets": [2**63, 2**63 + 24]}, "expected"),
        ({**W, "more": 1}, "exactly"),
        ({"dtype": "F32", "shape": [2, 3]}, "exactly"),
        ([], "exactly"),
        (None, "exactly"),
    ],
)
def test_malformed_tensor_entry(tmp_path: Path, blob: bytes, entry: Any, what: str) -> None:
    header, data = take_apart(blob)
    assert header["0.W"] == W
    assert_refused(tmp_path, put_together({**header, "0.W": entry}, data), what)


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (b"[]", "JSON object"),
        (b"  {}", "JSON object"),
        (b"{}", "no network description"),
        (b"{]", "JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"\xff": 1}', "UTF-8"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "JSON"),
        (b'{"a":' + b"9" * 100_000 + b"}", "JSON"),
        (b"{}\n{}", "JSON"),
        (b'{"__metadata__": []}', "text to text"),
        (b'{"__metadata__": {"fastmlp": 1}}', "text to text"),
        (b'{"__metadata__": {"fastmlp": "{"}}', "JSON"),
        (b'{"__metadata__": {"fastmlp": "[]"}}', "exactly"),
    ],
)
def test_malformed_header(tmp_path: Path, header: bytes, what: str) -> None:
    assert_refused(tmp_path, put_together(header, b""), what)


def with_description(blob: bytes, own: Any) -> bytes:
    header, data = take_apart(blob)
    header["__metadata__"]["fastmlp"] = json.dumps(own)
    return put_together(header, data)


@pytest.mark.parametrize(
    "own",
    [
        {"format": 2, "network": make_net().describe()},
        {"format": 1},
        {"format": 1, "network": make_net().describe(), "more": 1},
        {"format": 1, "network": []},
        {"format": 1, "network": {}},
    ],
)
def test_malformed_description(tmp_path: Path, blob: bytes, own: Any) -> None:
    assert_refused(tmp_path, with_description(blob, own))


HUGE = {"type": "Linear", "in_features": 10**6, "out_features": 10**6, "bias": True}


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Graph"},
        {"dtype": "float64"},
        {"dtype": "float16"},
        {"seed": -1},
        {"seed": []},
        {"in_features": 5},
        {"layers": []},
        {"layers": None},
        {"layers": [None]},
        {"layers": [{"type": "os.system"}]},
        {"layers": [{"type": ["ReLU"]}]},
        {"layers": [{"type": "ReLU", "command": "ls"}]},
        {"layers": [HUGE]},
        {"layers": [{**HUGE, "in_features": 2}]},
        {"layers": [{"type": "Linear", "in_features": 2, "out_features": 3, "init": [1]}]},
        {"layers": [{"type": "ELU", "alpha": "x"}]},
        {"more": 1},
    ],
)
def test_description_that_does_not_fit(tmp_path: Path, blob: bytes, change: dict[str, Any]) -> None:
    network = {**make_net().describe(), **change}
    assert_refused(tmp_path, with_description(blob, {"format": 1, "network": network}))


def test_missing_and_surplus_tensors(tmp_path: Path, blob: bytes) -> None:
    header, data = take_apart(blob)
    surplus = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
    assert_refused(tmp_path, put_together({**header, "9.W": surplus}, data + bytes(4)), "9.W")
    header["0.c"] = header.pop("0.b")
    assert_refused(tmp_path, put_together(header, data), r"0\.[bc]")


def test_memory_stays_bounded_by_the_file(tmp_path: Path, blob: bytes) -> None:
    network = {**make_net().describe(), "in_features": 10**6, "layers": [HUGE]}
    hostile = with_description(blob, {"format": 1, "network": network})
    tracemalloc.start()
    try:
        assert_refused(tmp_path, hostile)
        assert_refused(tmp_path, (16 * 2**20).to_bytes(8, "little") + b"{" * 100, "claims")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


TAKE_PATHS: dict[str, Callable[[Any], object]] = {
    "load": load,
    "inspect": inspect,
    "read_metadata": read_metadata,
    "save": lambda path: save(make_net(), path),
    "draw": lambda path: fm.Graph(x := fm.Input(1), x * x).draw(path),
    "Checkpoint": fm.Checkpoint,
    "write_atomically": lambda path: write_atomically(path, []),
}


@pytest.mark.parametrize("call", TAKE_PATHS.values(), ids=TAKE_PATHS)
@pytest.mark.parametrize(
    ("path", "error"),
    [
        (1.5, fm.ArgumentTypeError),
        (b"m.svg", fm.ArgumentTypeError),
        (["m.svg"], fm.ArgumentTypeError),
        ("", fm.ArgumentError),
        ("\0.svg", fm.ArgumentError),
        ("\ud800.svg", fm.ArgumentError),
    ],
)
def test_paths_of_a_wrong_type_are_refused(
    call: Callable[[Any], object], path: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"^path: got"):
        call(path)


@pytest.mark.parametrize("call", TAKE_PATHS.values(), ids=TAKE_PATHS)
def test_the_number_of_an_open_file_is_no_path(
    tmp_path: Path, call: Callable[[Any], object]
) -> None:
    with open(tmp_path / "m", "w+b") as file:
        with pytest.raises(fm.ArgumentTypeError, match=r"^path: got"):
            call(file.fileno())
        os.fstat(file.fileno())  # raises if it was closed


def test_missing_file_and_special_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(tmp_path / "pipe")
