"""What bfloat16 costs in the score on test rows: fits in both precisions, from several seeds.

`python -m bench.accuracy TASK SEEDS` prints the scores as JSON; `measure_accuracy` runs it in a
fresh process.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import numpy as np

import fastmlp as fm
from bench.datasets import LR, TASKS, Data, Missing, prepare
from bench.pool import ROOT, all_threads, pinned_environment

ACCURACY_TASKS = ("MNIST-10k", "letter", "California housing")
# Precision -> the argument ``compute``.
PRECISIONS = {"float32": None, "bfloat16": "bfloat16"}
SEEDS = 5


def measure_accuracy(task: str, seeds: int = SEEDS) -> dict[str, Any]:
    """Scores by precision, one for each seed; or the reason why there are none."""
    if "compute" not in inspect.signature(fm.Sequential).parameters:
        return {"unsupported": "this fastmlp has no compute="}
    try:
        prepare(TASKS[task])
    except Missing as error:
        return {"missing": str(error)}
    done = subprocess.run(
        [sys.executable, "-m", "bench.accuracy", task, str(seeds)],
        capture_output=True, text=True, cwd=ROOT, env=pinned_environment(all_threads()),
    )  # fmt: skip
    if done.returncode != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def score_of(data: Data, precision: str, seed: int) -> float:
    """The score after a fit: accuracy, or R2, on the test rows.

    The seed decides first weights and the order of the batches, alike for both precisions.
    """
    layers: list[fm.Layer] = []
    for fan_in, fan_out in zip(data.widths[:-1], data.widths[1:], strict=True):
        layers += [fm.ReLU()] if layers else []
        layers.append(fm.Linear(fan_in, fan_out))
    net = fm.Sequential(*layers, seed=seed, compute=PRECISIONS[precision])
    loss = fm.MSELoss() if data.regression else fm.CrossEntropyLoss()
    fm.fit(net, data.x, data.y, loss=loss, optimizer=fm.Adam(lr=LR), epochs=data.task.epochs,
           batch_size=data.task.batch, progress=False)  # fmt: skip
    predicted = net.predict(data.x_test)
    if not data.regression:
        return data.score(predicted)
    return 1.0 - float(np.mean((predicted - data.y_test) ** 2) / np.var(data.y_test))


def main(task: str, seeds: str) -> None:
    data = prepare(TASKS[task])
    scores: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for seed in range(int(seeds)):
        for precision in PRECISIONS:
            scores[precision].append(score_of(data, precision, seed))
    print(json.dumps(scores))


if __name__ == "__main__":
    main(*sys.argv[1:])
