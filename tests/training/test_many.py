"""Independent fits side by side: bits, failures, shares of the threads, interrupts."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.base.side_by_side import run_side_by_side

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 5))
Y = RNG.integers(0, 3, 90)


def net(seed, **options):
    return fm.Sequential(fm.Linear(5, 8), fm.ReLU(), fm.Linear(8, 3), seed=seed, **options)


def job(seed, **options):
    options = {"loss": fm.CrossEntropyLoss(), "epochs": 3, "batch_size": 16, **options}
    return fm.FitJob(net(seed), X, Y, **options)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("shuffle", [True, False])
def test_jobs_have_the_bits_of_fits_alone(n_threads, shuffle):
    train = [RNG.permutation(90)[:60] for _ in range(12)]
    held = [np.setdiff1d(np.arange(90), rows) for rows in train]
    jobs = [
        job(seed, rows=rows, validation_rows=other, shuffle=shuffle)
        for seed, (rows, other) in enumerate(zip(train, held, strict=True))
    ]
    histories = fm.fit_many(jobs, n_threads, progress=False)
    for seed, (rows, other) in enumerate(zip(train, held, strict=True)):
        alone = net(seed)
        history = fm.fit(
            alone, X[rows], Y[rows], loss=fm.CrossEntropyLoss(), epochs=3, batch_size=16,
            validation=(X[other], Y[other]), shuffle=shuffle, progress=False,
        )  # fmt: skip
        assert histories[seed].loss == history.loss
        assert histories[seed].val_loss == history.val_loss
        assert np.array_equal(jobs[seed].net.params, alone.params)


def test_mask_and_weights_choose_rows_of_the_whole_arrays():
    mask, weight = np.arange(90) % 3 > 0, RNG.random(90)
    one = job(0, rows=mask, sample_weight=weight)
    [history] = fm.fit_many([one], progress=False)
    alone = fm.fit(net(0), X[mask], Y[mask], loss=fm.CrossEntropyLoss(), epochs=3,
                   batch_size=16, sample_weight=weight[mask], progress=False)  # fmt: skip
    assert history.loss == alone.loss


def test_lbfgs_takes_rows():
    rows = np.arange(40)
    one = job(0, rows=rows, optimizer=fm.LBFGS(), batch_size=None)
    [history] = fm.fit_many([one], progress=False)
    alone = fm.fit(net(0), X[rows], Y[rows], loss=fm.CrossEntropyLoss(), epochs=3,
                   optimizer=fm.LBFGS(), progress=False)  # fmt: skip
    assert history.loss == alone.loss


def test_failing_jobs_do_not_end_the_others():
    jobs = [job(0), job(1, batch_size=-1), job(2, rows=[90]), job(3)]
    first, bad_size, bad_rows, last = fm.fit_many(jobs, 2, progress=False)
    assert isinstance(bad_size, fm.ArgumentError)
    assert isinstance(bad_rows, fm.ArgumentError)
    assert "rows" in str(bad_rows)
    assert len(first.loss) == len(last.loss) == 3


def test_no_jobs_give_no_results():
    assert fm.fit_many([]) == []


def test_a_network_in_two_jobs_is_refused():
    one = job(0)
    with pytest.raises(fm.ArgumentError, match="same network in jobs 0 and 2"):
        fm.fit_many([one, job(1), fm.FitJob(one.net, X, Y, loss=fm.MSELoss())])


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: fm.fit_many(3), "jobs"),
        (lambda: fm.fit_many([3]), r"jobs\[0\]"),
        (lambda: fm.fit_many([], 0), "n_threads"),
        (lambda: fm.FitJob(3, X, Y, loss=fm.MSELoss()), "net"),
        (lambda: fm.FitJob(net(0), X, Y), "loss"),
        (lambda: job(0, world=object()), "world"),
        (lambda: job(0, validation_rows=[1], validation=0.1), "validation_rows"),
    ],
)
def test_bad_arguments_name_themselves(make, word):
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=word):
        make()


def test_inputs_of_another_type_give_the_same_bits_and_stay():
    x = X.astype(np.float32)
    jobs = [job(seed) for seed in range(3)]
    fm.fit_many(jobs, 2, progress=False)
    again = [fm.FitJob(net(seed), x, Y, loss=fm.CrossEntropyLoss(), epochs=3, batch_size=16)
             for seed in range(3)]  # fmt: skip
    fm.fit_many(again, 2, progress=False)
    assert all(np.array_equal(a.net.params, b.net.params) for a, b in zip(jobs, again, strict=True))
    assert jobs[0].x is X


def test_waiting_tasks_leave_one_thread_each_and_the_last_takes_all():
    seen = run_side_by_side([fm.get_num_threads] * 6, 1)
    assert seen == [1] * 6
    together = threading.Barrier(4)

    def first():
        together.wait(10)
        return fm.get_num_threads()

    assert run_side_by_side([first] * 8, 4) == [1] * 8
    assert run_side_by_side([fm.get_num_threads], 4) == [4]


def test_a_fit_takes_the_threads_that_become_free():
    other_ended, seen = threading.Event(), []

    class Wait:
        def on_epoch_end(self, state):
            seen.append(fm.get_num_threads())
            if state.epoch == 0:
                other_ended.wait(10)

    def done(number):
        if number == 1:
            other_ended.set()

    class Never:
        def on_epoch_end(self, state):
            with fm.threads(1):
                fm.fit(net(5), X, Y, loss=fm.CrossEntropyLoss(), epochs=2, progress=False)
                assert fm.get_num_threads() == 1

    jobs = [job(0, callbacks=[Wait(), Never()], epochs=8), job(1)]
    results = run_side_by_side([one.run for one in jobs], 2, done)
    assert not any(isinstance(one, Exception) for one in results)
    assert seen[0] == 1
    assert seen[-1] == 2


def test_tasks_in_tasks_take_no_more_threads():
    def outer():
        return run_side_by_side([fm.get_num_threads] * 3)

    assert run_side_by_side([outer] * 4, 2)[0] == [1, 1, 1]
    before = fm.get_num_threads()
    assert run_side_by_side([fm.get_num_threads]) == [before]
    assert fm.get_num_threads() == before


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interrupt_ends_all_fits_and_keeps_what_is_finished(n_threads):
    class Interrupt:
        def on_epoch_end(self, state):
            raise KeyboardInterrupt

    jobs = [job(0), job(1, callbacks=[Interrupt()]), *(job(seed) for seed in range(2, 40))]
    with pytest.raises(KeyboardInterrupt) as caught:
        fm.fit_many(jobs, n_threads, progress=False)
    results = caught.value.results
    assert len(results) == 40
    assert isinstance(results[0], (fm.History, KeyboardInterrupt))
    assert len(results[1].history.loss) == 1
    assert n_threads > 1 or results[2:] == [None] * 38


def test_an_unknown_option_is_named_at_once():
    with pytest.raises(fm.ArgumentTypeError, match="epoch'"):
        fm.FitJob(net(0), X, Y, loss=fm.CrossEntropyLoss(), epoch=3)
