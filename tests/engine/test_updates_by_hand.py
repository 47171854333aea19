"""``optimizer.step()`` by hand: on several threads, without the GIL, and with the same bits."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tests import harness

import fastmlp as fm

# The last chunk is incomplete, and there are more chunks than threads.
WIDTH = 151

OPTIMIZERS = {
    "sgd": lambda net: fm.SGD(net, lr=0.01, momentum=0.9),
    "adam": lambda net: fm.Adam(net, lr=0.01),
    "adam, clipped": lambda net: fm.Adam(net, lr=0.01, clip_norm=0.1),
    "rmsprop, clipped": lambda net: fm.RMSprop(net, lr=0.01, clip_norm=0.1, momentum=0.5),
    "adagrad": lambda net: fm.Adagrad(net, lr=0.01),
}


def updated(make, dtype):
    net = fm.Sequential(fm.Linear(WIDTH, WIDTH), fm.Linear(WIDTH, 3), dtype=dtype, seed=0)
    optimizer, draws = make(net), np.random.default_rng(0)
    for _ in range(3):
        net.grads[...] = draws.standard_normal(net.grads.size)
        optimizer.step()
    state = optimizer.state_dict()
    arrays = [net.params, *state["slots"], state["powers"]]
    return [array.tobytes() for array in arrays], state["t"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_has_the_same_bits_on_any_number_of_threads(name, dtype):
    with harness.using_threads(1):
        alone = updated(OPTIMIZERS[name], dtype)
    assert alone[1] == 3
    for threads in (2, 3, 7, 40):
        with harness.using_threads(threads):
            assert updated(OPTIMIZERS[name], dtype) == alone


def test_an_update_releases_the_gil_and_locks_the_network():
    """If two threads update one network at once, one is refused; no update is lost."""
    net = fm.Sequential(fm.Linear(1000, 1000), seed=0)
    optimizer = fm.SGD(net, lr=1.0)
    net.params[...], net.grads[...] = 0.0, -1.0
    done, refused = [0, 0], threading.Event()
    optimizer.step()

    def update(which):
        # Refusals come soon. If calls never overlap, the loop ends without one.
        for _ in range(20_000):
            if refused.is_set():
                return
            try:
                optimizer.step()
            except fm.StateError:
                refused.set()
            else:
                done[which] += 1

    threads = [threading.Thread(target=update, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused.is_set()
    assert (net.params == 1 + sum(done)).all()
    assert optimizer.state_dict()["t"] == 1 + sum(done)
