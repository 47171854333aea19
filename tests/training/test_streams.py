"""Fits of streams: the bits of arrays, whatever the blocks are; shuffles; schedules; progress."""

from __future__ import annotations

import io
import itertools
import os
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import data

ROWS, WIDTH, CLASSES = 230, 6, 3
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, WIDTH)).astype(np.float32)
Y = np.arange(ROWS) % CLASSES
WEIGHTS = RNG.random(ROWS).astype(np.float32)


def network(**options):
    return fm.Sequential(fm.Linear(WIDTH, 16), fm.BatchNorm(16), fm.ReLU(), fm.Dropout(0.2),
                         fm.Linear(16, CLASSES), seed=0, **options)  # fmt: skip


def fit(x, y=None, net=None, **options):
    net = net or network()
    options = {"loss": fm.CrossEntropyLoss(), "epochs": 3, "batch_size": 16, **options}
    history = fm.fit(net, x, y, progress=False, **options)
    return net.params.tobytes(), net.state.tobytes(), history.loss, history.val_loss, history.lr


def cut(sizes, *arrays):
    """Blocks of these sizes, again and again."""
    begin, found, size = 0, [], itertools.cycle(sizes)
    while begin < ROWS:
        end = begin + next(size)
        found.append(tuple(one[begin:end] for one in arrays))
        begin = end
    return found


def threads_left():
    return [one for one in threading.enumerate() if one.name == "fastmlp-reader"]


@pytest.fixture(autouse=True)
def _no_thread_stays():
    yield
    assert not threads_left()


DIVISIONS = [(16,), (7,), (1, 50, 3), (230,), (100, 0, 31)]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("sizes", DIVISIONS, ids=str)
def test_blocks_of_any_size_give_the_bits_of_arrays(sizes, shuffle):
    """In one window, also the shuffle is that of arrays."""
    expected = fit(X, Y, shuffle=shuffle, sample_weight=WEIGHTS)
    assert fit(cut(sizes, X, Y, WEIGHTS), shuffle=shuffle) == expected


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 16, 100, 300])
def test_batches_of_any_size(batch_size, drop_last):
    options = {"batch_size": batch_size, "drop_last": drop_last, "epochs": 2}
    small = fm.data.iterable(cut((17,), X, Y), window=50)
    for shuffle in (False, True):
        expected = fit(X, Y, shuffle=shuffle, **options)
        assert fit(cut((17,), X, Y), shuffle=shuffle, **options) == expected
    assert len(fit(small, **options)[2]) == 2


class Recorded:
    """Records the rows that a loss of the user gets, in their order."""

    def __init__(self):
        self.rows = []

    def __call__(self, scores, y):
        self.rows.append(y.copy())
        return 0.0, np.zeros_like(scores)


def order_of(source, epochs=1, **options):
    loss = Recorded()
    net = fm.Sequential(fm.Linear(WIDTH, 1), seed=0)
    fm.fit(net, source, loss=loss, epochs=epochs, batch_size=16, progress=False, **options)
    return np.concatenate(loss.rows).reshape(epochs, -1)


def numbered(sizes=(20,)):
    return cut(sizes, X, np.arange(ROWS))


def test_a_window_is_shuffled_and_blocks_do_not_matter():
    first, second = order_of(data.iterable(numbered(), window=64), epochs=2)
    for order in (first, second):
        for begin in range(0, ROWS, 64):
            window = order[begin : begin + 64]
            assert sorted(window) == list(range(begin, min(begin + 64, ROWS)))
    assert (first != second).any()
    assert (first != np.arange(ROWS)).any()
    again = order_of(data.iterable(numbered((3, 100)), window=64), epochs=2)
    assert np.array_equal(again, [first, second])
    assert (order_of(data.iterable(numbered(), window=64), seed=1) != first).any()


def test_blocks_of_arrays_are_permuted_if_a_window_does_not_hold_all(tmp_path, monkeypatch):
    monkeypatch.setattr("fastmlp.data.array_source._BLOCK_BYTES", 10 * (4 * WIDTH + 8))
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    orders = order_of(data.arrays(mapped, np.arange(ROWS), window=40), epochs=2)
    assert all(sorted(order) == list(range(ROWS)) for order in orders)
    assert (orders[0] != orders[1]).any()
    assert len({row // 10 for row in orders[0][:40]}) == 4
    assert sorted(orders[0][:40]) != list(range(40))
    # All rows in one window: the order of arrays.
    whole = order_of(data.arrays(mapped, np.arange(ROWS), window=ROWS))
    loss = Recorded()
    fm.fit(fm.Sequential(fm.Linear(WIDTH, 1), seed=0), X, np.arange(ROWS), loss=loss, epochs=1,
           batch_size=16)  # fmt: skip
    assert np.array_equal(whole[0], np.concatenate(loss.rows))


def test_functions_iterables_and_sources_are_the_same():
    class Again:
        def __iter__(self):
            return iter(cut((40,), X, Y))

    class Own(data.Source):
        rows = ROWS

        def open(self, epoch, seed):
            for x, y in cut((40,), X, Y):
                yield data.Block(lambda dtype, x=x, y=y: [(x, y, None)], len(x))

    expected = fit(X, Y)
    for source in (lambda: cut((40,), X, Y), Again(), Own(), data.iterable(Again(), ROWS),
                   data.iterable(Again(), read_ahead=False), tuple(cut((40,), X, Y))):  # fmt: skip
        assert fit(source) == expected


def test_a_generator_is_read_once():
    def blocks():
        yield from cut((40,), X, Y)

    assert fit(blocks(), epochs=1) == fit(X, Y, epochs=1)
    with pytest.raises(fm.ArgumentError, match="generator, which can be read once, for 2 epochs"):
        fit(blocks(), epochs=2)


def test_blocks_may_be_written_over():
    def blocks():
        x, y = np.empty((16, WIDTH), np.float32), np.empty(16, np.int64)
        for a, b in cut((16,), X, Y):
            x[: len(a)], y[: len(b)] = a, b
            yield x[: len(a)], y[: len(b)]

    for shuffle in (False, True):
        assert fit(blocks, shuffle=shuffle) == fit(X, Y, shuffle=shuffle)


def test_memory_maps_are_streamed_with_the_bits_of_arrays(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    x, y = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy")
    assert fit(x, y) == fit(X, Y)
    assert fit(X, y, validation=0.25) == fit(X, Y, validation=0.25)
    held = fit(X, Y, validation=(X[:50], Y[:50]))
    assert fit(x, y, validation=(x[:50], y[:50])) == held
    assert fit(X, Y, validation=data.arrays(x[:50], y[:50])) == held


@pytest.mark.parametrize("dtype", [">f4", "f8", "i2"])
def test_memory_maps_of_other_types_are_converted(dtype, tmp_path):
    x = (100 * X).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    assert fit(np.load(tmp_path / "x.npy", mmap_mode="r"), Y) == fit(x, Y)


def test_several_inputs_outputs_and_targets_of_names():
    def pair():
        a, b = fm.Input(4, name="a"), fm.Input(2, name="b")
        h = fm.ReLU()(fm.Linear(4, 8)(a) + fm.Linear(2, 8)(b))
        return fm.Graph([a, b], {"c": fm.Linear(8, CLASSES)(h), "v": fm.Linear(8, 1)(h)}, seed=0)

    def rows(part):
        return {"a": X[part, :4], "b": X[part, 4:]}, {"c": Y[part], "v": X[part, 0]}

    loss = {"c": fm.CrossEntropyLoss(), "v": fm.MSELoss()}
    blocks = [rows(slice(k, k + 33)) for k in range(0, ROWS, 33)]
    expected = fit(*rows(slice(None)), net=pair(), loss=loss)
    assert fit(blocks, net=pair(), loss=loss) == expected


def test_targets_of_own_losses_and_sparse_rows():
    def loss(scores, y):
        d = scores - y["a"][:, None]
        return float((d * d).mean() + y["b"].mean()), 2 * d / d.size

    targets = {"a": X[:, 0], "b": np.arange(ROWS)}
    blocks = [(X[k : k + 33], {n: t[k : k + 33] for n, t in targets.items()})
              for k in range(0, ROWS, 33)]  # fmt: skip
    assert fit(blocks, loss=loss) == fit(X, targets, loss=loss)
    sparse = pytest.importorskip("scipy.sparse")
    rows = sparse.random(ROWS, WIDTH, 0.4, "csr", np.float32, random_state=0)
    blocks = [(rows[k : k + 33], Y[k : k + 33]) for k in range(0, ROWS, 33)]
    for shuffle in (False, True):
        assert fit(blocks, shuffle=shuffle) == fit(rows, Y, shuffle=shuffle)


@pytest.mark.parametrize("shuffle", [False, True])
def test_members_take_orders_of_their_own(shuffle):
    def run(*rows):
        net = fm.Sequential(fm.Linear(2 * WIDTH, 12, groups=2), fm.Tanh(),
                            fm.Linear(12, 2 * CLASSES, groups=2), seed=0)  # fmt: skip
        history = fm.fit(net, *rows, loss=fm.CrossEntropyLoss(fold=2), epochs=2, batch_size=16,
                         members=2, shuffle=shuffle, validation=(X[:40], Y[:40]))  # fmt: skip
        return net.params.tobytes(), history.member_loss, history.val_member_loss

    assert run(cut((33,), X, Y)) == run(X, Y)
    with pytest.raises(fm.ArgumentError, match="members: got Members"):
        fit(cut((33,), X, Y), members=fm.Members([[0]]))


# ---- schedules, callbacks, progress ----


def test_schedules_of_epochs_need_no_number_of_rows():
    for schedule in (fm.CosineLR(), fm.StepLR(1), fm.ReduceLROnPlateau(patience=0)):
        assert fit(cut((40,), X, Y), schedule=schedule) == fit(X, Y, schedule=schedule)


@pytest.mark.parametrize("schedule", [fm.OneCycleLR(0.1), fm.CosineLR(warmup=1)], ids=repr)
def test_schedules_of_steps_need_the_number_of_rows(schedule):
    blocks, net = cut((40,), X, Y), network()
    before = net.params.copy()
    with pytest.raises(fm.ArgumentError, match="needs the number of steps of an epoch"):
        fit(blocks, net=net, schedule=schedule)
    assert np.array_equal(net.params, before)
    told = data.iterable(blocks, rows=ROWS)
    settings = {"schedule": schedule, "schedules": {"dropout": fm.FlatCosineLR()}}
    assert fit(told, **settings) == fit(X, Y, **settings)


def test_a_schedule_may_wait_until_the_first_epoch_has_told_the_steps():
    """The learning rate is flat at first, so the first epoch needs no number of steps."""
    late = {"schedule": fm.FlatCosineLR(flat=0.5), "epochs": 4}
    assert fit(cut((40,), X, Y), **late) == fit(X, Y, **late)
    calls = iter(range(4))

    def growing():
        return cut((40,), X, Y) * (1 + next(calls) // 2)

    with pytest.raises(fm.ArgumentError, match="got more than the 15 steps of an earlier epoch"):
        fit(growing, **late)


class Steps:
    def __init__(self, every):
        self.step_every, self.seen = every, []

    def on_step_end(self, state):
        self.seen.append((state.step, state.step_losses.copy()))


def test_callbacks_between_steps_see_what_they_see_of_arrays():
    ours, theirs = Steps(4), Steps(4)
    assert fit(cut((40,), X, Y), callbacks=[ours, fm.EMA()]) == fit(X, Y, callbacks=[theirs])
    for (step, losses), (known, expected) in zip(ours.seen, theirs.seen, strict=True):
        assert step == known
        assert np.array_equal(losses, expected)


def test_a_fit_can_end_within_a_stream():
    class Stop(Steps):
        def on_step_end(self, state):
            state.stop()

    net = network()
    history = fm.fit(net, cut((40,), X, Y), loss=fm.CrossEntropyLoss(), batch_size=16,
                     callbacks=[Stop(5)])  # fmt: skip
    assert len(history) == 1


def test_progress_has_rows_and_bytes(monkeypatch):
    monkeypatch.setattr("fastmlp.training.progress._LINES", 0.0)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    text, seen = io.StringIO(), []

    class Blocks:
        def on_epoch_end(self, state):
            """Only blocks count."""

        def on_block_end(self, state):
            seen.append((state.stream.rows, state.stream.rows_in_all, state.stream.bytes))

    source = data.iterable(cut((40,), X, Y), rows=ROWS, window=100)
    fit(source, epochs=2, callbacks=[Blocks(), fm.ProgressBar(text)])
    size = ROWS * (4 * WIDTH + 8)
    assert [one for one in seen if one[0] == ROWS] == [(ROWS, ROWS, size)] * 2
    assert "epoch 1/2  96 of 230 rows, " in text.getvalue()


def test_data_loaders_of_pytorch():
    torch = pytest.importorskip("torch.utils.data")
    import torch as t

    # PyTorch sets OpenMP's number of threads of this thread, which fastmlp takes as a limit, to the
    # number of cores. That is less than the processors here, and would hold for other tests.
    t.set_num_threads(os.cpu_count() or 1)
    dataset = torch.TensorDataset(t.from_numpy(X), t.from_numpy(Y))
    loader = torch.DataLoader(dataset, batch_size=16)
    options = {"shuffle": False, "batch_size": None}
    expected = fit(X, Y, **{**options, "batch_size": 16})
    assert fit(loader, **options) == fit(loader, batch_size=None) == expected
    last = torch.DataLoader(dataset, batch_size=16, drop_last=True)
    assert fit(last, batch_size=None) == fit(X, Y, shuffle=False, drop_last=True)
    shuffled = torch.DataLoader(dataset, batch_size=16, shuffle=True)
    assert fit(shuffled, schedule=fm.OneCycleLR(0.1), batch_size=None) != expected


@pytest.mark.parametrize("shuffle", [False, True])
def test_memory_is_bounded(shuffle, tmp_path, monkeypatch):
    for name in ("_WINDOW_BYTES", "_CHUNK_BYTES"):
        monkeypatch.setattr(f"fastmlp.training.stream.{name}", 1 << 18)
    x = np.ones((150_000, 16), np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped, y = np.load(tmp_path / "x.npy", mmap_mode="r"), x[:, 0].copy()
    net = fm.Sequential(fm.Linear(16, 1), seed=0)
    options = {"loss": fm.MSELoss(), "epochs": 1, "batch_size": 1024, "shuffle": shuffle}
    fm.fit(net, mapped[:5000], y[:5000], **options)
    tracemalloc.start()
    try:
        fm.fit(net, mapped, y, **options, validation=(mapped[:9000], y[:9000]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes / 4
