"""Losses of reinforcement learning: of policies, and of values of actions.

With a value term, the last column of the scores is the value. The fields of a row of targets are
the action, for PPO its old log probability, the advantage, and with a value the return and, for a
clipped value, the old value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float
from .loss_base import Loss, Reduction, log_softmax, one_hot
from .losses_density import log_density

__all__ = [
    "BehaviourCloningLoss",
    "CriticLoss",
    "DQNLoss",
    "GaussianPPOLoss",
    "GaussianPolicyGradientLoss",
    "PPOLoss",
    "PolicyGradientLoss",
]


class _Policy(Loss):
    """``surrogate(log p(action)) - entropy_coef H + value_coef (V - return)^2``."""

    target = "fields"
    elementwise = 0
    clip_value = 0.0

    def __init__(
        self,
        entropy_coef: float = 0.0,
        value_coef: float = 0.0,
        reduction: Reduction = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.entropy_coef, self.value_coef = entropy_coef, value_coef

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        t = as_float(target)
        columns = scores.shape[1] - (self.value_coef > 0)
        action, rest = np.split(t, [self.action_columns(columns)], axis=1)
        log_p, entropy, d_log_p, d_entropy = self.distribution(scores[:, :columns], action)
        loss, slope, rest = self.surrogate(log_p, rest)
        gradient = slope[:, np.newaxis] * d_log_p
        if self.entropy_coef != 0.0:
            loss = loss - self.entropy_coef * entropy
            gradient = gradient - self.entropy_coef * d_entropy
        if self.value_coef > 0:
            value, d_value = self._value(scores[:, -1], rest)
            loss = loss + value
            gradient = np.hstack([gradient, d_value[:, np.newaxis]])
        return loss, gradient

    def surrogate(self, log_p: Array, fields: Array) -> tuple[Array, Array, Array]:
        """``-advantage log p``, its derivative, and the other fields."""
        advantage = fields[:, 0]
        return -advantage * log_p, -advantage, fields[:, 1:]

    def _value(self, v: Array, fields: Array) -> tuple[Array, Array]:
        e = v - fields[:, 0]
        loss, slope = e * e, 2.0 * e
        if self.clip_value > 0:
            step = v - fields[:, 1]
            limited = np.clip(step, -self.clip_value, self.clip_value)
            other = fields[:, 1] + limited - fields[:, 0]
            larger = other * other > e * e
            loss = np.where(larger, other * other, loss)
            slope = np.where(larger, np.where(limited == step, 2.0 * other, 0.0), slope)
        return self.value_coef * loss, self.value_coef * slope

    def action_columns(self, columns: int) -> int:
        """Columns of the action's field, for so many scores of the policy."""
        return 1

    def distribution(self, scores: Array, action: Array) -> tuple[Array, Array, Array, Array]:
        """``log p``, the entropy, and their gradients: of classes with the scores as logits."""
        log_p = log_softmax(scores)
        p, label = np.exp(log_p), action.astype(int)
        information = np.where(p == 0.0, 0.0, p * np.where(p == 0.0, 0.0, log_p))
        entropy = -information.sum(axis=1)
        d_entropy = -np.where(p == 0.0, 0.0, information + p * entropy[:, np.newaxis])
        chosen = np.take_along_axis(log_p, label, axis=1)[:, 0]
        return chosen, entropy, one_hot(label[:, 0], scores.shape[1]) - p, d_entropy


class _GaussianPolicy(_Policy):
    """The same with D means and D log standard deviations as scores."""

    def action_columns(self, columns: int) -> int:
        return columns // 2

    def distribution(self, scores: Array, action: Array) -> tuple[Array, Array, Array, Array]:
        mean, log_std = np.split(scores, 2, axis=1)
        z = (action - mean) * np.exp(-log_std)
        entropy = log_std.sum(axis=1) + mean.shape[1] * 0.5 * np.log(2.0 * np.pi * np.e)
        d_log_p = np.hstack([z * np.exp(-log_std), z * z - 1.0])
        d_entropy = np.hstack([np.zeros_like(mean), np.ones_like(log_std)])
        return log_density(mean, log_std, action), entropy, d_log_p, d_entropy


class PolicyGradientLoss(_Policy):
    """``-advantage log p(action)``, of REINFORCE and A2C.

    Sources: Williams 1992; Mnih et al. 2016.

    Examples
    --------
    >>> loss = PolicyGradientLoss()
    >>> round(loss.forward([[0.0, 0.0]], [[1.0, 2.0]]), 4)
    1.3863
    >>> loss.backward()
    array([[ 1., -1.]])
    """


class GaussianPolicyGradientLoss(_GaussianPolicy):
    """The same for Gaussian actions.

    Examples
    --------
    >>> loss = GaussianPolicyGradientLoss()
    >>> loss.forward([[0.0, 0.0]], [[1.0, 2.0]]).__round__(4)
    2.8379
    """


class _Clipped(_Policy):
    """The clipped surrogate of PPO."""

    def __init__(
        self,
        clip: float = 0.2,
        entropy_coef: float = 0.0,
        value_coef: float = 0.0,
        clip_value: float = 0.0,
        reduction: Reduction = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(entropy_coef, value_coef, reduction, fold)
        self.clip, self.clip_value = clip, clip_value

    def surrogate(self, log_p: Array, fields: Array) -> tuple[Array, Array, Array]:
        """``-min(r A, clip(r, 1 - clip, 1 + clip) A)`` with ``r = p / old p``."""
        ratio, advantage = np.exp(log_p - fields[:, 0]), fields[:, 1]
        free = ratio * advantage
        clipped = np.clip(ratio, 1.0 - self.clip, 1.0 + self.clip) * advantage
        is_clipped = clipped < free
        loss, slope = np.where(is_clipped, -clipped, -free), np.where(is_clipped, 0.0, -free)
        return loss, slope, fields[:, 2:]


class PPOLoss(_Clipped):
    """``-min(r A, clip(r, 1 - clip, 1 + clip) A)`` with ``r = p(action) / old p(action)``.

    Source: Schulman et al. 2017, "Proximal Policy Optimization Algorithms".

    Examples
    --------
    >>> loss = PPOLoss(clip=0.5)
    >>> loss.forward([[0.0, 0.0]], [[1.0, -3.0, 1.0]])
    -1.5
    >>> loss.backward()
    array([[-0.,  0.]])
    """


class GaussianPPOLoss(_Clipped, _GaussianPolicy):
    """The same for Gaussian actions.

    Examples
    --------
    >>> loss = GaussianPPOLoss(clip=0.5)
    >>> loss.forward([[0.0, 0.0]], [[0.0, -3.0, 1.0]])
    -1.5
    """


class BehaviourCloningLoss(Loss):
    """``-log p(label) - entropy_coef H``.

    Examples
    --------
    >>> loss = BehaviourCloningLoss(entropy_coef=1.0)
    >>> loss.forward([[0.0, 0.0]], [1])
    0.0
    """

    target = "class"
    elementwise = 0

    def __init__(
        self, entropy_coef: float = 0.0, reduction: Reduction = "mean", fold: int = 1
    ) -> None:
        super().__init__(reduction, fold)
        self.entropy_coef = entropy_coef

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        policy = PolicyGradientLoss(self.entropy_coef)
        advantage = np.ones(len(scores))
        return policy.rows(scores, np.column_stack([np.asarray(target), advantage]))


class DQNLoss(Loss):
    """Huber of ``q[action] - y``; the fields are the action and y.

    Source: Mnih et al. 2015.

    Examples
    --------
    >>> loss = DQNLoss()
    >>> loss.forward([[1.0, 5.0]], [[1.0, 2.0]])
    2.5
    >>> loss.backward()
    array([[0., 1.]])
    """

    target = "fields"
    elementwise = 0

    def __init__(self, delta: float = 1.0, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.delta = delta

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        action, y = as_float(target).reshape(len(scores), 2).T
        chosen = one_hot(action, scores.shape[1])
        d = np.take_along_axis(scores, action[:, np.newaxis].astype(int), axis=1)[:, 0] - y
        outside = np.abs(d) > self.delta
        linear = np.where(outside, self.delta, 0.0) * (np.abs(d) - 0.5 * self.delta)
        loss = np.where(outside, linear, 0.5 * d * d)
        slope = np.where(outside, np.copysign(self.delta, d), d)[:, np.newaxis]
        return loss, np.where(chosen == 1.0, slope, 0.0)


class CriticLoss(Loss):
    """``sum_k (q_k - y)^2`` of several critics with one target.

    Examples
    --------
    >>> loss = CriticLoss()
    >>> loss.forward([[1.0, 3.0]], [2.0])
    2.0
    """

    target = "fields"
    elementwise = 0

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        e = scores - as_float(target).reshape(-1, 1)
        return (e * e).sum(axis=1), 2.0 * e


LOSSES: dict[str, type[Loss]] = {
    "PolicyGradientLoss": PolicyGradientLoss,
    "GaussianPolicyGradientLoss": GaussianPolicyGradientLoss,
    "PPOLoss": PPOLoss,
    "GaussianPPOLoss": GaussianPPOLoss,
    "BehaviourCloningLoss": BehaviourCloningLoss,
    "DQNLoss": DQNLoss,
    "CriticLoss": CriticLoss,
}
