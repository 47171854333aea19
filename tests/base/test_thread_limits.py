"""Limits that other tools set: threadpoolctl's, also in joblib's threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("threadpoolctl")
pytest.importorskip("joblib")

# Four threads, whatever this machine has. Each line of the result is what a call may use.
SCRIPT = """
import json
import threading
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits
import fastmlp as fm

found = {"before": fm.get_num_threads()}
elsewhere = []
with threadpool_limits(2):
    found["limit"] = fm.get_num_threads()
    with threadpool_limits(1, user_api="openmp"):
        found["nested"] = fm.get_num_threads()
    found["after nested"] = fm.get_num_threads()
    with threadpool_limits(8):
        found["more"] = fm.get_num_threads()
    with threadpool_limits(1, user_api="blas"):
        found["of BLAS"] = fm.get_num_threads()
    with fm.threads(3):
        found["own number within"] = fm.get_num_threads()
    thread = threading.Thread(target=lambda: elsewhere.append(fm.get_num_threads()))
    thread.start()
    thread.join()
found["another thread"] = elsewhere[0]
found["after"] = fm.get_num_threads()
with fm.threads(3):
    found["own number"] = fm.get_num_threads()

barrier = threading.Barrier(2)

def task(limit):
    with threadpool_limits(limit):
        barrier.wait()  # both tasks are in their blocks now
        found = fm.get_num_threads()
        barrier.wait()
    return found

found["tasks"] = Parallel(n_jobs=2, backend="threading")(map(delayed(task), [1, 3]))
print(json.dumps(found))
"""


def test_limits():
    environment = os.environ | {"OMP_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {
        "before": 4,
        "limit": 2,
        "nested": 1,
        "after nested": 2,
        "more": 4,  # no more than without limits
        "of BLAS": 2,
        "own number within": 2,
        "another thread": 4,
        "after": 4,
        "own number": 3,
        "tasks": [1, 3],
    }
