"""Losses of policies: of actions that are classes, or Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics
from fastmlp.losses.base import Loss
from fastmlp.losses.density import means_of
from fastmlp.losses.fields import FieldsLoss
from fastmlp.losses.packing import Field

__all__ = [
    "BehaviourCloningLoss",
    "GaussianPPOLoss",
    "GaussianPolicyGradientLoss",
    "PPOLoss",
    "PolicyGradientLoss",
]


def _classes(width: int, value: int) -> Field:
    """Return the field of the action for logits, and a value if ``value`` is 1."""
    if width - value < 1:
        raise ArgumentError(f"scores: got {width} columns; want logits and a value")
    return Field("action", end=width - value)


def _vector(width: int, value: int) -> Field:
    """Return the field of the action for means and log standard deviations, and a value."""
    return Field("action", means_of(width, value))


class PolicyGradientLoss(FieldsLoss):
    """Policy gradient of REINFORCE and A2C: ``-advantage * log p(action)`` for each row.

    Parameters
    ----------
    entropy_coef : float, default 0
        Strength of the entropy bonus: ``- entropy_coef * H``.
    value_coef : float, default 0
        Strength of the value term, ``value_coef * (V - return)**2``. If it is above 0, the last
        column of the scores is the value V of the state.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are the logits of A actions, ``(N, A)``, then the value if ``value_coef`` is above 0. A
    logit of ``-inf`` masks an action. ``y`` has the fields ``action`` (0 to A - 1), ``advantage``
    (for REINFORCE the return) and with a value ``return``: a dict or a structured array of them, or
    ``(N, k)`` in this order. The score is minus the loss. Sources: Williams 1992, "Simple
    Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning"; Mnih et al.
    2016, "Asynchronous Methods for Deep Reinforcement Learning".

    Examples
    --------
    >>> import fastmlp as fm
    >>> loss = fm.PolicyGradientLoss()
    >>> round(loss.forward([[0.0, 0.0]], {"action": [1], "advantage": [2.0]}), 4)
    1.3863
    >>> loss.backward().tolist()
    [[1.0, -1.0]]
    """

    def __init__(
        self,
        entropy_coef: float = 0.0,
        value_coef: float = 0.0,
        reduction: str = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.entropy_coef = validation.real(entropy_coef, "entropy_coef")
        self.value_coef = validation.real(value_coef, "value_coef", 0.0)

    def layout(self, width: int) -> list[Field]:
        has_value = self.value_coef > 0
        return [
            self._action(width, int(has_value)),
            Field("advantage"),
            *([Field("return")] if has_value else []),
        ]

    def _action(self, width: int, value: int) -> Field:
        return _classes(width, value)


class GaussianPolicyGradientLoss(PolicyGradientLoss):
    """Policy gradient of Gaussian actions: ``-advantage * log N(action; mean, std)``.

    Parameters
    ----------
    entropy_coef : float, default 0
        Strength of the entropy bonus: ``- entropy_coef * H``.
    value_coef : float, default 0
        Strength of the value term, ``value_coef * (V - return)**2``. If it is above 0, the last
        column of the scores is the value V of the state.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are D means and D log standard deviations, ``(N, 2 D)``, then the value if ``value_coef``
    is above 0. ``y`` has the fields ``action`` (D columns), ``advantage`` and with a value
    ``return``, as for ``PolicyGradientLoss``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> loss = fm.GaussianPolicyGradientLoss()
    >>> round(loss.forward([[0.0, 0.0]], {"action": [[1.0]], "advantage": [2.0]}), 4)
    2.8379
    >>> loss.backward().tolist()
    [[-2.0, -0.0]]
    """

    def _action(self, width: int, value: int) -> Field:
        return _vector(width, value)


class PPOLoss(FieldsLoss):
    """PPO's clipped surrogate: ``-min(r A, clip(r, 1 - clip, 1 + clip) A)``, r = p / old p.

    Parameters
    ----------
    clip : float, default 0.2
        Above 0.
    entropy_coef : float, default 0
        Strength of the entropy bonus: ``- entropy_coef * H``.
    value_coef : float, default 0
        Strength of the value term, ``value_coef * (V - return)**2``. If it is above 0, the last
        column of the scores is the value V of the state.
    clip_value : float, default 0
        If above 0, V also counts clipped to the old value +- ``clip_value``, whichever of the two
        errors is larger.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are the logits of A actions, ``(N, A)``, then the value if ``value_coef`` is above 0. A
    logit of ``-inf`` masks an action. ``y`` has the fields ``action`` (0 to A - 1), ``log_prob``
    (of the action, when it was taken), ``advantage``, with a value ``return``, and with a clipped
    value ``value``: a dict or a structured array of them, or ``(N, k)`` in this order. The score is
    minus the loss. Source: Schulman, Wolski, Dhariwal, Radford & Klimov 2017, "Proximal Policy
    Optimization Algorithms", equations 7 and 9.

    Examples
    --------
    >>> import fastmlp as fm
    >>> loss = fm.PPOLoss(clip=0.2)
    >>> y = {"action": [0, 0], "log_prob": [-0.6931472, -2.0], "advantage": [1.0, 1.0]}
    >>> round(loss.forward([[0.0, 0.0], [0.0, 0.0]], y), 4)
    -1.1
    >>> loss.backward().round(4).tolist()  # the second ratio is above 1.2
    [[-0.25, 0.25], [0.0, -0.0]]
    """

    smooth = False

    def __init__(
        self,
        clip: float = 0.2,
        entropy_coef: float = 0.0,
        value_coef: float = 0.0,
        clip_value: float = 0.0,
        reduction: str = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.clip = validation.real(clip, "clip", 0.0, low_open=True)
        self.entropy_coef = validation.real(entropy_coef, "entropy_coef")
        self.value_coef = validation.real(value_coef, "value_coef", 0.0)
        self.clip_value = validation.real(clip_value, "clip_value", 0.0)

    def layout(self, width: int) -> list[Field]:
        has_value = self.value_coef > 0
        more = ["return", *(["value"] if self.clip_value > 0 else [])] if has_value else []
        return [
            self._action(width, int(has_value)),
            *map(Field, ["log_prob", "advantage", *more]),
        ]

    def _action(self, width: int, value: int) -> Field:
        return _classes(width, value)


class GaussianPPOLoss(PPOLoss):
    """PPO's clipped surrogate for Gaussian actions.

    Parameters
    ----------
    clip : float, default 0.2
        Above 0.
    entropy_coef : float, default 0
        Strength of the entropy bonus: ``- entropy_coef * H``.
    value_coef : float, default 0
        Strength of the value term, ``value_coef * (V - return)**2``. If it is above 0, the last
        column of the scores is the value V of the state.
    clip_value : float, default 0
        As for ``PPOLoss``.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are D means and D log standard deviations, ``(N, 2 D)``, then the value if ``value_coef``
    is above 0. ``y`` has the fields of ``PPOLoss``; ``action`` has D columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> y = {"action": [[1.0]], "log_prob": [-1.4189385], "advantage": [1.0]}
    >>> round(fm.GaussianPPOLoss().forward([[0.0, 0.0]], y), 4)
    -1.0
    """

    def _action(self, width: int, value: int) -> Field:
        return _vector(width, value)


class BehaviourCloningLoss(Loss):
    """Imitation of an expert's actions: ``-log p(action) - entropy_coef * H`` for each row.

    Parameters
    ----------
    entropy_coef : float, default 0
        Strength of the entropy bonus; 0 is cross-entropy.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are the logits of A actions, ``(N, A)``; ``y`` holds the expert's actions ``(N,)``, from
    0 to A - 1. For actions that are vectors use ``GaussianNLLLoss`` or ``MSELoss``. The score is
    the accuracy. Source: Pomerleau 1991, "Efficient Training of Artificial Neural Networks for
    Autonomous Navigation"; the bonus as in the library ``imitation``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> round(fm.BehaviourCloningLoss(entropy_coef=0.5).forward([[0.0, 0.0]], [1]), 4)
    0.3466
    """

    score_name = "accuracy"
    unchecked_target = "class"

    def __init__(self, entropy_coef: float = 0.0, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.entropy_coef = validation.real(entropy_coef, "entropy_coef")

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        return validation.labels(y, "y", rows, width)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.accuracy(rows, target, weights)
