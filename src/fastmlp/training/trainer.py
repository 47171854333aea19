"""Trainer and fit: a step in one call, an epoch in one call, and whole fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.layers import Custom, Dropout, Layer
from fastmlp.networks.base import Network
from fastmlp.optim import groups
from fastmlp.optim.base import (
    FirstOrder,
    Optimizer,
    check_groups,
    core_state,
    load_core_state,
)
from fastmlp.optim.lbfgs import LBFGS, Ended
from fastmlp.optim.schedules import Schedule
from fastmlp.training import full_batch
from fastmlp.training.configured import checked, is_finite
from fastmlp.training.data import Data, checked_steps
from fastmlp.training.fingerprint import describe_part
from fastmlp.training.history import History
from fastmlp.training.joining import joined
from fastmlp.training.loop import Run
from fastmlp.training.members import Members, members_of
from fastmlp.training.objective import Evaluation
from fastmlp.training.saving import StoredTrainer
from fastmlp.training.schedules import SETTINGS, Setting
from fastmlp.training.sharing import share
from fastmlp.training.validating import chosen_rows, rows_of_fit


class Trainer(StoredTrainer):
    """Trains a network with a loss and an optimizer, step by step or in whole fits.

    Parameters
    ----------
    net : Sequential or Graph
    loss : Loss, function or object, or dict of them
        A loss of fastmlp, or one of your own: a function ``loss(scores, y)`` that returns value
        and gradient, or an object with ``forward`` and ``backward``. For several outputs, a dict
        by name; or one loss of your own that reads all of them (see ``fm.losses.custom``).
    optimizer : Optimizer, optional
        Made without a network; its state starts anew here. ``Adam()`` by default.
    penalty : Penalty or list of Penalty, optional
        Added to the loss.
    loss_weights : dict of str to float, optional
        Weights of the losses of several outputs in the sum; 1 by default.
    nan : {"warn", "raise", "skip", "ignore"}, default "warn"
        What happens if the loss of a step is NaN or infinite. "warn" warns once and makes the
        step; "raise" and "skip" leave parameters and optimizer as they are.
    shards : int, optional
        A power of two: each batch is cut into so many contiguous parts, whose gradients are
        computed by themselves and added in a fixed order. 1 by default, and 8 with a ``world``.
    world : World, optional
        The ranks of an MPI program (``fm.distributed.world()``), which make the same steps with
        the same arguments and rows. Each computes with its part of the shards. Parameters and
        optimizer start as those of rank 0.

    Attributes
    ----------
    loss, loss_weights, optimizer, penalties, lr, nan
        May be set between steps, as may the arguments of the loss, the optimizer and the
        penalties (``trainer.optimizer.weight_decay = 0.1``). Each takes effect at the next step,
        or in ``fit`` at the next epoch.

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

    epochs_done = 0
    history: History = None  # type: ignore[assignment]  # set by __init__

    def __init__(
        self,
        net: Network,
        loss: Any,
        optimizer: Optimizer | None = None,
        penalty: Any = None,
        loss_weights: Any = None,
        nan: str = "warn",
        shards: int | None = None,
        world: Any = None,
    ) -> None:
        super().__init__(net, loss, optimizer, penalty, loss_weights, nan, shards, world)
        self.history = History(self._objective.score_name, self.members)
        if world is not None:
            share(self, world)

    def fit(
        self,
        x: Any,
        y: Any = None,
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
        return self.fit_rows(
            x, y, None, None, epochs=epochs, batch_size=batch_size, drop_last=drop_last,
            validation=validation, sample_weight=sample_weight, callbacks=callbacks,
            shuffle=shuffle, seed=seed, progress=progress, schedule=schedule, schedules=schedules,
            check_finite=check_finite, members=members,
        )  # fmt: skip

    def fit_rows(
        self, x: Any, y: Any, rows: Any, validation_rows: Any, *, epochs: int = 10,
        batch_size: int | None = None, drop_last: bool = False, validation: Any = None,
        sample_weight: Any = None, callbacks: Iterable[Any] = (), shuffle: bool = True,
        seed: int | None = None, progress: bool | None = None, schedule: Schedule | None = None,
        schedules: Mapping[str, Schedule] | None = None, check_finite: bool = True,
        members: int | Members | None = None,
    ) -> History:  # fmt: skip
        """Do the same with the rows at ``rows`` only, without a copy of them.

        ``rows`` and ``validation_rows`` are numbers of rows of arrays, masks, or None.
        """
        count, of_members = members_of(members)
        data = rows_of_fit(self, x, y, sample_weight, check_finite, count, of_members)
        if rows is not None or validation_rows is not None:
            data, held = chosen_rows(self, data, rows, validation_rows, of_members)
            validation = validation if held is None else held
        run = Run(self, data, epochs=epochs, batch_size=batch_size, drop_last=drop_last,
                  validation=validation, callbacks=callbacks, shuffle=shuffle, seed=seed,
                  progress=progress, schedule=schedule, schedules=schedules,
                  check_finite=check_finite, count=count, members=of_members)  # fmt: skip
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
        checked(data, "data", Data, "what checked_data() returns")
        return self._objective.evaluate(self._scores(data), *data.taken_targets())

    def evaluation_of_parts(self, parts: Iterable[Data]) -> Evaluation:
        """Return the same of rows that come in parts, whose memory may be used again.

        Scores and targets of all parts are kept, and inputs are not.
        """
        scores, targets, weights = [], [], []
        for part in parts:
            scores.append(self._scores(part))
            targets.append([joined([one]) for one in part.target])
            weights.append(None if part.weights is None else part.weights.copy())
        all_scores = [np.concatenate(one) for one in zip(*scores, strict=True)]
        all_targets = [joined(one) for one in zip(*targets, strict=True)]
        some = [one for one in weights if one is not None]
        all_weights = np.concatenate(some) if some else None
        return self._objective.evaluate(all_scores, all_targets, all_weights)

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
        checked(data, "data", Data, "what checked_data() returns")
        self.current_settings()
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
        loss = self._core.epoch(
            data.x, target, data.weights, *steps, decays, drops, smoothings, member_losses,
            data.members, totals,
        )  # fmt: skip
        # The loop warns of the loss itself.
        if self._core.not_finite and (self.nan == "skip" or is_finite(loss)):
            self._not_finite(loss)
        return loss

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
            values, self.nan,
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
            **({"shards": self.shards} if self.shards > 1 else {}),
        }
