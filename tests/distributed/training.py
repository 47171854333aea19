"""Trains several networks alone or on the ranks of a world, and prints hashes of their parameters.

python training.py [wire]: as a program of MPI; "none" is one process without a world.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np

import fastmlp as fm


def network(name: str) -> fm.Sequential:
    """A small one, one with all that shards treat in their own way, or one with large arrays."""
    if name == "large":
        return fm.Sequential(fm.Linear(300, 200), fm.ReLU(), fm.Linear(200, 5), seed=1)
    if name == "wide":
        layers = [fm.Linear(300, 260), fm.ReLU()]
        return fm.Sequential(*layers, fm.Linear(260, 260), fm.GELU(), fm.Linear(260, 5), seed=1)
    layers = [fm.Linear(300, 16), fm.BatchNorm(16), fm.ReLU(), fm.Dropout(0.3)]
    return fm.Sequential(*layers, fm.Linear(16, 5), seed=1)


def train(name: str, threads: int, **options: Any) -> str:
    """The hash of a network's parameters and losses after some epochs with a short last batch."""
    rng = np.random.default_rng(0)
    rows = 1033 if name == "wide" else 131
    x = rng.standard_normal((rows, 300)).astype(np.float32)
    y = rng.integers(0, 5, rows)
    weights = rng.uniform(0.5, 2.0, rows) if name == "norm" else None
    net = network(name)
    with fm.threads(threads):
        history = fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), optimizer=fm.AdamW(clip_norm=1.0),
                         penalty=fm.L2(1e-3), epochs=2, batch_size=512 if name == "wide" else 64,
                         sample_weight=weights, validation=(x[:50], y[:50]), progress=False,
                         nan="skip" if name == "large" else "warn", **options)  # fmt: skip
    parts = [net.params, net.core_net().state, np.array(history.loss + history.val_loss)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def main(wire: str = "float32") -> None:
    """Print the hashes of all ranks."""
    options: dict[str, Any] = {"shards": 8}
    if wire != "none":
        options["world"] = fm.distributed.world(wire)
    found = [
        train(name, threads, **options) for threads in (1, 3) for name in ("norm", "large", "wide")
    ]
    told = options["world"]._comm.gather(found) if "world" in options else [found]
    if told is not None:
        print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
