"""Other refused calls, and the texts of their errors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import io

X = np.ones((4, 3), np.float32)


def graph():
    x = fm.Input(3)
    return fm.Graph(inputs={"x": x}, outputs={"y": fm.Linear(3, 2)(x)})


def assigned(layer, name):
    """``layer.name = ...`` as an expression."""
    return setattr(layer, name, np.zeros(1))


def fit(loss=None, **options):
    net = fm.Sequential(fm.Linear(3, 2), seed=0)
    return fm.fit(net, X, X[:, :2], loss=loss or fm.MSELoss(), epochs=1, progress=False, **options)


class Unknown(fm.Loss):
    """A loss without a row in the core."""


class Falling(fm.Schedule):
    """A schedule with invalid rates."""

    def rates(self, lr, epoch, epochs, steps):
        return np.full(steps, -lr)


CALLS = {
    "state of EarlyStopping": (lambda: fm.EarlyStopping().load_state_dict({}), "state: got"),
    "state of a schedule": (lambda: fm.ReduceLROnPlateau().load_state_dict({}), "state: got"),
    "sources of no node": (lambda: graph().sources_of("none"), "name: got 'none'"),
    "no such node": (lambda: graph()["none"], "node: got 'none'"),
    "a graph of a number": (lambda: fm.Graph.from_description(3), "Graph.describe"),
    "input of three sizes": (lambda: fm.Input((1, 2, 3)), "width: got"),
    "inputs that are no symbols": (lambda: fm.Graph(inputs={"x": 3}, outputs={}), "inputs"),
    "an input not used": (
        lambda: fm.Graph(inputs={"x": (x := fm.Input(3)), "z": fm.Input(2)},
                         outputs={"y": fm.Linear(3, 2)(x)}),
        "no output depends on",
    ),
    "one input twice": (
        lambda: fm.Graph(inputs={"a": (x := fm.Input(3)), "b": x}, outputs={"y": fm.ReLU()(x)}),
        "want different ones",
    ),
    "a name that is empty": (
        lambda: fm.Graph(inputs={"": (x := fm.Input(3))}, outputs={"y": fm.ReLU()(x)}),
        "not empty",
    ),
    "a name that is no text": (
        lambda: fm.Graph(inputs={1: (x := fm.Input(3))}, outputs={"y": fm.ReLU()(x)}),
        "want text",
    ),
    "adding one": (lambda: fm.Add().forward(X), "inputs: got 1"),
    "adding different rows": (lambda: fm.Add().forward(X, X[:2]), "rows"),
    "another width of a norm": (
        lambda: fm.Sequential(fm.Linear(3, 4), fm.BatchNorm(3)), "features: got 3"
    ),
    "writing a gradient": (lambda: assigned(fm.Linear(3, 2), "dW"), "cannot be set"),
    "columns of another length": (
        lambda: fm.History().load({**fm.History().to_dict(), "lr": [0.1]}),
        r"columns: got \[0.1\] for lr; want 0 numbers",
    ),
    "columns that are missing": (
        lambda: fm.History().load({"loss": []}), r"columns: got loss; want lists of loss, "
    ),
    "a model file of no network": (lambda: io.save(3, "m"), "net: got 3; want a network"),
    "a name used twice": (
        lambda: fm.Graph(x := fm.Input(3), fm.ReLU()(fm.Tanh()(x).named("a")).named("a")),
        "name: 'a' is used twice in this graph",
    ),
    "inputs of different rows": (
        lambda: fm.fit(fm.Graph([a := fm.Input(3, "a"), b := fm.Input(3, "b")], a + b),
                       {"a": X, "b": X[:2]}, X, loss=fm.MSELoss()),
        r"x: got shapes \(4, 3\), \(2, 3\); want the same number",
    ),
    "a loss of no row": (lambda: fit(Unknown()), r"loss: got Unknown\(\); want .* CrossEntropy"),
    "rates below 0": (
        lambda: fit(schedule=Falling()),
        r"schedule: got .* from Falling\(\); want 1 finite numbers >= 0",
    ),
    "a product of shapes that do not fit": (
        lambda: fm.MatMul()(fm.Input((2, 3)), fm.Input((2, 3))),
        r"got shapes \(2, 3\) and \(2, 3\); want",
    ),
    "a product of another shape": (
        lambda: fm.MatMul(shape_b=(2, 3))(fm.Input((2, 3)), fm.Input((3, 2))),
        r"shape_b: got \(2, 3\); want \(3, 2\)",
    ),
    "a product of other widths": (
        lambda: fm.MatMul((3, 2)).forward(X, X), r"shape_a: got \(3, 2\); want 3 numbers"
    ),
    "a parameter without a graph": (
        lambda: fm.Parameter(2, 3).layer.forward(), "forward: a parameter has no input"
    ),
    "pickling a bound optimizer": (
        lambda: pickle.dumps(fm.SGD(fm.Sequential(fm.Linear(3, 2)), lr=0.1)), "cannot pickle"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_refusals_name_argument_value_and_wish(name):
    call, words = CALLS[name]
    with pytest.raises((fm.FastMLPError, AttributeError), match=words):
        call()


def test_memory_that_an_object_cannot_have_is_not_its_fault():
    class Greedy:
        @property
        def dtype(self):
            raise MemoryError

    with pytest.raises(MemoryError):
        fm.Sequential(fm.Linear(3, 2), dtype=Greedy())


def test_names_of_the_package_and_of_a_graph():
    assert {"Linear", "plot", "sklearn"} <= set(dir(fm))
    assert repr(graph()).startswith("Graph(x -> y\n")
