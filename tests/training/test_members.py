"""Members of one network: rows and orders of their own, and the best parameters of each."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import generator, same_bits, using_threads

import fastmlp as fm
from fastmlp import _core

ROWS, WIDTH, MEMBERS = 60, 3, 4
X = generator("members").normal(size=(ROWS, WIDTH)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32) + 0.1 * X[:, :1] ** 2
LABELS = np.digitize(Y[:, 0], [-1.0, 1.0])


def packed(members=MEMBERS, out=1, dtype="float32", norm=False):
    middle = [fm.BatchNorm(5 * members)] if norm else []
    return fm.Sequential(
        fm.Linear(WIDTH * members, 5 * members, groups=members), *middle,
        fm.ParametricActivation("Tanh", 5 * members),
        fm.Linear(5 * members, out * members, groups=members), dtype=dtype, seed=0,
    )  # fmt: skip


def alone(net, member, members=MEMBERS, out=1):
    """The network of one member, with its parameters."""
    single = packed(1, out, net.dtype.name, isinstance(net[1], fm.BatchNorm))
    for layer, packed_layer in zip(single.layers, net.layers, strict=True):
        for name, array in layer.parameters().items():
            whole = packed_layer.parameters()[name]
            array[...] = whole.reshape(members, *array.shape)[member]
    return single


def fit(net, loss=None, y=Y, **options):
    options = {"epochs": 3, "batch_size": 16, "progress": False, "members": MEMBERS, **options}
    options.setdefault("optimizer", fm.SGD(lr=0.1 * MEMBERS))
    return fm.fit(net, X, y, loss=loss or fm.MSELoss(fold=MEMBERS), **options)


def orders(member, epoch, rows=ROWS, members=MEMBERS, seed=0):
    return _core.permutation(rows, seed, epoch * members + member)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_members_train_like_networks_of_their_own(norm, weighted):
    """The mean of four losses has a quarter of the gradient of one: the rate is four times 0.1."""
    net = packed(out=3, norm=norm)
    singles = [alone(net, member, out=3) for member in range(MEMBERS)]
    w = generator("w").uniform(size=ROWS).astype(np.float32) if weighted else None
    history = fit(net, fm.CrossEntropyLoss(fold=MEMBERS), LABELS, sample_weight=w)
    for member, single in enumerate(singles):
        trainer = fm.Trainer(single, fm.CrossEntropyLoss(), fm.SGD(lr=0.1))
        for epoch in range(3):
            order, losses, totals = orders(member, epoch), [], []
            for first in range(0, ROWS, 16):
                rows = order[first : first + 16]
                weight = None if w is None else w[rows]
                losses.append(trainer.step(X[rows], LABELS[rows], weight))
                totals.append(len(rows) if w is None else weight.sum())
            expected = np.average(losses, weights=totals)
            room = 0.05 if weighted else 1e-5  # a step counts by its weight over all members
            assert history.member_loss[epoch][member] == pytest.approx(expected, rel=room)
        found = alone(net, member, out=3)
        np.testing.assert_allclose(found.params, single.params, rtol=1e-4, atol=1e-6)


def test_bits_do_not_depend_on_threads():
    found = set()
    for threads in (1, 2, 3, 4, 7):
        net = packed(norm=True)
        with using_threads(threads):
            history = fit(net, validation=0.2, optimizer=fm.Adam())
        found.add((net.params.tobytes(), str(history.member_loss), str(history.val_member_loss)))
    assert len(found) == 1


def test_without_a_shuffle_members_see_the_same_rows():
    net, other = packed(), packed()
    fit(net, shuffle=False)
    fm.fit(other, np.tile(X, (1, MEMBERS)), Y, loss=fm.MSELoss(fold=MEMBERS), epochs=3,
           optimizer=fm.SGD(lr=0.1 * MEMBERS), batch_size=16, shuffle=False,
           progress=False)  # fmt: skip
    assert same_bits(net.params, other.params)


@pytest.mark.parametrize("drop_last", [False, True])
def test_members_train_on_rows_of_their_own(drop_last):
    """Cross-validation in one network: lists of different lengths, each validated on the rest."""
    parts = [np.arange(member, ROWS, MEMBERS) for member in range(MEMBERS)]
    parts[0] = parts[0][:-1]
    train = [np.setdiff1d(np.arange(ROWS), part) for part in parts]
    net = packed()
    singles = [alone(net, member) for member in range(MEMBERS)]
    history = fit(net, members=fm.Members(train, parts), epochs=2, drop_last=drop_last)
    rows = min(map(len, train)) // 16 * 16 if drop_last else min(map(len, train))
    for member, single in enumerate(singles):
        trainer = fm.Trainer(single, fm.MSELoss(), fm.SGD(lr=0.1))
        for epoch in range(2):
            order = train[member][orders(member, epoch, len(train[member]))][:rows]
            for first in range(0, rows, 16):
                some = order[first : first + 16]
                trainer.step(X[some], Y[some])
            loss = fm.MSELoss()
            expected = loss.forward(single.predict(X[parts[member]]), Y[parts[member]])
            assert history.val_member_loss[epoch][member] == pytest.approx(expected, rel=1e-4)
            score = loss.score(single.predict(X[parts[member]]), Y[parts[member]])
            assert history.val_member_score[epoch][member] == pytest.approx(score, rel=1e-3)


def test_one_member_takes_its_rows():
    rows, rest = np.arange(40), np.arange(40, ROWS)
    net, other = packed(1), packed(1)
    history = fit(net, fm.MSELoss(), members=fm.Members([rows], [rest]), batch_size=7,
                  optimizer=fm.SGD(lr=0.1))  # fmt: skip
    expected = fm.fit(
        other, X[:40], Y[:40], loss=fm.MSELoss(), optimizer=fm.SGD(lr=0.1), epochs=3, batch_size=7,
        validation=(X[40:], Y[40:]), progress=False)  # fmt: skip
    assert same_bits(net.params, other.params)
    assert (history.loss, history.val_loss) == (expected.loss, expected.val_loss)
    assert history.best_epochs == [expected.best_epoch]


def test_validation_rows_can_be_those_of_another_table():
    net = packed()
    history = fit(net, validation=(X[:20], Y[:20], np.ones(20)))
    loss = fm.MSELoss(fold=MEMBERS)
    assert history.val_loss[-1] == loss.forward(net.predict(np.tile(X[:20], MEMBERS)), Y[:20])
    assert history.val_member_loss[-1] == loss.values.tolist()


class Watcher:
    """Keeps the parameters of every epoch."""

    def __init__(self):
        self.params = []

    def on_epoch_end(self, state):
        self.params.append(state.net.params.copy())


@pytest.mark.parametrize("monitor", ["val_loss", "loss", "val_score"])
def test_each_member_ends_with_its_best_epoch(monitor):
    net, watcher = packed(norm=True), Watcher()
    stopping = fm.MemberStopping(patience=4, monitor=monitor)
    history = fit(net, callbacks=[watcher, stopping], epochs=30, validation=(X[:9], Y[:9]),
                  optimizer=fm.Adam(lr=0.3))  # fmt: skip
    table = {"val_loss": history.val_member_loss, "loss": history.member_loss,
             "val_score": -np.array(history.val_member_score)}[monitor]  # fmt: skip
    best = np.argmin(table, axis=0)
    assert stopping.best_epochs.tolist() == best.tolist()
    assert len(history) == min(30, best.max() + 5)
    assert len(set(best)) > 1
    for member, epoch in enumerate(best):
        other = packed(norm=True)
        other.params = watcher.params[epoch]
        assert same_bits(alone(net, member).params, alone(other, member).params)
    if monitor == "val_loss":
        scores = net.predict(np.tile(X[:9], MEMBERS))
        loss = fm.MSELoss(fold=MEMBERS)
        loss.forward(scores, Y[:9])
        np.testing.assert_allclose(loss.values, np.min(table, axis=0), rtol=1e-6)


@pytest.mark.parametrize(("ties", "best"), [("first", 0), ("last", 3)])
def test_ties(ties, best):
    net, stopping = packed(), fm.MemberStopping(patience=3, monitor="loss", ties=ties)
    history = fit(net, callbacks=[stopping], optimizer=fm.SGD(lr=0.0), epochs=9, shuffle=False)
    assert len(history) == 4
    assert stopping.best_epochs.tolist() == [best] * MEMBERS


def test_members_that_share_parameters_are_refused():
    shared = [
        fm.Sequential(fm.Linear(WIDTH, 1, fold=MEMBERS)),
        fm.Sequential(fm.Linear(WIDTH * MEMBERS, MEMBERS)),
        fm.Sequential(fm.LayerNorm(WIDTH * MEMBERS), *packed().layers[:0],
                      fm.Linear(WIDTH * MEMBERS, MEMBERS, groups=MEMBERS)),
    ]  # fmt: skip
    for net in shared:
        with pytest.raises(fm.ArgumentError, match=r"^MemberStopping: got layer 0, .*want param"):
            fit(net, callbacks=[fm.MemberStopping(monitor="loss")])
        fit(net)
    with pytest.raises(fm.ArgumentError, match="MemberStopping: monitor='val_loss' needs fit"):
        fit(packed(), callbacks=[fm.MemberStopping()])


@pytest.mark.parametrize("own", [False, True])
def test_a_checkpoint_resumes_with_the_same_bits(tmp_path, own):
    train = [np.arange(k, ROWS - k) for k in range(MEMBERS)]
    options = {"members": fm.Members(train, train)} if own else {"validation": 0.3}

    def run(net, epochs, *callbacks):
        stopping = fm.MemberStopping(patience=20)
        return fit(net, epochs=epochs, optimizer=fm.Adam(lr=0.2), seed=3,
                   callbacks=[stopping, *callbacks], **options), stopping  # fmt: skip

    path = tmp_path / "fit.checkpoint"
    whole, resumed = packed(norm=True), packed(norm=True)
    history, stopping = run(whole, 8)
    run(packed(norm=True), 5, fm.Checkpoint(path))
    again, other = run(resumed, 8, fm.Checkpoint(path, resume=True))
    assert same_bits(whole.params, resumed.params)
    assert same_bits(whole.state, resumed.state)
    assert history.member_loss == again.member_loss
    assert history.val_member_loss == again.val_member_loss
    assert stopping.best_epochs.tolist() == other.best_epochs.tolist()
    options = {"members": fm.Members(train[::-1], train)} if own else {"validation": 0.4}
    with pytest.raises(fm.ArgumentError, match="it belongs to another fit"):
        run(resumed, 9, fm.Checkpoint(path, resume=True))


@pytest.mark.parametrize(("options", "words"), [
    ({"members": 3}, r"^members: got 3 for losses with fold=\[4\]; want the same"),
    ({"members": 0}, r"^members: got 0; want"),
    ({"members": "a"}, r"^members: got 'a'; want"),
    ({"members": 2, "loss": fm.MSELoss(fold=2)}, r"^x: got 3 columns; want 6"),
    ({"optimizer": fm.LBFGS()}, r"^members: LBFGS"),
    ({"members": fm.Members([[0]] * 3)}, r"^members: got 3 for losses"),
    ({"members": fm.Members([[0]] * 3 + [[60]])}, r"^members: got row 60 in train\[3\]; want 0 to"),
    ({"members": fm.Members([[0]] * 4), "validation": 0.5}, r"^validation: got 0.5; want None or"),
    ({"members": fm.Members([[0]] * 4, [[0]] * 4), "validation": (X, Y)}, r"^validation: got "),
])  # fmt: skip
def test_what_members_refuse(options, words):
    net = packed()
    before = net.params.copy()
    with pytest.raises(fm.ArgumentError if "'a'" not in words else fm.FastMLPError, match=words):
        fit(net, **options)
    assert same_bits(net.params, before)


@pytest.mark.parametrize(("train", "validation"), [
    ([], None), (3, None), ("ab", None), ([[]], None), ([[0.5]], None), ([[-1]], None),
    ([[[0]]], None), ([[True]], None), ([[0]], [[0], [0]]), ([[0]], [[]]),
])  # fmt: skip
def test_lists_of_rows_are_checked(train, validation):
    with pytest.raises(fm.FastMLPError, match=r"^(train|validation)(\[0\])?: got .*want"):
        fm.Members(train, validation)
