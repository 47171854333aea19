"""The objects that bad input is tried on.

Networks, losses, layers and estimators in the middle of their work, with everything that an error
must leave unchanged.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from tests import harness
from tests.bad_values import CLASSES, EIGHTHS, LABELS, NEEDED, ROWS, WIDTH

import fastmlp as fm
from fastmlp import reference as ref

X = EIGHTHS
Y = EIGHTHS[:, :CLASSES] / 4  # valid as probabilities and as counts too
DY = EIGHTHS[::-1, :CLASSES] - 1
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
PLAIN_LOSSES = (
    "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "MultiMarginLoss",
    "PoissonNLLLoss", "QuantileLoss",
)  # fmt: skip
OF_CLASSES = ("CrossEntropyLoss", "MultiMarginLoss")


def bits(*parts: Any) -> list[bytes]:
    return [np.asarray(part).tobytes() for part in parts]


class Training:
    """A network after one step, with a pending forward pass, and its trainer."""

    loss_name = "CrossEntropyLoss"
    good_y: Any = LABELS

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.net = self._net()
        self.loss = getattr(fm, self.loss_name)()
        self.optimizer = fm.SGD(lr=0.05, momentum=0.5)
        self.trainer = fm.Trainer(self.net, self.loss, self.optimizer)
        self.trainer.step(X, self.good_y)
        self.net.forward(X)

    def _net(self) -> Any:
        layers = fm.Linear(WIDTH, 5), fm.Tanh(), fm.Linear(5, CLASSES)
        return fm.Sequential(*layers, dtype=self.dtype, seed=3)

    def state(self) -> list[bytes]:
        own = self.trainer.state_dict()
        return bits(
            self.net.params, self.net.grads, *own.pop("slots"), own.pop("powers"), repr(own)
        )

    def reference(self) -> ref.Trainer:
        """The reference's trainer after the same step."""
        net, loss = harness.net_reference(self._net()), harness.loss_reference(self.loss)
        found = ref.Trainer(net, loss, harness.optimizer_reference(self.optimizer))
        found.step(X, self.good_y)
        return found


class Regression(Training):
    loss_name, good_y = "MSELoss", Y


class Normed:
    """A network whose layers have all kinds of parameters, with an optimizer used by hand."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        layers = fm.BatchNorm(WIDTH), fm.Linear(WIDTH, 5), fm.LayerNorm(5), fm.Maxout(2)
        self.net = fm.Sequential(*layers[:3], fm.Linear(5, 4), layers[3], dtype=dtype, seed=1)
        self.optimizer = fm.Adam(self.net)
        self.net.forward(X, training=True)
        self.net.backward(np.ones((ROWS, 2)))
        self.optimizer.step()

    def state(self) -> list[bytes]:
        own = self.optimizer.state_dict()
        return bits(self.net.params, self.net.grads, self.net.state, *own.pop("slots"),
                    own.pop("powers"), repr(own), self.net.step_count)  # fmt: skip


class Joined:
    """A graph with two inputs and two outputs: ``y = tanh((a + b) W)``, ``z = a * b``."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        a, b = fm.Input(WIDTH, "a"), fm.Input(WIDTH, "b")
        linear = fm.Linear(WIDTH, CLASSES, bias=False)
        outputs = {"y": fm.Tanh()(linear(a + b)), "z": a * b}
        self.net = fm.Graph([a, b], outputs, dtype=dtype, seed=2)
        self.weights = self.net.params.reshape(WIDTH, CLASSES)
        losses = {"y": fm.MSELoss(), "z": fm.L1Loss()}
        self.trainer = fm.Trainer(self.net, losses, fm.SGD(lr=0.05))
        self.net.forward({"a": X, "b": X})

    def state(self) -> list[bytes]:
        return bits(self.net.params, self.net.grads, *self.trainer.state_dict()["slots"],
                    self.trainer.state_dict()["t"])  # fmt: skip

    def values(self, a: Any, b: Any) -> dict[str, Any]:
        """The values of the reference."""
        scores = ref.Linear(self.weights).forward(ref.Add().forward(a, b))
        return {"y": ref.Activation("Tanh").forward(scores), "z": ref.Multiply().forward(a, b)}


class ByHand:
    """A loss used by hand, after a forward pass."""

    def __init__(self, name: str, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.loss = getattr(fm, name)(**NEEDED.get(name, {}))
        self.y = LABELS if name in OF_CLASSES else Y
        self.loss.forward(DY.astype(dtype), self.y)

    def state(self) -> list[bytes]:
        return bits(self.loss.backward())


class Alone:
    """A layer without a network, after a forward pass."""

    def __init__(self, name: str, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        arguments = {"Linear": (WIDTH, CLASSES), "Maxout": (2,), "LayerNorm": (WIDTH,),
                     "BatchNorm": (WIDTH,)}.get(name, ())  # fmt: skip
        options = {"dtype": dtype} if name in ("Linear", "LayerNorm", "BatchNorm") else {}
        self.layer = getattr(fm, name)(*arguments, **options)
        if name == "Linear":
            self.layer.W, self.layer.b = X[:WIDTH, :CLASSES], X[0, :CLASSES]
        self.y = self.layer.forward(X.astype(dtype))

    def state(self) -> list[bytes]:
        values = getattr(self.layer, "values", dict)()
        return bits(*values.values(), *(getattr(self.layer, f"d{name}") for name in
                                        self.layer.parameters()))  # fmt: skip


class Estimator:
    """A fitted estimator of fastmlp.sklearn."""

    TARGETS: ClassVar[dict[str, Any]] = {"MLPClassifier": LABELS, "MLPRegressor": Y[:, 0]}

    def __init__(self, name: str, dtype: str) -> None:
        self.name, self.dtype = name, np.dtype(dtype)
        self.estimator = getattr(self._package(), name)(
            hidden_layer_sizes=(3,), max_iter=2, random_state=0, shuffle=False
        )
        self.y = self.TARGETS[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the warning that two epochs are few
            self.estimator.fit(X, self.y)

    @staticmethod
    def _package() -> Any:
        from fastmlp import sklearn

        return sklearn

    def state(self) -> list[bytes]:
        e = self.estimator
        return bits(*e.coefs_, *e.intercepts_, e.n_iter_, e.loss_curve_, e.n_features_in_)


class Peer(Estimator):
    """The estimator of scikit-learn with the same name."""

    @staticmethod
    def _package() -> Any:
        from sklearn import neural_network

        return neural_network
