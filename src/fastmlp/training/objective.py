"""The objective of training: the losses of a network's outputs, and their weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.engine import Ends
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.layers import Layer
from fastmlp.losses import packing
from fastmlp.losses.base import Loss
from fastmlp.losses.classes import CrossEntropyLoss
from fastmlp.losses.custom import FORMS, CustomLoss, is_custom_loss
from fastmlp.losses.named_rows import NamedRows
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
    """The losses of a network's outputs. Targets are given like losses: one, or by name.

    Parameters
    ----------
    net : Network
    loss : Loss, function or object, or dict or list of them
        One loss for each output, or a loss of your own that reads all outputs.
    weights : float, or dict or list of float, optional
        The weight of each loss in the sum; 1 by default.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If they do not fit the outputs.
    """

    def __init__(self, net: Network, loss: Any, weights: Any = None) -> None:
        self._core = net.core_net()
        self._outputs = net.outputs_named()
        several = len(self._outputs.names) > 1
        if several and _is_own(loss):
            # One loss of all outputs. Its targets have no names of outputs.
            self._ends = Ends(["y"])
            self.losses: list[Loss] = [CustomLoss.of_outputs(loss, self._outputs)]
        else:
            self._ends = self._outputs
            self.losses = [
                _checked_loss(one, self._ends.argument("loss", k))
                for k, one in enumerate(self._ends.take(loss, "loss"))
            ]
            self._check_folds()
        self._is_joint = several and len(self.losses) == 1
        # Targets of a single loss of your own may be a dict, which is not one by outputs.
        self._is_whole = self._is_joint or (not several and _is_own(loss))
        given = (
            [1.0] * len(self.losses)
            if weights is None
            else self._ends.take(weights, "loss_weights")
        )
        self.weights = [
            check.real(one, self._ends.argument("loss_weights", k), 0.0)
            for k, one in enumerate(given)
        ]
        self._own = self._make_own()

    def _check_folds(self) -> None:
        for k, (one, width) in enumerate(zip(self.losses, self._core.widths_out, strict=True)):
            if width % one.fold:
                raise ArgumentError(
                    f"{self._ends.argument('loss', k)}: got fold={one.fold} for {width} columns of "
                    "scores; want a divisor"
                )

    def _make_own(self) -> dict[int, _core.OwnLoss]:
        """Return what the core calls for losses of the user's own, by their number."""
        own, widths = {}, self._core.widths_out
        for k, (loss, weight) in enumerate(zip(self.losses, self.weights, strict=True)):
            if not isinstance(loss, CustomLoss):
                continue
            outputs = range(len(widths)) if self._is_joint else (k,)
            own[k] = _core.OwnLoss(
                loss.call, loss.check, outputs, [widths[i] for i in outputs],
                self._outputs.names if self._is_joint else None, weight, loss.reduction,
                loss.takes_weights,
            )  # fmt: skip
        return own

    @property
    def score_name(self) -> str:
        """Name of the score of the first output."""
        return self.losses[0].score_name

    @property
    def members(self) -> int:
        """Number of members of the first loss."""
        return self.losses[0].fold

    @property
    def has_own(self) -> bool:
        """Whether a loss is one of the user's own."""
        return bool(self._own)

    @property
    def reductions(self) -> set[str]:
        """What the losses are: means of rows, sums, or both."""
        return {loss.reduction for loss in self.losses}

    def check_members(self, count: int) -> None:
        """Refuse members with rows of their own unless every loss and input has a part for each."""
        folds = [loss.fold for loss in self.losses]
        widths = self._core.widths_in
        if self._own:
            raise ArgumentError(
                f"members: got {count} for a loss of your own; want 1, or losses of fastmlp with "
                f"fold={count}"
            )
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

    def unchecked_targets(self) -> tuple[Any, ...]:
        """Return for each loss its `unchecked`, or an `OwnLoss`."""
        pairs = zip(self.losses, self._core.widths_out, strict=False)
        return tuple(
            self._own.get(k) or loss.unchecked(width // loss.fold)
            for k, (loss, width) in enumerate(pairs)
        )

    def heads(self) -> list[tuple[Any, float]]:
        """Return loss and weight of each output, for the core's trainer."""
        pairs = enumerate(zip(self.losses, self.weights, strict=True))
        heads = [(self._own.get(k) or loss.core_spec(), weight) for k, (loss, weight) in pairs]
        return heads * len(self._outputs.names) if self._is_joint else heads

    def core_targets(self, targets: list[Any], weights: Array | None) -> list[Any]:
        """Return the targets for the core's trainer; a user's loss keeps its own."""
        found = list(targets)
        for k, own in self._own.items():
            target = targets[k]
            plain = target.arrays if isinstance(target, NamedRows) else target
            own.use(plain, weights, len(target))
            found[k] = None
        return found * len(self._outputs.names) if self._is_joint else found

    def targets(self, y: Any, leading: tuple[int, ...]) -> list[Any]:
        """Check and convert the targets of all losses, for rows with these leading dimensions."""
        rows, names = math.prod(leading), self._ends.names
        # A dict that does not name the only output has the fields of its targets.
        of_fields = len(names) == 1 and isinstance(y, Mapping) and set(y) != set(names)
        values = [y] if of_fields or self._is_whole else self._ends.take(y, "y")
        if len(leading) > 1:
            values = [self._flattened(k, value, leading) for k, value in enumerate(values)]
        if len(values) == 1:
            return [self._checked_target(0, values[0], rows)]
        found = []
        for k, value in enumerate(values):
            try:
                found.append(self._checked_target(k, value, rows))
            except (ArgumentError, ArgumentTypeError) as error:
                raise type(error)(f"{self._ends.argument('y', k)}, {error}") from None
        return found

    def _checked_target(self, k: int, value: Any, rows: int) -> Any:
        width, dtype = self._core.widths_out[k], self._core.dtype
        return self.losses[k].checked_target(value, rows, width, dtype)

    def _flattened(self, k: int, value: Any, leading: tuple[int, ...]) -> Any:
        loss, name = self.losses[k], self._ends.argument("y", k)
        if isinstance(loss, CustomLoss):
            return loss.flattened(value, name, leading)
        return packing.flattened(value, leading, name)

    def check_weights(self, weights: Array | None) -> None:
        """Refuse sample weights that a loss of your own cannot take."""
        for loss in self.losses:
            if isinstance(loss, CustomLoss):
                loss.check_weights(weights)

    def value(
        self, scores: list[Array], targets: list[Any], weights: Array | None
    ) -> tuple[float, list[Array]]:
        """Return the weighted sum of the losses, and its gradient for each output."""
        total, gradients = 0.0, []
        for weight, part in zip(self.weights, self._parts(scores, targets, weights), strict=True):
            total += weight * part.value
            gradients += [one if weight == 1.0 else weight * one for one in part.gradients]
        return total, gradients

    def _parts(
        self, scores: list[Array], targets: list[Any], weights: Array | None
    ) -> Iterator[_Part]:
        """Compute each loss on the outputs that it reads."""
        for k, (loss, target) in enumerate(zip(self.losses, targets, strict=True)):
            if isinstance(loss, CustomLoss):
                own = scores if self._is_joint else [scores[k]]
                value, gradients = loss.evaluate(own, target, weights)
                arrays = [np.ascontiguousarray(one, self._core.dtype) for one in gradients]
                yield _Part(value, arrays, np.array([value]))
            else:
                value, gradient, members = loss.computed(scores[k], target, weights)
                yield _Part(value, [gradient], members)

    def by_hand(
        self, scores: list[Array], targets: list[Any], weights: Array | None
    ) -> tuple[float, list[Array]]:
        """Return the same as ``value``, computed with the losses' forward and backward."""
        if self._own:
            return self.value(scores, targets, weights)
        total, gradients = 0.0, []
        for weight, loss, one, target in zip(
            self.weights, self.losses, scores, targets, strict=True
        ):
            total += weight * loss.forward(one, target, weights)
            gradients.append(weight * np.asarray(loss.backward(), one.dtype))
        return total, gradients

    def evaluate(
        self, scores: list[Array], targets: list[Any], weights: Array | None
    ) -> Evaluation:
        """Return the weighted sum of the losses, and the score of the first output."""
        parts = list(self._parts(scores, targets, weights))
        total = 0.0
        for weight, part in zip(self.weights, parts, strict=True):
            total += weight * part.value
        if 0 in self._own:
            return Evaluation(total, -parts[0].value, None, None)
        each = self.losses[0].core_scores(scores[0], targets[0], weights)
        several = self.members > 1
        return Evaluation(
            total, float(np.mean(each)), parts[0].members if several else None,
            each if several else None,
        )  # fmt: skip


class _Part(NamedTuple):
    """What one loss contributes: its value, the gradient of each output, the members' values."""

    value: float
    gradients: list[Array]
    members: Array


def _is_own(value: Any) -> bool:
    # These also have forward and backward, with other arguments.
    return is_custom_loss(value) and not isinstance(value, (Layer, Network, Penalty))


def _checked_loss(value: Any, name: str) -> Loss:
    if _is_own(value):
        return CustomLoss(value)
    if not isinstance(value, Loss):
        hint = "; write it with parentheses" if isinstance(value, type) else ""
        raise ArgumentTypeError(f"{name}: got {check.shown(value)}; want {FORMS}{hint}")
    return value
