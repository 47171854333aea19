"""The objective of training: a loss for each output of a network, and their weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.layers import Layer
from fastmlp.losses.base import Loss
from fastmlp.losses.builtin import CrossEntropyLoss
from fastmlp.losses.custom import CustomLoss, LossRunner, is_custom_loss
from fastmlp.losses.penalties import Penalty
from fastmlp.networks.base import Network
from fastmlp.training.fingerprint import describe_part
from fastmlp.training.schedules import Setting


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

    def unchecked_target(self) -> str:
        """Return `Loss.unchecked_target`; "" if there are several outputs."""
        return self.losses[0].unchecked_target if len(self.losses) == 1 else ""

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
        values = self._ends.take(y, "y")
        if len(leading) > 1:
            values = [
                check.flattened(value, self._ends.argument("y", k), leading)
                for k, value in enumerate(values)
            ]
        if len(values) == 1:
            return [self.losses[0].target(values[0], rows, widths[0], dtype)]
        found = []
        for k, (loss, value) in enumerate(zip(self.losses, values, strict=True)):
            try:
                found.append(loss.target(value, rows, widths[k], dtype))
            except (ArgumentError, ArgumentTypeError) as error:
                raise type(error)(f"{self._ends.argument('y', k)}, {error}") from None
        return found

    def value(
        self, scores: list[Array], targets: list[Array], weights: Array | None
    ) -> tuple[float, list[Array]]:
        """Return the weighted sum of the losses, and its gradient for each output."""
        total, gradients = 0.0, []
        for k, loss in enumerate(self.losses):
            if isinstance(loss, CustomLoss):
                value, gradient = loss.evaluate(scores[k], targets[k], weights)
                gradient = np.ascontiguousarray(gradient, scores[k].dtype)
            else:
                spec = loss.core_spec()
                value, gradient = _core.loss_forward(*spec, scores[k], targets[k], weights)
            total += self.weights[k] * value
            gradients.append(gradient if self.weights[k] == 1.0 else self.weights[k] * gradient)
        return total, gradients

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

    def score(self, scores: list[Array], targets: list[Array], weights: Array | None) -> float:
        """Return the score of the first output."""
        return self.losses[0].core_score(scores[0], targets[0], weights)


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
