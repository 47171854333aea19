"""Files and descriptions for the fuzzers: real ones, changed ones, and what must hold for each."""

from __future__ import annotations

import json
import math
import random
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.io import checkpoint, inspect, load, read_metadata
from fastmlp.layers import LAYERS

# Memory that a load may allocate besides twice the file's size: for the objects of a header of some
# kilobytes, and for the larger pieces that interpreter and allocator request.
CONSTANT_BYTES = 8 * 2**20
MOST_SECONDS = 10.0
MOST_WIDTH = 10**6  # total width of all values, for networks that are run
MAKES_LARGE = range(10**6, 10**13)  # sizes that may fit into memory once, but not many times

Refusal = (fm.ArgumentError, fm.ArgumentTypeError, fm.io.ModelFileError)


# ---- what must hold ----


class Meter:
    """Measures memory: the largest growth of the process, or elsewhere Python's own count."""

    def __enter__(self) -> Meter:
        self._reset = Path("/proc/self/clear_refs")
        if self._reset.exists():
            self._reset.write_text("5")
            self._before = _status("VmRSS")
        else:
            tracemalloc.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._reset.exists():
            self.taken = _status("VmHWM") - self._before
        else:
            self.taken = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


class Broken(AssertionError):
    """A property does not hold."""


def try_file(contents: bytes, path: Path, target: fm.Sequential) -> tuple[str, int]:
    """Load a file in every way; return the outcome, and the memory beyond twice its size."""
    path.write_bytes(contents)
    outcome = "refused"
    before = target.params.tobytes()
    start = time.perf_counter()
    with Meter() as meter:
        try:
            net = load(path)
            outcome = "loaded"
        except fm.io.ModelFileError:
            net = None
    beyond = meter.taken - 2 * len(contents)
    if net is not None:
        check_works(net)
    for read in (inspect, read_metadata):
        try:
            read(path)
        except fm.io.ModelFileError as error:
            if outcome == "loaded":
                raise Broken("a file that loads cannot be inspected") from error
    with Meter() as meter, suppress(fm.io.ModelFileError):
        checkpoint.read(path)
        outcome = "checkpoint"
    beyond = max(beyond, meter.taken - 2 * len(contents))
    try:
        fit(target, path)
        outcome = "resumed" if outcome == "checkpoint" else outcome
    except Refusal as error:
        if target.params.tobytes() != before:
            raise Broken("a refused checkpoint changed the network") from error
    _hold(beyond, time.perf_counter() - start)
    return outcome, beyond


def fit(net: fm.Sequential, path: Path) -> None:
    """The fit whose checkpoint is in the corpus; it continues from the file if there is one."""
    x = np.linspace(-1.0, 1.0, 18, dtype=np.float32).reshape(6, 3)
    callbacks = [fm.EarlyStopping(5, monitor="loss"), fm.Checkpoint(path, resume=True)]
    fm.fit(net, x, [0, 1, 0, 1, 1, 0], loss=fm.CrossEntropyLoss(), epochs=3, batch_size=4,
           schedule=fm.StepLR(2), callbacks=callbacks, progress=False)  # fmt: skip


def try_description(text: str) -> str:
    """Make a network from a JSON description and run it; return the outcome."""
    try:
        description = json.loads(text)
    except (ValueError, RecursionError):
        return "no JSON"
    sizes = sorted((abs(n) for n in _integers(description)), reverse=True)
    if math.prod(sizes[:2]) in MAKES_LARGE or len(text) > 20_000:
        return "large"
    kind = fm.Sequential if _type_of(description) == "Sequential" else fm.Graph
    start = time.perf_counter()
    try:
        net = kind.from_description(description)
    except MemoryError:
        return "no memory"
    except Refusal:
        return "refused"
    check_works(net)
    if json.loads(json.dumps(net.describe())) != kind.from_description(net.describe()).describe():
        raise Broken("a description changed on its way through a network")
    _hold(0, time.perf_counter() - start)
    return "made"


def _type_of(description: Any) -> Any:
    return description.get("type") if isinstance(description, dict) else None


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _integers(one)
    elif isinstance(value, int):
        yield value


def _hold(beyond: int, seconds: float) -> None:
    if beyond > CONSTANT_BYTES:
        raise Broken(f"{beyond} bytes were taken beyond twice the file's size")
    if seconds > MOST_SECONDS:
        raise Broken(f"it took {seconds:.1f} s")


def check_works(net: Any) -> None:
    """Run rows forward and backward, and check the shapes."""
    core = net.core_net()
    inner = net._widths if isinstance(net, fm.Sequential) else [s.width for s in net._order]
    if sum(inner) + sum(core.widths_in) > MOST_WIDTH:
        return
    x = [np.zeros((2, width), net.dtype) for width in core.widths_in]
    given = x[0] if len(x) == 1 else x
    with np.errstate(all="ignore"):
        y, again = net.predict(given), net.forward(given)
        shapes = [part.shape for part in (y.values() if isinstance(y, dict) else [y])]
        if shapes != [(2, width) for width in core.widths_out]:
            raise Broken(f"shapes {shapes} of outputs of widths {core.widths_out}")
        net.backward(again)


# ---- real inputs ----


def networks() -> Iterator[Any]:
    """Small networks of many kinds."""
    for dtype in ("float32", "float64"):
        yield fm.Sequential(fm.Linear(3, 4), fm.ELU(0.5), fm.Linear(4, 2), dtype=dtype, seed=1)
    yield fm.Sequential(
        fm.Linear(4, 6, bias=False), fm.LayerNorm(6), fm.Dropout(0.2), fm.Maxout(2),
        fm.BatchNorm(3), fm.Softmax(), seed=2,
    )  # fmt: skip
    yield fm.Sequential(fm.ReLU(), in_features=3, seed=3)
    x, z = fm.Input(4, "x"), fm.Input(3, "z")
    h = fm.Tanh()(fm.Linear(4, 3)(x)) + z
    both = fm.Concat()(h, fm.Maximum()(h, z))
    w = fm.Parameter(6, 2)
    yield fm.Graph([x, z], {"a": fm.MatMul()(both, w), "b": fm.Sum()(fm.Square()(h))}, seed=4)


def target() -> fm.Sequential:
    """The network of the fit that wrote the checkpoints in the corpus."""
    return fm.Sequential(fm.Linear(3, 4), fm.Tanh(), fm.Linear(4, 2), seed=5)


def real_files(folder: Path) -> Iterator[bytes]:
    """Model files, a checkpoint, and a safetensors file of another program."""
    path = folder / "real"
    for net in networks():
        net.save(path, {"note": "of the corpus"})
        yield path.read_bytes()
    path.unlink()
    fit(target(), path)
    yield path.read_bytes()
    fm.io.safetensors.write(path, {"w": np.ones((2, 2), np.float32)}, {"format": "pt"})
    yield path.read_bytes()


def real_descriptions() -> Iterator[str]:
    """Descriptions of the same networks."""
    for net in networks():
        yield json.dumps(net.describe())


# ---- changed inputs ----

_WILD: tuple[Any, ...] = (
    0, 1, -1, 2, 7, 2**31 - 1, 2**31, 2**53, 2**62, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308,
    "", "x", "y", "float32", "float64", "Graph", "Sequential", "W", "F32", "F64", "\ud800", None,
    True, False, [], {}, [[]], [2, 3], [0], [10**4, 10**4], {"type": "ReLU"}, {"type": "Zeros"},
)  # fmt: skip


def mutated_json(value: Any, rng: random.Random) -> Any:
    """The same tree with one change."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        where = rng.randrange(len(items))
        key, one = items[where]
        manner = rng.randrange(12)
        if manner == 0:
            items.pop(where)
        elif manner == 1:
            items.insert(rng.randrange(len(items) + 1), items[where])
        elif manner == 2:
            other = rng.randrange(len(items))
            items[where] = (key, items[other][1])
        elif manner == 3 and isinstance(value, dict):
            items[where] = (rng.choice(["type", "name", "dtype", "seed", "x", "shape"]), one)
        else:
            items[where] = (key, mutated_json(one, rng))
        return dict(items) if isinstance(value, dict) else [one for _, one in items]
    if isinstance(value, str) and value[:1] == "{" and rng.random() < 0.9:
        return _changed_text(value, rng)
    if isinstance(value, int) and rng.random() < 0.5:
        return value + rng.choice([-8, -4, -1, 1, 4, 8])
    return rng.choice([*_WILD, *LAYERS, {"type": rng.choice(list(LAYERS))}])


def _changed_text(text: str, rng: random.Random) -> str:
    try:
        return json.dumps(mutated_json(json.loads(text), rng))
    except (ValueError, RecursionError):
        return text[: rng.randrange(len(text) + 1)]


def mutated_description(text: str, rng: random.Random) -> str:
    """A description with a change of its JSON, or sometimes of its text."""
    if text and rng.random() < 0.05:
        at = rng.randrange(len(text))
        return text[:at] + chr(rng.randrange(32, 127)) + text[at + 1 :]
    for _ in range(rng.randrange(1, 4)):
        text = _changed_text(text, rng) if text else "{}"
    return text


def mutated_file(contents: bytes, rng: random.Random) -> bytes:
    """A file with a change of its header, header length, tensor offsets, or any byte."""
    length = int.from_bytes(contents[:8], "little")
    header, data = contents[8 : 8 + length], contents[8 + length :]
    manner = rng.randrange(10)
    if manner == 0 or len(contents) < 10:
        changed = bytearray(contents or b"\0")
        for _ in range(rng.randrange(1, 5)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    if manner == 1:
        wrong = rng.choice([0, 1, 2, length - 1, length + 1, length + 8, 2**24, 2**63, 2**64 - 1])
        return (wrong % 2**64).to_bytes(8, "little") + contents[8:]
    if manner == 2:
        cut = rng.randrange(len(contents))
        return contents[:cut] if rng.random() < 0.7 else contents + contents[:cut]
    text = _shifted(header, rng) if manner == 3 else _changed_header(header, rng)
    return len(text).to_bytes(8, "little") + text + data


def _changed_header(header: bytes, rng: random.Random) -> bytes:
    text = header.decode("utf-8", "replace")
    for _ in range(rng.randrange(1, 4)):
        text = _changed_text(text, rng)
    return text.encode("utf-8", "surrogatepass")


def _shifted(header: bytes, rng: random.Random) -> bytes:
    """Change the offsets of one tensor, with or without its shape."""
    try:
        fields = json.loads(header)
        name = rng.choice([key for key in fields if key != "__metadata__"])
        places = fields[name]["data_offsets"]
        places[rng.randrange(2)] += rng.choice([-8, -4, 4, 8, 2**31, -(2**62)])
        if rng.random() < 0.5:
            fields[name]["shape"][0] += rng.choice([-1, 1, 2**31])
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return header + b" "
    return json.dumps(fields).encode()
