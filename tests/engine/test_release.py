"""``net.release()`` frees the memory that calls keep, and changes nothing else."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fastmlp as fm

X = np.sin(np.arange(400 * 6)).reshape(400, 6).astype(np.float32)
Y = np.arange(400) % 3


def make():
    return fm.Sequential(fm.Linear(6, 50), fm.GELU(), fm.Dropout(0.2), fm.Linear(50, 3), seed=3)


def kept(net):
    return net.core_net().workspace_bytes


USES = {
    "predict": lambda net: net.predict(X),
    "forward": lambda net: net.forward(X),
    "backward": lambda net: net.backward(net.forward(X)),
    "fit": lambda net: fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), epochs=1, progress=False),
}


@pytest.mark.parametrize("name", USES)
def test_release_frees_what_a_call_kept(name):
    net = make()
    assert kept(net) == 0
    net.release()
    USES[name](net)
    net.release()
    net.release()
    assert kept(net) == 0


def test_the_memory_of_training_is_freed_with_its_trainer():
    net = make()
    trainers = [fm.Trainer(net, fm.CrossEntropyLoss()) for _ in range(2)]
    for trainer in trainers:
        trainer.step(X, Y)
    assert kept(net) > 0
    del trainer, trainers[:]
    assert kept(net) == 0


def test_release_between_steps_changes_no_bits():
    nets = make(), make()
    for released, net in enumerate(nets):
        trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam())
        for _ in range(3):
            trainer.step(X, Y)
            if released:
                net.release()
    assert nets[0].params.tobytes() == nets[1].params.tobytes()
    assert nets[0].predict(X).tobytes() == nets[1].predict(X).tobytes()


def test_a_smaller_batch_needs_less_after_release():
    net = make()
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())
    trainer.step(X, Y)
    large = kept(net)
    trainer.step(X[:8], Y[:8])
    assert kept(net) == large
    net.release()
    trainer.step(X[:8], Y[:8])
    assert 0 < kept(net) < large / 4


@pytest.mark.parametrize("keep", [False, True])
def test_release_forgets_a_forward_pass(keep):
    net = make()
    net.forward(X, keep=keep)
    net.release()
    assert net[0].output is None
    with pytest.raises(fm.StateError, match="used up"):
        net.backward(np.ones((400, 3)))


def test_release_during_training_is_refused():
    net, errors = make(), []

    class Release:
        """A loss that is called in the middle of a step."""

        def forward(self, scores, targets):
            self.gradient = np.zeros_like(scores)
            try:
                net.release()
            except fm.StateError as error:
                errors.append(error)
            return 0.0

        def backward(self):
            return self.gradient

    trainer = fm.Trainer(net, Release())
    trainer.step(X, Y)
    assert "in use" in str(errors[0])
    assert kept(net) > 0


def test_release_beside_predictions_on_other_threads():
    net = make()
    expected, stop, results = net.predict(X).tobytes(), threading.Event(), []

    def predict():
        while not stop.is_set():
            results.append(net.predict(X).tobytes() == expected)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(results) < 200:
        net.release()
    stop.set()
    for thread in threads:
        thread.join()
    assert all(results)
    net.release()
    assert kept(net) == 0
