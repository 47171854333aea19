"""Faults of streams: a clear error, the last finished step is kept, no thread stays behind."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import data
from fastmlp.data.read_ahead import ReadAhead

ROWS, WIDTH = 96, 3
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, WIDTH)).astype(np.float32)
Y = X.sum(axis=1)


def network():
    return fm.Sequential(fm.Linear(WIDTH, 8), fm.Tanh(), fm.Linear(8, 1), seed=0)


def options(**changed):
    return {"loss": fm.MSELoss(), "batch_size": 16, "progress": False, **changed}


def halves(begin=0, end=ROWS, size=16):
    for k in range(begin, end, size):
        yield X[k : k + size], Y[k : k + size]


def after(rows):
    """Parameters after one epoch of so many rows in order."""
    net = network()
    fm.fit(net, X[:rows], Y[:rows], **options(epochs=1, shuffle=False))
    return net.params


@pytest.fixture(autouse=True)
def _no_thread_stays():
    yield
    assert not [one for one in threading.enumerate() if one.name == "fastmlp-reader"]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """Each block is handed on by itself."""
    monkeypatch.setattr("fastmlp.training.stream._CHUNK_BYTES", 1)


def wider():
    yield from halves(0, 32)
    yield np.ones((16, WIDTH + 1)), Y[:16]


def text():
    yield from halves(0, 32)
    yield np.full((16, WIDTH), "a"), Y[:16]


def not_finite():
    yield from halves(0, 32)
    yield np.full((16, WIDTH), np.nan), Y[:16]


def weighted():
    yield from halves(0, 32)
    yield X[:16], Y[:16], np.ones(16)


def no_pair():
    yield from halves(0, 32)
    yield X[:16]


def fewer_targets():
    yield from halves(0, 32)
    yield X[:16], Y[:10]


def raising():
    yield from halves(0, 32)
    raise OSError("the line is dead")


def interrupted():
    yield from halves(0, 32)
    raise KeyboardInterrupt


FAULTS = [
    (wider, fm.ArgumentError, "block 3 of epoch 1, x: got 4 columns; want 3"),
    (text, fm.ArgumentTypeError, "block 3 of epoch 1, x: got dtype <U1"),
    (not_finite, fm.ArgumentError, r"block 3 of epoch 1, x: got nan at index \(0, 0\)"),
    (weighted, fm.ArgumentError, "block 3 of epoch 1, sample_weight: got weights, after blocks"),
    (no_pair, fm.ArgumentTypeError, r"block 3 of epoch 1, x: got ndarray of 16; want \(x, y\) or"),
    (fewer_targets, fm.ArgumentError, "block 3 of epoch 1, y: got 10 rows; want 16"),
    (raising, OSError, "the line is dead"),
    (interrupted, KeyboardInterrupt, None),
]


@pytest.mark.parametrize("read_ahead", [True, False])
@pytest.mark.parametrize(("blocks", "error", "match"), FAULTS, ids=lambda one: str(one)[:20])
def test_faults_in_a_block_keep_the_last_finished_step(blocks, error, match, read_ahead):
    net = network()
    source = data.iterable(blocks, read_ahead=read_ahead)
    with pytest.raises(error, match=match) as caught:
        fm.fit(net, source, **options(shuffle=False))
    assert len(caught.value.history) == 0
    assert np.array_equal(net.params, after(32))


def test_an_iterable_that_is_used_up_in_the_second_epoch():
    class Once:
        def __init__(self):
            self.blocks = halves()

        def __iter__(self):
            return self.blocks

    net = network()
    with pytest.raises(fm.ArgumentError, match=r"no rows in epoch 2 of the stream; .* generator"):
        fm.fit(net, Once(), **options(epochs=3, shuffle=False))
    assert np.array_equal(net.params, after(ROWS))


NO_SOURCES = [
    (lambda: iter(()), "no rows in epoch 1 of the stream; want at least one"),
    (lambda: 3, r"got 3 from .*; want an iterable that gives \(x, y\)"),
    ([(X[:0], Y[:0])], "no rows in epoch 1"),
    (data.iterable(halves, rows=90), "at least 96 rows in epoch 1; want 90"),
    (data.iterable(halves, rows=100), "96 rows in epoch 1; want 100, the number of rows"),
]


@pytest.mark.parametrize(("source", "match"), NO_SOURCES, ids=[pair[1][:20] for pair in NO_SOURCES])
def test_streams_that_are_not_as_said(source, match):
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=match):
        fm.fit(network(), source, **options(epochs=2))


def test_arguments_that_do_not_fit_streams():
    net, blocks = network(), list(halves())
    cases = [
        ((X, None), {}, "y: got None; want targets, or as x a source"),
        ((data.iterable(blocks), Y), {}, "y: got .* beside a stream; want None"),
        ((blocks, None), {"sample_weight": Y}, "sample_weight: got .* beside a stream"),
        ((blocks, None), {"validation": 0.1}, "rows cannot be told apart; want"),
        ((blocks, None), {"optimizer": fm.LBFGS(), "batch_size": None}, "LBFGS, which takes all"),
        ((X, Y), {"validation": halves(), "epochs": 2}, "generator, which can be read once"),
        ((X, Y), {"validation": lambda: [(X[:, :2], Y)]}, "validation block 1 of .* 2 columns"),
    ]
    for (x, y), changed, match in cases:
        with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=match):
            fm.fit(net, x, y, **options(**changed))
    for call in (data.iterable, data.arrays):
        with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError)):
            call(3, 4)
    with pytest.raises(fm.ArgumentError, match="y: got 95 rows; want 96"):
        data.arrays(X, Y[1:])


@pytest.mark.parametrize("shuffle", [True, False])
def test_ctrl_c_ends_the_fit_and_the_reader(shuffle):
    """While the reader waits for its next block, and the fit for the reader."""
    going_on = threading.Event()

    def blocks():
        yield from halves(0, 32)
        os.kill(os.getpid(), signal.SIGINT)
        going_on.wait(0.2)
        yield from halves(32)

    net = network()
    with pytest.raises(KeyboardInterrupt):
        fm.fit(net, data.iterable(blocks, window=32), **options(shuffle=shuffle))
    finished = [network().params, after(16), after(32)]
    assert shuffle or any(np.array_equal(net.params, one) for one in finished)


def test_a_reader_that_does_not_end_is_reported(monkeypatch):
    monkeypatch.setattr("fastmlp.data.read_ahead.PATIENCE", 0.05)
    begun, going_on = threading.Event(), threading.Event()

    def items():
        yield 1
        begun.set()
        going_on.wait()
        yield 2

    ahead = ReadAhead(items(), 1, lambda: None)
    assert next(ahead) == 1
    begun.wait()
    with pytest.warns(RuntimeWarning, match="is still waiting for its next block"):
        ahead.close()
    going_on.set()
    assert ahead._thread is not None
    ahead._thread.join()


def test_generators_are_closed_on_the_thread_that_reads():
    ended = []

    def blocks():
        try:
            yield from halves()
        finally:
            ended.append(threading.current_thread().name)

    fm.fit(network(), blocks, **options(epochs=1))
    with pytest.raises(fm.ArgumentError):
        fm.fit(network(), data.iterable(blocks, rows=20), **options(epochs=1))
    assert ended == ["fastmlp-reader"] * 2


def test_a_map_whose_file_becomes_shorter_or_changes(tmp_path):
    class Change:
        def __init__(self, change):
            self.change = change

        def on_epoch_end(self, state):
            self.change()

    path = tmp_path / "x.npy"
    changes = {
        "bytes, and had": lambda: os.truncate(path, 200),
        "has been written to": lambda: os.utime(path, ns=(0, 0)),
    }
    for match, change in changes.items():
        np.save(path, X)
        net = network()
        mapped = np.load(path, mmap_mode="r")
        with pytest.raises(fm.ArgumentError, match=f"x: the file .*x.npy has .*{match}|{match}"):
            fm.fit(net, mapped, Y, **options(shuffle=False, callbacks=[Change(change)]))
        assert np.array_equal(net.params, after(ROWS))
    # A new file in its place leaves the map as it was.
    np.save(path, X)
    net, mapped = network(), np.load(path, mmap_mode="r")
    os.unlink(path)
    fm.fit(net, mapped, Y, **options(epochs=1, shuffle=False))
    assert np.array_equal(net.params, after(ROWS))


def test_private_maps_keep_what_was_written(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros_like(X))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="c")
    mapped[...] = X
    net = network()
    for _ in range(2):
        fm.fit(net, mapped, Y, **options(epochs=1))
    assert np.array_equal(mapped, X)
