"""Forked processes never hang and give the same bits. Each test runs a new process."""

from __future__ import annotations

import os

import pytest
from tests import watchdog

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in {"OMP_NUM_THREADS", "FASTMLP_ISA"}}


def run(code):
    """Run code in a new interpreter, which must end."""
    watchdog.run("-c", code, environment=ENVIRONMENT)


WORK = """
import faulthandler, hashlib, os, sys
import numpy as np
import fastmlp as fm
from fastmlp import _core

faulthandler.dump_traceback_later(40, exit=True)
_core.ignore_thread_cost(True)
X = np.sin(np.arange(300 * 20)).reshape(300, 20).astype(np.float32)
Y = np.arange(300) % 4

def make():
    return fm.Sequential(fm.Linear(20, 40), fm.Tanh(), fm.Linear(40, 4), seed=1)

def work(net):
    with fm.threads(4):
        first = net.predict(X).tobytes()
        fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), epochs=3, batch_size=50, progress=False)
        return hashlib.sha256(first + net.predict(X).tobytes()).hexdigest()

def in_child(task):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, task().encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        found = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return found
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
def test_a_forked_child_works_after_threaded_training():
    run(
        WORK
        + """
net = make()
work(net)
expected = work(net.copy())
assert in_child(lambda: work(net)) == expected
assert in_child(lambda: in_child(lambda: work(net))) == expected
assert work(net) == expected
"""
    )


@needs_fork
def test_a_child_forked_during_a_step_can_use_a_copy():
    """A fork within a loss happens during a step, with any number of threads."""
    run(
        WORK
        + """
import threading

net, during, forked = make(), threading.Event(), threading.Event()
before = net.copy()
expected = before.copy().forward(X).tobytes().hex()

class Waits:
    def forward(self, scores, target):
        self.shape = scores.shape
        during.set()
        assert forked.wait(30)
        return 0.0

    def backward(self):
        return np.zeros(self.shape)

def child():
    for call in (lambda: net.forward(X), lambda: fm.Trainer(net, fm.MSELoss()).step(X, X[:, :4])):
        try:
            call()
        except fm.StateError as error:
            assert "when this process was forked" in str(error), error
        else:
            raise AssertionError("the step that nobody will finish was ignored")
    assert np.array_equal(net.predict(X), before.predict(X))
    return net.copy().forward(X).tobytes().hex()

thread = threading.Thread(target=fm.Trainer(net, Waits()).step, args=(X, X[:, :4]))
thread.start()
assert during.wait(30)
assert in_child(child) == expected
forked.set()
thread.join()
net.forward(X)
"""
    )


@needs_fork
def test_a_child_forked_during_training_does_not_hang():
    run(
        WORK
        + """
import threading

net, other = make(), make()
expected = work(other.copy())
done = threading.Event()

class UntilDone:
    def on_epoch_end(self, state):
        if done.is_set():
            state.stop()

def train():
    with fm.threads(3):
        fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), epochs=10**6, progress=False,
               callbacks=[UntilDone()])

def child():
    net.predict(X)
    try:
        net.forward(X)
    except fm.StateError:
        pass
    return work(other)

thread = threading.Thread(target=train)
thread.start()
for _ in range(5):
    assert in_child(child) == expected
done.set()
thread.join()
"""
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, tmp_path):
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    script = tmp_path / "script.py"
    script.write_text(
        WORK
        + f"""
def main():
    import multiprocessing
    net = make()
    work(net)
    expected = work(net.copy())
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        assert pool.map(work, [net] * 4) == [expected] * 4

if __name__ == "__main__":
    main()
"""
    )
    watchdog.run(str(script), environment=ENVIRONMENT)
