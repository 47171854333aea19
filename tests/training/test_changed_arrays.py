"""If the caller changes data during a call, it ends with a result or a clear error, not a crash."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm

ROOT = Path(__file__).parents[2]
ROWS, WIDTH, CLASSES = 60, 4, 3
LOSSES = {
    "cross entropy": fm.CrossEntropyLoss(),
    "smoothed": fm.CrossEntropyLoss(0.1),
    "hinge": fm.MultiMarginLoss(),
}


def rows():
    return np.sin(np.arange(ROWS * WIDTH, dtype=np.float32)).reshape(ROWS, WIDTH)


def network(classes=CLASSES):
    return fm.Sequential(fm.Linear(WIDTH, 5), fm.BatchNorm(5), fm.Linear(5, classes), seed=0)


class AtTheEndOfAnEpoch:
    """A callback that makes a change, and records the state of the network at that moment."""

    def __init__(self, change):
        self.change = change

    def on_epoch_end(self, state):
        self.params, self.state = state.net.params.copy(), state.net.state.copy()
        self.trainer = {**state.trainer.state_dict(), "slots": None}
        self.change()


def test_nothing_crashes_whatever_is_changed():
    count = 300
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.changing", "0", str(count)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-200:] + done.stderr[-2000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert sum(outcomes.values()) == count
    assert not done.stderr


@pytest.mark.parametrize("label", [-1, CLASSES, 200_000, 2**62, -(2**63)])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("threads", [1, 3], indirect=True)
def test_labels_changed_during_fit_raise(label, loss, shuffle, threads):
    y = np.arange(ROWS) % CLASSES
    net = network()

    def change():
        y[ROWS // 2] = label

    callback = AtTheEndOfAnEpoch(change)
    trainer = fm.Trainer(net, LOSSES[loss])
    with pytest.raises(fm.ArgumentError, match=rf"^y: got label {label}\b.*want") as caught:
        trainer.fit(rows(), y, batch_size=ROWS, shuffle=shuffle, callbacks=[callback],
                    progress=False)  # fmt: skip
    assert len(caught.value.history.loss) == 1
    # Everything is as the last finished step left it.
    assert net.params.tobytes() == callback.params.tobytes()
    assert net.state.tobytes() == callback.state.tobytes()
    left = {**trainer.state_dict(), "slots": None}
    assert str(left) == str(callback.trainer)


def test_steps_before_a_changed_label_count():
    """Only the label of the last step is wrong; all steps before it are kept."""
    y = np.arange(ROWS) % CLASSES
    net, other = network(), network()
    fitted, stepped = (fm.Trainer(one, fm.CrossEntropyLoss()) for one in (net, other))

    def change():
        y[-1] = CLASSES

    with pytest.raises(fm.ArgumentError, match=f"got label {CLASSES}"):
        fitted.fit(rows(), y, batch_size=10, shuffle=False, progress=False,
                   callbacks=[AtTheEndOfAnEpoch(change)])  # fmt: skip
    right = np.arange(ROWS) % CLASSES
    for step in [*range(6), *range(5)]:
        part = slice(10 * step, 10 * step + 10)
        stepped.step(rows()[part], right[part])
    assert net.params.tobytes() == other.params.tobytes()
    assert fitted.state_dict()["t"] == 11


def test_labels_of_one_of_several_outputs_changed_during_fit_raise():
    x = fm.Input(WIDTH)
    net = fm.Graph(x, {"a": fm.Linear(WIDTH, 2)(x), "b": fm.Linear(WIDTH, CLASSES)(x)}, seed=0)
    y = {"a": np.zeros(ROWS, np.int64), "b": np.zeros(ROWS, np.int64)}

    def change():
        y["a"][0] = 2  # a class of the other output only

    with pytest.raises(fm.ArgumentError, match=r"^y: got label 2"):
        fm.fit(net, rows(), y, loss={name: fm.CrossEntropyLoss() for name in y}, progress=False,
               callbacks=[AtTheEndOfAnEpoch(change)])  # fmt: skip


class Nosy:
    """A custom node that calls a function in each pass."""

    def __init__(self, call):
        self.call = call

    def forward(self, x):
        self.call()
        return x

    def backward(self, dy):
        return dy


def behind_a_node(call):
    return fm.Sequential(Nosy(call), fm.Linear(WIDTH, CLASSES), in_features=WIDTH, seed=0)


def test_labels_changed_by_a_node_raise():
    y = np.arange(ROWS) % CLASSES
    net = behind_a_node(lambda: y.fill(10**6))
    before = net.params.copy()
    with pytest.raises(fm.ArgumentError, match=r"^y: got label 1000000"):
        fm.Trainer(net, fm.CrossEntropyLoss()).step(rows(), y)
    assert net.params.tobytes() == before.tobytes()


def test_an_order_changed_by_a_node_is_not_read_again():
    order = np.arange(ROWS)
    kept = order.copy()
    y = np.arange(ROWS) % CLASSES
    nets = [behind_a_node(call) for call in (lambda: order.fill(2**60), lambda: None)]
    for net, rows_in_order in zip(nets, (order, kept), strict=True):
        trainer = fm.Trainer(net, fm.CrossEntropyLoss())
        data = trainer.checked_data(rows(), y, None)
        trainer.epoch(data, rows_in_order, 10, np.full(6, 0.01))
    assert nets[0].params.tobytes() == nets[1].params.tobytes()


@pytest.mark.parametrize("name", ["x", "y"])
def test_shapes_changed_during_fit_raise(name):
    arrays = {"x": rows(), "y": np.arange(ROWS) % CLASSES}

    def change():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            arrays[name].shape = (1, arrays[name].size)

    callback = AtTheEndOfAnEpoch(change)
    net = network()
    with pytest.raises(fm.ArgumentError, match=rf"^{name}: got .*want"):
        fm.fit(net, **arrays, loss=fm.CrossEntropyLoss(), callbacks=[callback], progress=False)
    assert net.params.tobytes() == callback.params.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.x.clear(),
        lambda data: data.x.extend([np.zeros((1, 1), np.float32)] * 40),
        lambda data: data.x.__setitem__(0, np.zeros((1, 1), np.float32)),
        lambda data: data.x.__setitem__(0, None),
        lambda data: data.target.__setitem__(0, np.zeros(1, np.int64)),
        lambda data: data.target.__setitem__(0, np.zeros((ROWS, CLASSES), np.int64)),
        lambda data: data.target.__setitem__(0, np.zeros((ROWS, 1), np.float32)),
        lambda data: data.target.extend(data.target * 40),
    ],
)
@pytest.mark.parametrize("call", ["epoch", "evaluate"])
def test_checked_data_that_was_changed_is_refused(change, call):
    trainer = fm.Trainer(network(), fm.CrossEntropyLoss())
    data = trainer.checked_data(rows(), np.arange(ROWS) % CLASSES, None)
    change(data)
    before = trainer.net.params.copy()
    if call == "evaluate" and len(data.target) > 1:
        return  # it only reads the first target
    arguments = {"epoch": (data, None, 10, np.full(6, 0.01)), "evaluate": (data,)}[call]
    with pytest.raises(fm.ArgumentError, match=r"^[xy]: got"):
        getattr(trainer, call)(*arguments)
    assert trainer.net.params.tobytes() == before.tobytes()


def test_targets_that_a_subclass_gives_are_looked_at():
    class Odd(fm.MSELoss):
        def target(self, y, rows, width, dtype):
            return np.zeros((1, 1), dtype)

    class OfNumbers(fm.MultiMarginLoss):
        def target(self, y, rows, width, dtype):
            return np.zeros((rows, width), dtype)

    for loss in (Odd(), OfNumbers()):
        with pytest.raises(fm.ArgumentError, match=r"^y: got"):
            loss.forward(np.ones((4, 3)), np.zeros(4))
        with pytest.raises(fm.ArgumentError, match=r"^y: got"):
            fm.fit(network(), rows(), np.zeros(ROWS), loss=loss, progress=False)


def test_a_trainer_initialised_again_during_its_step_ends_the_step():
    class Anew:
        def forward(self, scores, y):
            trainer.__init__(net, fm.MSELoss())
            self.shape = scores.shape
            return 0.0

        def backward(self):
            return np.zeros(self.shape)

    net = network()
    trainer = fm.Trainer(net, Anew())
    trainer.step(rows(), np.zeros((ROWS, CLASSES), np.float32))
    assert np.isfinite(trainer.step(rows(), np.zeros((ROWS, CLASSES), np.float32)))


def test_labels_changed_by_another_thread_never_leave_wrong_weights():
    """Every step raises an error or gives the results of the right labels."""
    y = np.zeros(ROWS, np.int64)
    over = threading.Event()

    def toggle():
        while not over.is_set():
            y[7] = 10**7
            y[7] = 0

    net, other = network(), network()
    trainer, alone = (fm.Trainer(one, fm.CrossEntropyLoss()) for one in (net, other))
    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        for _ in range(300):
            with suppress(fm.ArgumentError):
                trainer.step(rows(), y)
    finally:
        over.set()
        thread.join()
    for _ in range(trainer.state_dict()["t"]):
        alone.step(rows(), np.zeros(ROWS, np.int64))
    assert net.params.tobytes() == other.params.tobytes()


def test_an_order_that_names_no_row_is_refused():
    trainer = fm.Trainer(fm.Sequential(fm.Linear(2, 2)), fm.CrossEntropyLoss())
    data = trainer.checked_data(np.ones((4, 2)), [0, 1, 0, 1], None)
    with pytest.raises(fm.ArgumentError, match=r"^order: got row 4 at row 2; want 0 to 3"):
        trainer.epoch(data, np.array([0, 1, 4, 2]), 2, np.ones(2))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_lbfgs_gives_scipy_no_gradient_of_another_length(dtype):
    """SciPy wrote as many numbers as the gradient had into arrays of the parameters' length."""
    net = network()
    change = AtTheEndOfAnEpoch(lambda: setattr(net.grads, "dtype", np.dtype(dtype)))
    with pytest.raises(fm.StateError, match=r"grads: got \d+ numbers for 53 parameters"):
        fm.fit(net, rows(), rows()[:, :3], loss=fm.MSELoss(), optimizer=fm.LBFGS(), epochs=9,
               callbacks=[change], progress=False)  # fmt: skip
