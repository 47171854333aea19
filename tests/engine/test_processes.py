"""The process around the library: environment, import, threads; mostly in new processes."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from contract import processes_modes

import fastmlp as fm
from fastmlp import _core

LINUX = sys.platform == "linux"
TIMEOUT = 60.0
ROOT = str(Path(__file__).parents[2])


def run(code, *options, check=True, **environment):
    """Run code in a new interpreter, which must end; return its output."""
    clean = {k: v for k, v in os.environ.items() if k not in {"OMP_NUM_THREADS", "FASTMLP_ISA"}}
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env=clean | environment, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    return done.stdout.strip() if check else done


# ---- FASTMLP_ISA ----

SHOW_ISA = "import fastmlp; print(fastmlp.show_config()['isa'])"


@pytest.mark.parametrize("name", fm.show_config()["isas"])
def test_isa_can_be_forced(name):
    assert run(SHOW_ISA, FASTMLP_ISA=name) == name


def test_an_empty_name_forces_nothing():
    assert run(SHOW_ISA, FASTMLP_ISA="") == run(SHOW_ISA) == fm.show_config()["isas"][-1]


def test_an_unknown_isa_is_a_clear_error():
    done = run(SHOW_ISA, check=False, FASTMLP_ISA="sse9")
    assert done.returncode != 0
    assert "FASTMLP_ISA: got 'sse9'; want one of portable" in done.stderr


def test_an_unsupported_isa_is_a_clear_error():
    with pytest.raises(fm.ArgumentError) as caught:
        _core.use_isa("unknown")
    built = str(caught.value).split("want one of ")[1].split(", ")
    missing = [name for name in built if name not in fm.show_config()["isas"]]
    if not missing:
        pytest.skip("this processor can run every instruction set of this build")
    done = run(SHOW_ISA, check=False, FASTMLP_ISA=missing[0])
    assert done.returncode != 0
    assert f"FASTMLP_ISA: got {missing[0]!r}" in done.stderr
    assert "this processor" in done.stderr


# ---- the host's state ----


def contract(code):
    """The output of a report of the contract's scripts in a new process."""
    return json.loads(run(f"import sys; sys.path.insert(0, {ROOT!r})\n{code}"))


def test_the_host_process_is_as_before():
    found = contract("from contract import processes_state as s; s.report(())")
    assert found["calls"] > 15
    assert not found["changed"]


def test_import_starts_no_threads():
    tasks = "len(os.listdir('/proc/self/task'))"
    code = f"import os, numpy; before = {tasks}; import fastmlp; assert {tasks} == before"
    if LINUX:
        run(code)


@pytest.mark.parametrize("mode", processes_modes.modes())
def test_results_do_not_depend_on_the_modes_of_the_host(mode):
    """Nor on the modes in which OpenMP's threads started."""
    found = contract(f"from contract import processes_modes as m; m.report({mode!r}, False)")
    assert found["runs"] > 0
    assert not found["other"]
    assert not found["lost"]


def test_denormals_are_kept_whatever_the_threads():
    net = fm.Sequential(fm.Linear(1, 1, init=fm.initializers.Constant(0.5)), seed=0)
    tiny = np.full((5000, 1), 1e-40, np.float32)
    _core.ignore_thread_cost(True)
    try:
        for n in (1, 4):
            with fm.threads(n):
                assert np.array_equal(net.predict(tiny), tiny * np.float32(0.5))
    finally:
        _core.ignore_thread_cost(False)


def test_importing_loads_nothing_that_is_slow_or_optional():
    code = "import sys, fastmlp; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    loaded = set(run(code).split())
    assert not loaded & {"scipy", "sklearn", "matplotlib", "tqdm", "rich", "click", "pandas"}


def test_importing_adds_few_modules_to_numpys():
    code = (
        "import sys, numpy; before = set(sys.modules)\n"
        "import fastmlp; print(*sorted(set(sys.modules) - before))"
    )
    added = {name.split(".")[0] for name in run(code).split()} - {"fastmlp"}
    # Each of these would take a tenth of the import time or more.
    slow = {"asyncio", "copy", "dataclasses", "email", "hashlib", "http", "inspect", "json"}
    slow |= {"pathlib", "platform", "secrets", "shutil", "ssl", "subprocess", "tempfile", "uuid"}
    assert not added & slow


# ---- thread counts ----

SHOW_THREADS = "import fastmlp; print(fastmlp.get_num_threads())"


@functools.cache
def default_threads():
    """The number of threads of a new process without settings."""
    return run(SHOW_THREADS)


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("5,2", 5), (" 2", 2), ("1", 1)])
def test_omp_num_threads(given, expected):
    assert run(SHOW_THREADS, OMP_NUM_THREADS=given) == str(expected)


@pytest.mark.parametrize("given", ["", "0", "-3", "many", "2many", "1e3"])
def test_an_unusable_omp_num_threads_is_ignored(given):
    done = run(SHOW_THREADS, check=False, OMP_NUM_THREADS=given)  # libgomp may complain
    assert done.stdout.strip() == default_threads()


@pytest.mark.skipif(not LINUX, reason="affinity is Linux's")
def test_default_threads_respect_affinity():
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    assert run(pin + SHOW_THREADS) == "1"
    assert 1 <= int(default_threads()) <= len(os.sched_getaffinity(0))
    assert run(pin + SHOW_THREADS, OMP_NUM_THREADS="4") == "4"


def test_threads_are_scoped():
    outside = fm.get_num_threads()
    with fm.threads(3) as three:
        assert fm.get_num_threads() == 3
        with fm.threads(2), three:
            assert fm.get_num_threads() == 3
        with pytest.raises(KeyError), fm.threads(5):
            raise KeyError
        assert fm.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(fm.get_num_threads).result() == outside
        fm.set_num_threads(7)
        assert fm.get_num_threads() == 3
    assert fm.get_num_threads() == 7
    fm.set_num_threads(outside)
    assert fm.get_num_threads() == outside


# ---- several Python threads ----


def small_net(seed=0):
    return fm.Sequential(fm.Linear(20, 40), fm.ReLU(), fm.Linear(40, 4), seed=seed)


X = np.sin(np.arange(500 * 20)).reshape(500, 20).astype(np.float32)
Y = np.arange(500) % 4


@pytest.mark.parametrize("threads", [1, 2])
def test_eight_threads_predict_at_once(threads):
    net = small_net()
    expected = net.predict(X)

    def work(start):
        with fm.threads(threads):
            for turn in range(60):
                rows = slice((start + turn) % 7, 500 - turn)
                assert np.array_equal(net.predict(X[rows]), expected[rows])
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


class Hold:
    """A callback that keeps its fit running until the test has finished its work."""

    def __init__(self):
        self.started, self.done = threading.Event(), threading.Event()

    def on_epoch_end(self, state):
        self.started.set()
        if self.done.is_set():
            state.stop()


INTRUDERS = {
    "step": lambda net: fm.Trainer(net, fm.CrossEntropyLoss()).step(X, Y),
    "forward": lambda net: net.forward(X),
    "optimizer.step": lambda net: fm.SGD(net).step(),
}


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_two_threads_may_not_train_one_network(intruder):
    """The second one is refused: the intruder, or the fit at its next epoch."""
    net, hold, refused = small_net(), Hold(), None
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=1e-3))
    rows, labels = np.tile(X, (40, 1)), np.tile(Y, 40)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            trainer.fit, rows, labels, epochs=10**6, batch_size=50, callbacks=[hold], progress=False
        )
        assert hold.started.wait(TIMEOUT)
        while refused is None and not running.done():
            try:
                INTRUDERS[intruder](net)
            except fm.StateError as error:
                refused = error
        assert net.predict(X).shape == (500, 4)
        hold.done.set()
        refused = running.exception(TIMEOUT) or refused
    assert isinstance(refused, fm.StateError)
    assert "in use by another thread" in str(refused)
    assert np.isfinite(net.forward(X)).all()


def test_networks_train_side_by_side():
    def train(seed):
        net = small_net(seed)
        fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), epochs=3, progress=False)
        return net.params.copy()

    expected = [train(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(train, range(4)), expected, strict=True):
            assert np.array_equal(found, wanted)


class SecondComesFirst(fm.initializers.Initializer):
    """The thread that samples first waits until the other one has used the layer."""

    def __init__(self):
        self.entered, self.used = threading.Event(), threading.Event()

    def sample(self, shape, fans, seed, stream):
        if not self.entered.is_set():
            self.entered.set()
            assert self.used.wait(TIMEOUT)
        return np.full(shape, seed % 7 + 1.0)


def test_two_threads_that_use_a_layer_first_find_the_same_parameters():
    init = SecondComesFirst()
    layer = fm.Linear(20, 4, init=init)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(layer.forward, X)
        assert init.entered.wait(TIMEOUT)
        second = layer.forward(X)
        init.used.set()
        assert np.array_equal(first.result(TIMEOUT), second)
    assert np.array_equal(layer.forward(X), second)
