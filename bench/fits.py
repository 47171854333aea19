"""Whole fits on real data, each in a fresh process, in interleaved rounds.

`python -m bench.fits NAME TASK THREADS SEED` makes some fits and prints seconds and score as JSON;
`measure_task` runs all of them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any

from bench.contestants import OURS
from bench.datasets import TASKS, Missing, Task, prepare
from bench.fitters import FITTERS, OUR_ESTIMATORS
from bench.measure import PAUSE_SECONDS
from bench.pool import ROOT, all_threads, pinned_environment
from bench.problems import SEED

# A fit with a score this far below the best one did not do the same work.
SCORE_GAP = 0.03
# Fits in a process, each with another order of batches. With Adam, the score after the last step
# changes by some hundredths with the order, so the median is used.
REPEATS = 3
# A third fit is left out if the others took so long.
SLOW_SECONDS = 4.0
# After the first round, a number of threads is dropped if the other one is this much faster.
HOPELESS = 1.15


def one_fit(
    name: str, task: Task, threads: int, first_seed: int, epochs: int | None
) -> dict[str, Any]:
    """Fit in this process: median seconds, scores on the test rows, seconds of compilation."""
    data = prepare(task, epochs)
    kind: Any = FITTERS[name].load()
    # Includes what a library does once in a process; compilation happens here.
    fitter = kind(data, threads)
    if not fitter.compile_seconds:
        kind(prepare(task, 1), threads).fit(first_seed)
    times: list[float] = []
    scores: list[float] = []
    for seed in range(first_seed, first_seed + REPEATS):
        time.sleep(PAUSE_SECONDS)
        start = time.perf_counter()
        fitter.fit(seed)
        times.append(time.perf_counter() - start)
        scores.append(data.score(fitter.predict(data.x_test)))
        if len(times) > 1 and sum(times) > SLOW_SECONDS:
            break
    return {
        "seconds": statistics.median(times),
        "scores": scores,
        "compile": fitter.compile_seconds,
    }


def measure_task(
    task: Task, names: Iterable[str], rounds: int = 2, epochs: int | None = None
) -> dict[str, Any]:
    """Results by contestant as in `measure.measure_cell`, with ``score`` and ``compile``."""
    try:
        prepare(task)
    except Missing as error:
        return {"missing": str(error)}
    results: dict[str, Any] = {}
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for name in names:
        if why := FITTERS[name].missing():
            results[name] = {"missing": why}
            continue
        tried = [all_threads()] if name in (OURS, OUR_ESTIMATORS) else sorted({1, all_threads()})
        runs.update({(name, threads): [] for threads in tried})
    for turn in range(rounds):
        seed = SEED + REPEATS * turn
        for name, threads in list(runs):
            try:
                runs[name, threads].append(_in_fresh_process(name, task, threads, seed, epochs))
            except RuntimeError as error:
                results[name] = {"failed": str(error)}
                del runs[name, threads]
        runs = {key: found for key, found in runs.items() if _may_win(key, runs)}
    for (name, threads), found in runs.items():
        _keep_better(results, name, threads, found)
    _refuse_poor_scores(results)
    return results


def _median(found: list[dict[str, Any]]) -> float:
    return statistics.median(run["seconds"] for run in found)


def _may_win(key: tuple[str, int], runs: dict[tuple[str, int], list[dict[str, Any]]]) -> bool:
    best = min(_median(found) for (name, _), found in runs.items() if name == key[0])
    return _median(runs[key]) <= HOPELESS * best


def _keep_better(
    results: dict[str, Any], name: str, threads: int, found: list[dict[str, Any]]
) -> None:
    seconds = _median(found)
    known = results.get(name)
    if known and ("failed" in known or known["seconds"] <= seconds):
        return
    results[name] = {
        "seconds": seconds,
        "threads": threads,
        "rounds": [run["seconds"] for run in found],
        "score": statistics.median(score for run in found for score in run["scores"]),
        "compile": statistics.median(run["compile"] for run in found),
    }


def _refuse_poor_scores(results: dict[str, Any]) -> None:
    scores = [one["score"] for one in results.values() if "score" in one]
    for name, one in results.items():
        if "score" in one and not one["score"] >= max(scores) - SCORE_GAP:
            results[name] = {"failed": f"scored {one['score']:.4f}, the best {max(scores):.4f}"}


def _in_fresh_process(
    name: str, task: Task, threads: int, seed: int, epochs: int | None
) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.fits", name, task.name, str(threads), str(seed)]
    command += [] if epochs is None else [str(epochs)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=pinned_environment(threads)
    )
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["failed"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def main(name: str, task: str, threads: str, seed: str, epochs: str | None = None) -> None:
    wanted = None if epochs is None else int(epochs)
    print(json.dumps(one_fit(name, TASKS[task], int(threads), int(seed), wanted)))


if __name__ == "__main__":
    main(*sys.argv[1:])
