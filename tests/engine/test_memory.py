"""If any request for memory of a call fails, the call changes nothing."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core
from fastmlp.layers import custom

ROWS, WIDTH, CLASSES = 40, 6, 3
# More requests than any call makes.
MANY = 200


def make():
    hidden = fm.Linear(WIDTH, 300)  # wide enough for products to pack
    return fm.Sequential(hidden, fm.Tanh(), fm.Dropout(0.3), fm.Linear(300, CLASSES), seed=3)


X = np.sin(np.arange(ROWS * WIDTH)).reshape(ROWS, WIDTH).astype(np.float32)
Y = np.arange(ROWS) % CLASSES
DY = np.ones((ROWS, CLASSES), np.float32)


def fit(net, **options):
    options |= {"optimizer": fm.Adam(clip_norm=1.0), "penalty": fm.L2(0.1)}
    loss = fm.CrossEntropyLoss()
    return fm.fit(net, X, Y, loss=loss, epochs=3, batch_size=16, progress=False, **options)


def stepper(optimizer):
    def prepare(net):
        trainer = fm.Trainer(net, fm.CrossEntropyLoss(), optimizer(), fm.L1(0.1))
        return lambda: trainer.step(X, Y)

    return prepare


def hand_made_step(net):
    optimizer = fm.SGD(net, lr=0.1, momentum=0.9, clip_norm=0.1)
    net.backward(DY * (net.forward(X) > 0))
    return optimizer.step


def backward(net):
    net.forward(X, training=True)
    return lambda: net.backward(DY)


CALLS = {
    "constructor": lambda net: lambda: make(),
    "copy": lambda net: net.copy,
    "predict": lambda net: lambda: net.predict(X),
    "forward": lambda net: lambda: net.forward(X, training=True),
    "backward": backward,
    "Trainer": lambda net: lambda: fm.Trainer(net, fm.MSELoss(), fm.Adam(), [fm.L2(1), fm.L1(1)]),
    "step": stepper(fm.Adam),
    "clipped step": stepper(lambda: fm.Adagrad(clip_norm=1.0)),
    "fit": lambda net: lambda: fit(net),
    "optimizer.step": hand_made_step,
    "penalty": lambda net: lambda: fm.L2(0.1).forward(net),
    "layer alone": lambda net: lambda: net[0].forward(X),
}


@pytest.fixture(autouse=True)
def _no_failures_left():
    yield
    _core.fail_allocation(0)


def state(net):
    return net.params.tobytes(), net.grads.tobytes(), net.step_count


def attempt(name, nth):
    """Whether the call succeeded although its nth request for memory failed."""
    net = make()
    call = CALLS[name](net)
    before = state(net)
    _core.fail_allocation(nth)
    try:
        call()
    except fm.OutOfMemoryError:
        _core.fail_allocation(0)
        assert state(net) == before, f"changed by a failure of request {nth}"
        check_alive(net, call)
        return False
    finally:
        _core.fail_allocation(0)
    return True


def check_alive(net, call):
    call()
    assert np.array_equal(net.predict(X), net.forward(X))
    net.backward(DY)
    assert np.isfinite(fit(net).loss).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", CALLS)
def test_every_request_for_memory_may_fail(name, threads):
    with fm.threads(threads):
        through = [attempt(name, nth) for nth in range(1, MANY)]
    assert through[-1]
    # Backward by hand uses memory that forward has reserved.
    assert name == "backward" or not through[0]
    assert through == sorted(through)


def test_a_failed_retry_gives_what_the_first_try_would_have_given():
    expected, net = make(), make()
    fit(expected)
    for nth in range(1, 5):
        _core.fail_allocation(nth)
        with pytest.raises(fm.OutOfMemoryError):
            fit(net)
    _core.fail_allocation(0)
    fit(net)
    assert net.params.tobytes() == expected.params.tobytes()


def test_a_failure_between_epochs_leaves_the_last_epoch():
    """The workspace of validation is reserved before the first update; its loss's memory is not."""
    seen = [make().params.copy()]

    class Remember:
        def on_epoch_end(self, state):
            seen.append(state.net.params.copy())

    fit(make(), validation=(X, Y), callbacks=[Remember()])
    for nth in range(1, 20):
        net = make()
        _core.fail_allocation(nth)
        try:
            fit(net, validation=(X, Y))
        except fm.OutOfMemoryError:
            assert any(np.array_equal(net.params, params) for params in seen)
        finally:
            _core.fail_allocation(0)
        check_alive(net, lambda net=net: net.predict(X))


def test_a_network_larger_than_memory():
    for widths in ((2**31 - 1, 2**31 - 1), (2**31 - 1, 2**20)):
        with pytest.raises(fm.OutOfMemoryError, match="not enough memory"):
            fm.Sequential(fm.Linear(*widths))


def test_a_file_is_not_blamed_for_a_lack_of_memory(tmp_path):
    make().save(tmp_path / "net")
    for nth in range(1, 9):
        _core.fail_allocation(nth)
        with pytest.raises(fm.OutOfMemoryError):
            fm.load(tmp_path / "net")


def without_memory(code: str) -> None:
    """Run code in which requests of Python's objects fail, in a separate process that may crash."""
    pytest.importorskip("_testcapi")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("CPython without the GIL crashes by itself where a tuple finds no memory")
    # A tool that measures coverage needs memory too.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


EXHAUSTED = """
import _testcapi, fastmlp as fm
net = fm.Sequential(fm.Linear(2, 3), fm.Linear(3, 3), seed=0)
for nth in 3 * list(range(1, 400)):
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        fm.Trainer(net, fm.MSELoss(), fm.Adam())
    except Exception:
        pass
    finally:
        _testcapi.remove_mem_hooks()
    fm.Trainer(net, fm.MSELoss(), fm.Adam())
    [(k, str(k), {k}) for k in range(50)]
"""


def test_a_list_that_cannot_grow_does_not_crash():
    """Cython's list comprehensions released an item twice."""
    without_memory(EXHAUSTED)


ENTERED = """
import _testcapi, fastmlp as fm
before, failed = fm.get_num_threads(), 0
for nth in range(1, 20):
    context, entered = fm.threads(before + 1), False
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        with context:
            entered = True
    except MemoryError:
        failed += 1
    finally:
        _testcapi.remove_mem_hooks()
    assert entered or fm.get_num_threads() == before
    fm._core.scoped_threads(0)
assert failed
"""


def test_threads_stay_unchanged_if_their_context_cannot_be_entered():
    without_memory(ENTERED)


COPIED = """
import _testcapi, fastmlp as fm, numpy as np
net = fm.Sequential(fm.Linear(2, 3), fm.Linear(3, 3), seed=0)
copied = False
for nth in range(1, 2000):
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        copied = bool(net.copy())
    except Exception:
        pass
    finally:
        _testcapi.remove_mem_hooks()
    assert fm.Linear(2, 3, seed=0).W.any()
    if copied:
        break
assert copied
"""


def test_after_a_failed_copy_new_networks_draw_first_values():
    """Without memory, a network stayed in the mode in which first values are not drawn."""
    without_memory(COPIED)


ESTIMATED = """
import _testcapi, numpy as np
from fastmlp.sklearn._network import make_network
for nth in range(1, 1000):
    random = np.random.RandomState(0)
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        make_network([4, 3, 2], "relu", 0.0, "float32", random)
    except Exception:
        pass
    else:
        break
    finally:
        _testcapi.remove_mem_hooks()
assert nth < 999
"""


def test_estimators_without_memory_do_not_crash_numpy():
    """NumPy's scalars do not check whether there was memory for a result."""
    pytest.importorskip("sklearn")
    without_memory(ESTIMATED)


def test_nodes_in_python_leave_nothing_behind():
    class Same:
        forward = backward = staticmethod(lambda x: x)

    gc.collect()
    before = len(custom._OWNERS)
    for _ in range(10):
        fm.Sequential(fm.Linear(2, 2), Same(), seed=0)
    gc.collect()
    assert len(custom._OWNERS) == before
