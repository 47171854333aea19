"""Random right and wrong calls: ``python -m contract.memory_calls calls rounds``.

Prints the resident memory during the calls, and the growth of used memory over rounds of equal
calls.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import json
import pickle
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contract.memory_cases import Cube
from fastmlp import _core

ROUND, WARM_UP = 25, 20
ACTIVATIONS = (fm.ReLU, fm.Tanh, fm.Sigmoid, fm.GELU, fm.ELU, fm.Softplus)
OPTIMIZERS = (fm.SGD, fm.Adam, fm.AdamW, fm.RMSprop, fm.Adagrad)
HOW = ("plainly", "plainly", "plainly", "without memory", "interrupted", "with bad rows",
       "with bad targets", "stopped")  # fmt: skip


class Stop(Exception):
    """Raised by a callback."""


class Interrupt:
    """Ends a fit at the end of an epoch, by Ctrl-C or by another exception."""

    def __init__(self, how: str) -> None:
        self.how = how

    def on_epoch_end(self, state: Any) -> None:
        """End it."""
        if self.how == "stopped":
            raise Stop
        signal.raise_signal(signal.SIGINT)


def network(rng: np.random.Generator) -> Any:
    """A small network of some kind."""
    widths = rng.integers(1, 24, int(rng.integers(2, 5)))
    dtype = ("float32", "float64")[int(rng.integers(2))]
    seed = int(rng.integers(1000))
    if rng.random() < 0.25:
        x = fm.Input(int(widths[0]))
        h = fm.BatchNorm(7)(fm.Linear(int(widths[0]), 7)(x))
        y = fm.Linear(7, int(widths[-1]))(fm.LayerNorm(7)(h) * fm.Tanh()(h))
        return fm.Graph(x, y, dtype=dtype, seed=seed)
    layers: list[Any] = []
    for a, b in pairwise(widths):
        layers += [fm.Linear(int(a), int(b)), ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]()]
    extra = [fm.Dropout(0.2), Cube(), fm.LayerNorm(int(widths[-2]))][int(rng.integers(3))]
    return fm.Sequential(*layers[:-2], extra, *layers[-2:-1], dtype=dtype, seed=seed,
                         in_features=int(widths[0]))  # fmt: skip


def one_call(seed: int, folder: Path) -> tuple[str, bool]:
    """Make a network, fit it and predict; return the kind of call, and whether it ended right."""
    rng = np.random.default_rng(seed)
    how = HOW[int(rng.integers(len(HOW)))]
    net = network(rng)
    rows = int(rng.integers(1, 40))
    x = rng.standard_normal((rows, net.in_features))
    y = rng.standard_normal((rows, net.out_features))
    options: dict[str, Any] = {"loss": fm.MSELoss(), "epochs": 2, "progress": False}
    options["optimizer"] = OPTIMIZERS[int(rng.integers(len(OPTIMIZERS)))]()
    options["penalty"] = fm.L2(0.1) if rng.random() < 0.3 else None
    options["batch_size"] = int(rng.integers(1, 20))
    if rng.random() < 0.3:
        options["validation"] = (x, y)
    expected: Any = None
    if how == "with bad rows":
        x, expected = x[:, 1:], fm.ArgumentError
    elif how == "with bad targets":
        y[0, 0], expected = np.nan, fm.ArgumentError
    elif how in ("interrupted", "stopped"):
        options["callbacks"] = [Interrupt(how)]
        expected = KeyboardInterrupt if how == "interrupted" else Stop
    elif how == "without memory":
        _core.fail_allocation(int(rng.integers(1, 12)))
        expected = (fm.OutOfMemoryError, type(None))
    ended = _fit_and_predict(net, x, y, options)
    _core.fail_allocation(0)
    _others(net, x, rng, folder)
    return how, isinstance(ended, expected or type(None))


def _fit_and_predict(net: Any, x: Any, y: Any, options: dict[str, Any]) -> BaseException | None:
    try:
        fm.fit(net, x, y, **options)
        net.predict(x)
    except BaseException as error:
        return error.with_traceback(None)
    return None


def _others(net: Any, x: Any, rng: np.random.Generator, folder: Path) -> None:
    """Sometimes do something else with the network."""
    choice = rng.random()
    has_custom = any(isinstance(layer, fm.Custom) for layer in net)
    if choice < 0.01 and not has_custom:  # rare, because it waits for the disk
        net.save(folder / "net")
        fm.load(folder / "net")
    elif choice < 0.3:
        copy.copy(net)
    elif choice < 0.4 and not has_custom:
        pickle.loads(pickle.dumps(net))
    elif x.shape[1] == net.in_features:
        with contextlib.suppress(fm.ArgumentError):
            net.forward(x, training=True, keep=choice < 0.6)
            net.backward(np.ones((len(x), net.out_features)))


def resident() -> int:
    """The resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class _Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]  # fmt: skip


def heap_reader() -> Callable[[], int]:
    """A function that returns the used bytes of the C library's heap; only for the GNU library."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return lambda: 0
    mallinfo.restype = _Mallinfo

    def read() -> int:
        info = mallinfo()
        return int(info.uordblks + info.hblkhd)

    return read


def main(calls: int, rounds: int) -> None:
    """Run random calls, then rounds of equal ones."""
    outcomes: Counter[str] = Counter()
    strange: list[str] = []
    heap = heap_reader()

    def call(seed: int) -> None:
        how, right = one_call(seed, folder)
        outcomes[how] += 1
        if not right:
            strange.append(f"call {seed}, {how}")

    def walk(seeds: range) -> list[tuple[int, int]]:
        curve = []
        for made, seed in enumerate(seeds, 1):
            call(seed)
            if made % max(1, calls // 50) == 0:
                gc.collect()
                curve.append((made, resident()))
        return curve

    with tempfile.TemporaryDirectory() as name, fm.threads(2):
        folder = Path(name)
        # Caches and gaps in the heap grow for some 60,000 calls; 180,000 further calls added
        # nothing.
        warm_up = calls * 3 // 4
        walk(range(warm_up))
        outcomes.clear()
        curve = walk(range(warm_up, warm_up + calls))
        counted = outcomes.copy()
        held = []
        for _ in range(WARM_UP + rounds):
            for k in range(ROUND):
                call(k)
            gc.collect()
            held.append((heap(), sys.getallocatedblocks()))
    heap_growth, block_growth = (
        (last - first) / (rounds * ROUND)
        for first, last in zip(held[WARM_UP - 1], held[-1], strict=True)
    )
    print(json.dumps({
        "resident": curve, "outcomes": counted, "unexpected": len(strange),
        "first_unexpected": strange[0] if strange else "", "heap_growth": heap_growth,
        "block_growth": block_growth,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
