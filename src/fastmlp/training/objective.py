"""The objective of training: a loss for each output of a network, and their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.layers import Layer
from fastmlp.losses import packing
from fastmlp.losses.base import Loss
from fastmlp.losses.builtin import CrossEntropyLoss
from fastmlp.losses.custom import CustomLoss, LossRunner, is_custom_loss
from fastmlp.losses.penalties import Penalty
from fastmlp.networks.base import Network
from fastmlp.training.fingerprint import describe_part
from fastmlp.training.schedules import Setting


class Evaluation(NamedTuple):
    """Loss and score of predictions, and those of each member, if the first loss has several."""

    loss: float
    score: float
    member_losses: Array | None
    member_scores: Array | None


class Objective:
    """The losses of a network's outputs. Targets are given like outputs: one array, or by name.

    Parameters
    ----------
    net : Network
    loss : Loss, or dict or list of Loss
        One loss for each output.
    weights : float, or dict or list of float, optional
        The weight of each loss in the sum; 1 by default.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If they do not fit the outputs.
    """

    def __init__(self, net: Network, loss: Any, weights: Any = None) -> None:
        self._core = net.core_net()
        self._ends = net.outputs_named()
        self.losses: list[Loss] = [
            _checked_loss(one, self._ends.argument("loss", k))
            for k, one in enumerate(self._ends.take(loss, "loss"))
        ]
        for k, (one, width) in enumerate(zip(self.losses, self._core.widths_out, strict=True)):
            if width % one.fold:
                raise ArgumentError(
                    f"{self._ends.argument('loss', k)}: got fold={one.fold} for {width} columns of "
                    "scores; want a divisor"
                )
        given = (
            [1.0] * len(self.losses)
            if weights is None
            else self._ends.take(weights, "loss_weights")
        )
        self.weights = [
            check.real(one, self._ends.argument("loss_weights", k), 0.0)
            for k, one in enumerate(given)
        ]

    @property
    def score_name(self) -> str:
        """Name of the score of the first output."""
        return self.losses[0].score_name

    @property
    def members(self) -> int:
        """Number of members of the first loss."""
        return self.losses[0].fold

    def check_members(self, count: int) -> None:
        """Refuse members with rows of their own unless every loss and input has a part for each."""
        folds = [loss.fold for loss in self.losses]
        widths = self._core.widths_in
        if folds != [count] * len(folds):
            raise ArgumentError(f"members: got {count} for losses with fold={folds}; want the same")
        if any(width % count for width in widths):
            raise ArgumentError(
                f"members: got {count} for inputs of {widths} columns; want a divisor of them"
            )

    def describe(self) -> list[dict[str, Any]]:
        """Return class, arguments and weight of each loss."""
        return [
            {**describe_part(loss), "weight": weight}
            for loss, weight in zip(self.losses, self.weights, strict=True)
        ]

    def smoothing(self) -> Setting:
        """Return the label smoothing of the first loss that has one, and its largest value."""
        for loss in self.losses:
            if isinstance(loss, CrossEntropyLoss):
                return Setting(loss.label_smoothing, 1.0)
        raise ArgumentError(
            "schedules: got 'label_smoothing', which needs a CrossEntropyLoss; leave it out"
        )

    def unchecked_targets(self) -> tuple[str, ...]:
        """Return the `Loss.unchecked_target` of each output."""
        return tuple(loss.unchecked_target for loss in self.losses)

    def heads(self) -> list[tuple[Any, float]]:
        """Return loss and weight of each output, for the core's trainer."""
        heads: list[tuple[Any, float]] = []
        self._runners: dict[int, LossRunner] = {}
        for k, (loss, weight) in enumerate(zip(self.losses, self.weights, strict=True)):
            if isinstance(loss, CustomLoss):
                self._runners[k] = LossRunner(loss, weight, self._core.widths_out[k])
            heads.append((self._runners[k] if k in self._runners else loss.core_spec(), weight))
        return heads

    def core_targets(self, targets: list[Array], weights: Array | None) -> list[Array]:
        """Return the targets for the core's trainer; a user's loss keeps its own."""
        if not self._runners:
            return targets
        found = list(targets)
        for k, runner in self._runners.items():
            if weights is not None:
                raise ArgumentError(
                    "sample_weight: a loss of your own takes none; want None, or a loss of fastmlp"
                )
            runner.use(targets[k])
            found[k] = np.zeros((len(targets[k]), 1), self._core.dtype)
        return found

    def targets(self, y: Any, leading: tuple[int, ...]) -> list[Array]:
        """Check and convert the targets of all outputs, for rows with these leading dimensions."""
        widths, dtype, rows = self._core.widths_out, self._core.dtype, math.prod(leading)
        # A dict that does not name the only output has the fields of its targets.
        names = self._ends.names
        of_fields = len(names) == 1 and isinstance(y, Mapping) and set(y) != set(names)
        values = [y] if of_fields else self._ends.take(y, "y")
        if len(leading) > 1:
            values = [
                packing.flattened(value, leading, self._ends.argument("y", k))
                for k, value in enumerate(values)
            ]
        if len(values) == 1:
            return [self.losses[0].checked_target(values[0], rows, widths[0], dtype)]
        found = []
        for k, (loss, value) in enumerate(zip(self.losses, values, strict=True)):
            try:
                found.append(loss.checked_target(value, rows, widths[k], dtype))
            except (ArgumentError, ArgumentTypeError) as error:
                raise type(error)(f"{self._ends.argument('y', k)}, {error}") from None
        return found

    def value(
        self, scores: list[Array], targets: list[Array], weights: Array | None
    ) -> tuple[float, list[Array]]:
        """Return the weighted sum of the losses, and its gradient for each output."""
        total, gradients = 0.0, []
        for k, weight in enumerate(self.weights):
            value, gradient, _ = self._computed(k, scores[k], targets[k], weights)
            total += weight * value
            gradients.append(gradient if weight == 1.0 else weight * gradient)
        return total, gradients

    def _computed(
        self, k: int, scores: Array, target: Array, weights: Array | None
    ) -> tuple[float, Array, Array]:
        """Return the loss of an output, its gradient and the members' losses."""
        loss = self.losses[k]
        if not isinstance(loss, CustomLoss):
            return loss.computed(scores, target, weights)
        value, gradient = loss.evaluate(scores, target, weights)
        return value, np.ascontiguousarray(gradient, scores.dtype), np.array([value])

    def by_hand(
        self, scores: list[Array], targets: list[Array], weights: Array | None
    ) -> tuple[float, list[Array]]:
        """Return the same as ``value``, computed with the losses' forward and backward."""
        total, gradients = 0.0, []
        for weight, loss, one, target in zip(
            self.weights, self.losses, scores, targets, strict=True
        ):
            total += weight * loss.forward(one, target, weights)
            gradients.append(weight * np.asarray(loss.backward(), one.dtype))
        return total, gradients

    def evaluate(
        self, scores: list[Array], targets: list[Array], weights: Array | None
    ) -> Evaluation:
        """Return the weighted sum of the losses, and the score of the first output."""
        found = [self._computed(k, scores[k], targets[k], weights) for k in range(len(self.losses))]
        total = 0.0
        for weight, (value, _, _) in zip(self.weights, found, strict=True):
            total += weight * value
        each = self.losses[0].core_scores(scores[0], targets[0], weights)
        score = float(np.mean(each))
        several = self.members > 1
        return Evaluation(total, score, found[0][2] if several else None, each if several else None)


def _checked_loss(value: Any, name: str) -> Loss:
    # These also have forward and backward, with other arguments.
    if is_custom_loss(value) and not isinstance(value, (Layer, Network, Penalty)):
        return CustomLoss(value)
    if not isinstance(value, Loss):
        hint = "; write it with parentheses" if isinstance(value, type) else ""
        raise ArgumentTypeError(
            f"{name}: got {check.shown(value)}; want a loss, such as fm.CrossEntropyLoss(){hint}"
        )
    return value
