"""Trainer and fit: a step in one call, an epoch in one call, and whole fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np

from fastmlp import _core
from fastmlp.base import sparse
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.layers import Custom, Dropout, Layer
from fastmlp.losses.penalties import as_list
from fastmlp.networks.base import Network
from fastmlp.optim import groups
from fastmlp.optim.base import (
    FirstOrder,
    Optimizer,
    check_groups,
    core_state,
    load_core_state,
)
from fastmlp.optim.first_order import Adam
from fastmlp.optim.lbfgs import LBFGS, Ended
from fastmlp.optim.schedules import Schedule
from fastmlp.training import full_batch
from fastmlp.training.data import Data, checked_steps
from fastmlp.training.fingerprint import describe_part
from fastmlp.training.history import History
from fastmlp.training.loop import Run
from fastmlp.training.members import Members, members_of
from fastmlp.training.objective import Evaluation, Objective
from fastmlp.training.saving import StoredTrainer
from fastmlp.training.schedules import SETTINGS, Setting

_T = TypeVar("_T")


class Trainer(StoredTrainer):
    """Trains a network with a loss and an optimizer, step by step or in whole fits.

    Parameters
    ----------
    net : Sequential or Graph
    loss : Loss
    optimizer : Optimizer, optional
        Made without a network; its state starts anew here. ``Adam()`` by default.
    penalty : Penalty or list of Penalty, optional
        Added to the loss.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument has a wrong type or value.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 1), seed=0)
    >>> trainer = fm.Trainer(net, loss=fm.MSELoss(), optimizer=fm.SGD(lr=0.1))
    >>> first = trainer.step([[1.0, 2.0]], [3.0])
    >>> trainer.step([[1.0, 2.0]], [3.0]) < first
    True
    """

    def __init__(
        self,
        net: Network,
        loss: Any,
        optimizer: Optimizer | None = None,
        penalty: Any = None,
        loss_weights: Any = None,
    ) -> None:
        self.net = _checked(net, "net", Network, "a Sequential or a Graph")
        self.loss = loss
        self._objective = Objective(net, loss, loss_weights)
        self.optimizer = _checked_optimizer(Adam() if optimizer is None else optimizer)
        self.penalties = as_list(penalty)
        self.loss_weights = loss_weights
        self.epochs_done = 0
        self.history = History(self._objective.score_name, self.members)
        self._core = _core.Trainer(
            net.core_net(),
            self._objective.heads(),
            self.optimizer.core_spec(),
            [one.core_spec() for one in self.penalties],
            getattr(self.optimizer, "clip_norm", None) or 0.0,
            partial(self.optimizer.ranges, net),
        )
        self._core.lr = self.optimizer.lr
        targets = self._objective.unchecked_targets()
        if isinstance(self.optimizer, LBFGS):  # a step is several calls of the core
            targets = ("",) * len(targets)
        self._bind_core(self._core, net.input_names, net.outputs_named().names, targets)

    @property
    def members(self) -> int:
        """Number of members of the loss: its ``fold``."""
        return self._objective.members

    @property
    def score_name(self) -> str:
        """Name of the score on validation data."""
        return self._objective.score_name

    @property
    def lr(self) -> float:
        """Learning rate; it can be set between steps, and by a callback between epochs."""
        return self._core.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._core.lr = check.real(value, "lr", 0.0)

    def _step_checked(self, x: Any, y: Any, sample_weight: Any) -> float:
        data = self.checked_data(x, y, sample_weight)
        if isinstance(self.optimizer, LBFGS):
            losses: list[float] = []
            self.minimize(data, self.optimizer.max_iter, lambda loss: None, losses)
            return losses[0]
        target = self._objective.core_targets(data.target, data.weights)
        return self._core.step(data.x, target, data.weights)

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        epochs: int = 10,
        batch_size: int | None = None,
        drop_last: bool = False,
        validation: Any = None,
        sample_weight: Any = None,
        callbacks: Iterable[Any] = (),
        shuffle: bool = True,
        seed: int | None = None,
        progress: bool | None = None,
        schedule: Schedule | None = None,
        schedules: Mapping[str, Schedule] | None = None,
        check_finite: bool = True,
        members: int | Members | None = None,
    ) -> History:
        """Train for some epochs; arguments and errors are those of ``fastmlp.fit``.

        A second call continues where the first one ended: without a schedule, two calls of five
        epochs give the same result as one call of ten.
        """
        count, rows = members_of(members)
        data = self.checked_data(x, y, sample_weight, check_finite, count)
        run = Run(self, data, epochs=epochs, batch_size=batch_size, drop_last=drop_last,
                  validation=validation, callbacks=callbacks, shuffle=shuffle, seed=seed,
                  progress=progress, schedule=schedule, schedules=schedules,
                  check_finite=check_finite, members=rows)  # fmt: skip
        self.history = run.state.history
        run.run()
        # A callback may have called fit, and left its own history here.
        self.history = run.state.history
        return self.history

    def evaluate(self, data: Data) -> tuple[float, float]:
        """Return loss (without penalties) and score of the network's predictions."""
        return self.evaluation(data)[:2]

    def evaluation(self, data: Data) -> Evaluation:
        """Return the result of ``evaluate``, and the loss and the score of each member."""
        _checked(data, "data", Data, "what checked_data() returns")
        return self._objective.evaluate(self._scores(data), *data.taken_targets())

    def _scores(self, data: Data) -> list[Array]:
        """Return the network's outputs; chosen rows are copied in parts."""
        net = self.net.core_net()
        if not data.is_whole:
            target = self._objective.core_targets(data.target, data.weights)
            self._core.check_data(data.x, target, data.weights, data.members)
        # A node of the user may mix the rows.
        if data.is_whole or any(isinstance(layer, Custom) for layer in self.net.layers):
            whole: list[Array] = net.predict(data.taken().x, None)
            return whole
        scores = [np.empty((data.rows, width), net.dtype) for width in net.widths_out]
        for rows, x in data.slices():
            net.predict(x, [array[rows] for array in scores])
        return scores

    def epoch(
        self, data: Data, order: Array | None, batch_size: int, rates: Array,
        penalties: Array | None = None, losses: Array | None = None, *,
        weight_decays: Array | None = None, dropouts: Array | None = None,
        label_smoothings: Array | None = None, member_losses: Array | None = None,
        totals: Array | None = None,
    ) -> float:  # fmt: skip
        """Run the steps of one epoch in one call of the core; return the mean loss.

        ``rates`` are the learning rates and ``penalties`` the factors of the penalties, float64,
        one for each step. ``losses`` (steps, 2) receives the loss and the penalties of each step.
        ``member_losses`` (members,) receives the loss of each member. The other arrays have one
        number for each step, which ``fit`` takes from its ``schedules``. ``totals`` (5,), 0 at
        first, is for an epoch in several calls: each returns the mean of all rows so far.
        """
        _checked(data, "data", Data, "what checked_data() returns")
        target = self._objective.core_targets(data.target, data.weights)
        self._core.check_data(data.x, target, data.weights, data.members)
        steps = checked_steps(data, order, batch_size, rates, penalties, losses)
        decays, drops, smoothings = (
            self._checked_setting(name, values, len(steps[2]))
            for name, values in zip(
                SETTINGS, (weight_decays, dropouts, label_smoothings), strict=True
            )
        )
        if member_losses is not None:
            shape = (self.members,)
            check.output(member_losses, "member_losses", shape, check.FLOAT64, ())
        if totals is not None:
            check.output(totals, "totals", (5,), check.FLOAT64, ())
        return self._core.epoch(
            data.x, target, data.weights, *steps, decays, drops, smoothings, member_losses,
            data.members, totals,
        )  # fmt: skip

    def _checked_setting(self, name: str, values: Any, steps: int) -> Array | None:
        """Check the values of a setting, and copy them: the core trusts them."""
        if values is None:
            return None
        found = check.shaped(values, f"{name}s", (steps,), check.FLOAT64).copy()
        setting = self.setting(name)
        if not setting.holds(found):
            raise ArgumentError(f"{name}s: got {found!r}; want numbers {setting.wanted()}")
        return found

    def setting(self, name: str) -> Setting:
        """Return the start value of a setting that can have a schedule, and its largest value.

        Raises
        ------
        ArgumentError
            If the network, the loss or the optimizer has no such setting.
        """
        if name == "weight_decay" and isinstance(self.optimizer, FirstOrder):
            return Setting(self.optimizer.weight_decay)
        if name == "label_smoothing":
            return self._objective.smoothing()
        chances = [layer.p for layer in self.net.layers if isinstance(layer, Dropout)]
        if name == "dropout" and chances:
            return Setting(1.0, 1.0, max(chances))
        needed = "a Dropout layer" if name == "dropout" else "another optimizer"
        raise ArgumentError(f"schedules: got {name!r}, which needs {needed}; leave it out")

    def minimize(
        self, data: Data, iterations: int, on_iteration: Callable[[float], None],
        losses: list[float] | None = None,
    ) -> Ended:  # fmt: skip
        """Run L-BFGS on all of ``data``; call ``on_iteration(loss)`` after each iteration.

        ``losses`` receives the loss of each evaluation; the first is that of the initial
        parameters. In any case, the network ends with the parameters of the last finished
        iteration.
        """
        assert isinstance(self.optimizer, LBFGS)
        values = [] if losses is None else losses
        return full_batch.minimize(
            self.net, self._core, self._objective, self.optimizer, data, iterations, on_iteration,
            values,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the state of training, without the network's parameters.

        Returns
        -------
        dict
            ``lr``, ``t`` (updates made), ``slots`` and ``powers`` (the optimizer's arrays),
            ``step_count`` (of the network), ``epochs_done``, ``groups`` (the optimizer's) and
            ``trainable`` (by layer).
        """
        arrays = self.net.parameter_arrays()
        return {
            "lr": self.lr,
            "groups": self.optimizer.groups or {},
            "trainable": {one.layer: one.trainable for one in arrays},
            **core_state(self._core),
            "step_count": self.net.step_count,
            "epochs_done": self.epochs_done,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If it does not fit this network and optimizer; then nothing changes.
        """
        wanted = "a dict from state_dict()"
        check.mapping(state, "state", wanted)
        try:
            lr = check.real(state["lr"], "lr", 0.0)
            step_count = check.integer(state["step_count"], "step_count", 0, 2**32 - 1)
            epochs_done = check.integer(state["epochs_done"], "epochs_done", 0)
            check_groups(self.optimizer, state["groups"])
            trainable = self._checked_trainable(state["trainable"])
        except (KeyError, TypeError) as error:
            raise ArgumentError(f"state: want {wanted} ({error})") from error
        load_core_state(self._core, state)
        for layer, value in trainable:
            layer.trainable = value
        self.lr, self.epochs_done = lr, epochs_done
        self.net.step_count = step_count

    def _checked_trainable(self, saved: Any) -> list[tuple[Layer, bool]]:
        layers = dict(zip(self.net.layer_names(), self.net.layers, strict=True))
        known = dict.fromkeys(one.layer for one in self.net.parameter_arrays())
        wanted = f"True or False for {', '.join(known)}"
        if check.mapping(saved, "trainable", wanted).keys() != known.keys():
            raise ArgumentError(f"trainable: got {check.shown(saved)}; want {wanted}")
        return [(layers[name], check.flag(value, "trainable")) for name, value in saved.items()]

    def describe(self) -> dict[str, Any]:
        """Return class and arguments of optimizer, losses and penalties, and what is frozen."""
        return {
            "frozen": groups.frozen(self.net),
            "optimizer": describe_part(self.optimizer),
            "loss": self._objective.describe(),
            "penalty": [describe_part(one) for one in self.penalties],
        }

    def checked_data(
        self, x: Any, y: Any, sample_weight: Any, check_finite: bool = False, members: int = 1
    ) -> Data:
        """Check and convert rows, targets and weights for this network and loss.

        With several members, the rows of an input have the columns of one member.
        """
        if members > 1:
            self._objective.check_members(members)
        inputs, leading = self.net.rows(x, members)
        count = len(inputs[0])
        if count == 0:
            raise ArgumentError("x: got 0 rows; want at least one")
        targets = self._objective.targets(y, leading)
        if sample_weight is not None and len(leading) > 1:
            sample_weight = check.flattened(sample_weight, "sample_weight", leading)
        weights = check.sample_weights(sample_weight, count, self.net.dtype)
        if check.flag(check_finite, "check_finite"):
            for one in inputs:
                (sparse if sparse.is_sparse(one) else check).finite(one, "x")
            # Targets of a user's loss may be other things than numbers.
            named = [(array, "y") for array in targets if array.dtype.kind in "fiu"]
            for array, name in (*named, (weights, "sample_weight")):
                check.finite(array, name)
        return Data(inputs, targets, weights, members=members)


def _checked(value: Any, name: str, kind: type[_T], wanted: str) -> _T:
    if not isinstance(value, kind):
        hint = "; write it with parentheses" if isinstance(value, type) else ""
        raise ArgumentTypeError(f"{name}: got {check.shown(value)}; want {wanted}{hint}")
    return value


def _checked_optimizer(value: Any) -> Optimizer:
    optimizer = _checked(value, "optimizer", Optimizer, "an optimizer, such as fm.Adam()")
    if isinstance(optimizer, FirstOrder) and optimizer.bound:
        name = type(optimizer).__name__
        raise ArgumentError(
            f"optimizer: got {name}(net, ...), which makes its steps by hand; "
            f"want {name}(...) without a network"
        )
    return optimizer
