"""One fit in this process: `python -m bench.tables.fit` reads a request from standard input.

The request is JSON, see `bench.tables.run.Request`; the last line of the output is the result.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bench.problems import Array
from bench.tables.cases import Split, chosen_cases, described_cases, split, usual_cases
from bench.tables.contestants import CONTESTANTS
from bench.tables.contestants.base import Context
from bench.tables.scores import scores_of


class Clock:
    """Wall and CPU seconds of a block, and how many processors other programs used meanwhile."""

    def __enter__(self) -> Clock:
        self._start = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu, busy = (b - a for a, b in zip(self._start, self._now(), strict=True))
        self.wall, self.cpu = wall, cpu
        self.others = max(busy - cpu, 0.0) / wall if wall > 0.0 else 0.0

    @staticmethod
    def _now() -> tuple[float, float, float]:
        mine = time.process_time() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        return time.perf_counter(), mine, _busy_seconds()


def _busy_seconds() -> float:
    """Seconds that all processors of this machine have computed; 0 where it is not known."""
    try:
        first = Path("/proc/stat").read_text("utf-8").partition("\n")[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, irq, soft = map(int, first[:7])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def one_fit(name: str, data: Split, threads: int, seed: int) -> dict[str, Any]:
    """Fit and predict; return scores on the test rows, seconds and memory."""
    row = CONTESTANTS[name]
    contestant = row.load()(Context(data.classes, threads, seed, row.options))
    train, test = data.train, data.test
    y = train.y.copy()
    with Clock() as fitting:
        contestant.fit(train.frame.copy(), y)
    with Clock() as predicting:
        found = contestant.predict(test.frame.copy())
    return {
        **scores_of(test.y, checked(found, data), data.classes),
        "fit_wall": fitting.wall,
        "fit_cpu": fitting.cpu,
        "predict_wall": predicting.wall,
        "predict_cpu": predicting.cpu,
        "others": fitting.others,
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "train_rows": len(train.y),
        "test_rows": len(test.y),
    }


def checked(found: Any, data: Split) -> Array:
    """The predictions in float64; raise if they are not what a contestant has to return."""
    found = np.asarray(found, np.float64)
    rows = len(data.test.y)
    shape = (rows, data.classes) if data.classes else (rows,)
    if found.shape != shape or not np.isfinite(found).all():
        raise ValueError(f"predictions: got shape {found.shape}; want finite numbers {shape}")
    if data.classes and not np.allclose(found.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError("predictions: got probabilities whose sums are not 1")
    return found


def main() -> None:
    request = json.load(sys.stdin)
    cases = described_cases(Path(request["folder"])) if request["folder"] else []
    cases += usual_cases(Path(request["more"])) if request["more"] else []
    (case,) = chosen_cases(cases, [request["table"]])
    warnings.simplefilter("ignore")
    seed = request["seed"]
    result = one_fit(request["contestant"], split(case, seed), request["threads"], seed)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
