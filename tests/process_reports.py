"""Fits in other threads and processes: ways to run them, and reports of the results.

A separate module, because spawned workers import their functions by name.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise

import numpy as np

import fastmlp as fm

THREADS = 2  # of a fit in this process
WORKERS = 2
SEEDS = range(4)
TIMEOUT = 30.0  # seconds, for waits
METHODS = ("fork", "spawn", "forkserver")

# Large enough that a second thread is faster: 8 steps, which take 10 ms on one thread of AVX-512.
ROWS, WIDTHS, BATCH, EPOCHS = 512, (784, 256, 128, 10), 128, 2
X = np.sin(np.arange(ROWS * WIDTHS[0], dtype=np.float64) ** 1.1).reshape(ROWS, -1)
X = X.astype(np.float32)
Y = np.arange(ROWS) % WIDTHS[-1]

# ---- a fit, and what it reports ----


def native_threads():
    """Threads of this process that Python did not start; None if the system does not tell."""
    if sys.platform != "linux":
        return None
    return len(os.listdir("/proc/self/task")) - threading.active_count()


# NumPy's threads, if its BLAS has started some.
AT_IMPORT = native_threads()


class Watch:
    """A callback that records the largest number of native threads."""

    def __init__(self):
        self.most = native_threads()

    def on_epoch_end(self, state):
        if self.most is not None:
            self.most = max(self.most, native_threads())


def make_trainer(seed):
    first, second, third = (fm.Linear(*pair) for pair in pairwise(WIDTHS))
    net = fm.Sequential(first, fm.ReLU(), fm.Dropout(0.1), second, fm.ReLU(), third, seed=seed)
    return fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(lr=1e-3))


def fit(seed):
    """Train a new network; return results to compare, and numbers of threads."""
    before, watch, trainer = native_threads(), Watch(), make_trainer(seed)
    history = trainer.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, callbacks=[watch], progress=False)
    results = trainer.net.params.tobytes() + np.array(history.loss).tobytes()
    return {
        "bits": hashlib.sha256(results).hexdigest(),
        "process": os.getpid(),
        "threads": fm.get_num_threads(),
        "started": None if before is None else watch.most - before,
    }


together = threading.Barrier(len(SEEDS))


def fit_together(seed):
    """Start at the same time as all others, and end only when all have finished."""
    together.wait(TIMEOUT)
    result = fit(seed)
    together.wait(TIMEOUT)
    return result


# ---- ways to run it ----


def pool(method):
    with multiprocessing.get_context(method).Pool(WORKERS) as workers:
        return workers.map(fit, SEEDS, chunksize=1)


def executor(method, task=fit, items=SEEDS):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(WORKERS, mp_context=context) as workers:
        return list(workers.map(task, items))


def python_threads():
    with ThreadPoolExecutor(len(SEEDS)) as workers:
        return list(workers.map(fit_together, SEEDS))


def with_joblib(backend, task=fit, items=SEEDS, **options):
    import joblib

    with joblib.parallel_config(backend, **options):
        return joblib.Parallel(WORKERS)(joblib.delayed(task)(item) for item in items)


IN_PROCESSES = {
    **{f"Pool, {method}": (pool, method) for method in METHODS},
    **{f"ProcessPoolExecutor, {method}": (executor, method) for method in METHODS},
    "joblib, loky": (with_joblib, "loky"),
}
IN_THREADS = {
    "ThreadPoolExecutor": (python_threads,),
    "joblib, threading": (with_joblib, "threading"),
}
WAYS = IN_PROCESSES | IN_THREADS

# ---- reports, which go to standard output ----


def report_fits(way):
    """Fit here, then elsewhere while threads exist here, then here again."""
    fm.set_num_threads(THREADS)
    run, *arguments = WAYS[way]
    here = [fit(seed) for seed in SEEDS]
    elsewhere = run(*arguments)
    print(json.dumps({"here": here, "elsewhere": elsewhere, "after": [fit(s) for s in SEEDS]}))


def report_threads():
    print(json.dumps(fm.get_num_threads()))


def report_inner_threads(count):
    """The effect of ``inner_max_num_threads`` on loky's workers."""
    print(json.dumps(with_joblib("loky", inner_max_num_threads=count)))


def report_idleness(seconds, tries):
    """CPU seconds of this process during ``seconds`` after each kind of call; the least of some."""
    fm.set_num_threads(THREADS)
    trainer, never = make_trainer(0), threading.Event()
    net, x, y = trainer.net, X[:BATCH], Y[:BATCH]
    upstream = np.full((ROWS, WIDTHS[-1]), 1e-3, np.float32)
    calls = {
        "nothing": lambda: None,
        "fit": lambda: trainer.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, progress=False),
        "step": lambda: trainer.step(x, y),
        "predict": lambda: net.predict(X),
        "forward": lambda: net.forward(X, training=True),
        "backward": lambda: net.backward(upstream),
    }
    used = dict.fromkeys(calls, float("inf"))
    for _ in range(tries):
        for name, call in calls.items():
            call()
            start = time.process_time()
            never.wait(seconds)
            used[name] = min(used[name], time.process_time() - start)
    ours = None if AT_IMPORT is None else native_threads() - AT_IMPORT
    print(json.dumps({"used": used, "ours": ours}))
