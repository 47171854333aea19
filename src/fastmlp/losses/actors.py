"""Losses of actors: the value of their actions, through a critic."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, StateError
from fastmlp.base.validation import Array
from fastmlp.distributions import SquashedGaussian

__all__ = ["SACActorLoss", "TD3ActorLoss"]

# Limits of the log standard deviations, as in stable-baselines3.
_LEAST_LOG_STD, _MOST_LOG_STD = -20.0, 2.0


class _ActorLoss:
    """Base of losses that ask a critic about the actions of a batch."""

    def __init__(self, critic: Any) -> None:
        if isinstance(critic, type) or not hasattr(critic, "vjp"):
            raise ArgumentTypeError(f"critic: got {validation.shown(critic)}; want a network")
        self.critic = critic
        self._gradient: Array | None = None

    def backward(self) -> Array:
        """Return the gradient of the last loss with respect to its scores."""
        if self._gradient is None:
            raise StateError("backward: no loss has been computed; call forward(scores, y) first")
        return self._gradient

    def _inputs(self, observations: Any, actions: Array) -> Any:
        rows = validation.matrix(observations, "y", self.critic.dtype)
        if len(rows) != len(actions):
            raise ArgumentError(f"y: got {len(rows)} rows; want {len(actions)}, as many as scores")
        given = [rows, np.ascontiguousarray(actions, self.critic.dtype)]
        return np.hstack(given) if len(self.critic.input_names) == 1 else given

    def _of_actions(self, dx: Any, columns: int) -> Array:
        names = self.critic.input_names
        found: Array = dx[:, -columns:] if len(names) == 1 else dx[names[-1]]
        return found


class TD3ActorLoss(_ActorLoss):
    """Minus the mean value of the actor's actions by the first critic: ``-mean(Q_1(s, a))``.

    Parameters
    ----------
    critic : Sequential or Graph
        Its input is the observation and the action side by side, or it has both as inputs, in this
        order. Of several outputs, the first column counts. Its gradients stay as they are.

    Notes
    -----
    A loss of its own for ``Trainer``: scores are the actions ``(N, D)``, ``y`` are the observations
    ``(N, O)`` for which they were made. DDPG's actor has the same loss. Sources: Lillicrap et al.
    2016, "Continuous control with deep reinforcement learning"; Fujimoto, van Hoof & Meger 2018,
    "Addressing Function Approximation Error in Actor-Critic Methods".

    Examples
    --------
    >>> import fastmlp as fm
    >>> critic = fm.Sequential(fm.Linear(3, 2, init=fm.initializers.Constant(0.5)))
    >>> loss = fm.TD3ActorLoss(critic)
    >>> loss.forward([[2.0]], [[1.0, 1.0]]), loss.backward().tolist()
    (-2.0, [[-0.5]])
    """

    def forward(self, scores: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the loss of actions (N, D) for observations (N, O)."""
        actions = validation.matrix(scores, "scores", self.critic.dtype)
        weights = _shares(sample_weight, actions)
        up = np.zeros((len(actions), self.critic.out_features), self.critic.dtype)
        up[:, 0] = -weights
        q, dx = self.critic.vjp(self._inputs(y, actions), up)
        self._gradient = self._of_actions(dx, actions.shape[1])
        return float(-(weights * q[:, 0]).sum())


class SACActorLoss(_ActorLoss):
    """``mean(alpha * log p(a) - min_k Q_k(s, a))`` with actions drawn from the actor.

    The actor is a squashed Gaussian; the gradient passes through the drawn action.

    Parameters
    ----------
    critic : Sequential or Graph
        As for ``TD3ActorLoss``; its K output columns are the critics.
    alpha : float, default 0.2
        The temperature; the attribute may be changed between steps.
    low, high : float or array_like of shape (D,), default -1 and 1
        The box of the actions.
    seed : int, optional
        Of the drawn actions.

    Attributes
    ----------
    log_prob : ndarray, shape (N,)
        Log densities of the actions of the last loss, for an update of ``alpha``: the gradient of
        ``log alpha`` is ``-alpha * mean(log_prob + target_entropy)``.

    Notes
    -----
    A loss of its own for ``Trainer``: scores are D means and D log standard deviations, ``(N,
    2 D)``, ``y`` are the observations ``(N, O)``. Log standard deviations count from -20 to 2.
    Source: Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications".

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> critic = fm.Sequential(fm.Linear(3, 16), fm.Tanh(), fm.Linear(16, 2), seed=0)
    >>> actor = fm.Sequential(fm.Linear(2, 16), fm.Tanh(), fm.Linear(16, 2), seed=0)
    >>> trainer = fm.Trainer(actor, fm.SACActorLoss(critic, seed=0), fm.Adam(lr=1e-2))
    >>> x = np.random.default_rng(0).standard_normal((64, 2))
    >>> losses = [trainer.step(x, x) for _ in range(50)]
    >>> bool(np.mean(losses[-5:]) < np.mean(losses[:5]))
    True
    """

    def __init__(
        self,
        critic: Any,
        alpha: float = 0.2,
        low: Any = -1.0,
        high: Any = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(critic)
        self.alpha = validation.real(alpha, "alpha", 0.0)
        self.low, self.high = low, high
        self.log_prob: Array | None = None
        self._rng = np.random.default_rng(validation.seed(seed))

    def forward(self, scores: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the loss of means and log standard deviations for observations (N, O)."""
        rows = validation.matrix(scores, "scores", self.critic.dtype)
        if rows.shape[1] % 2:
            raise ArgumentError(
                f"scores: got {rows.shape[1]} columns; want means, then as many log standard "
                "deviations"
            )
        mean, log_std = np.hsplit(rows, 2)
        limited = np.clip(log_std, _LEAST_LOG_STD, _MOST_LOG_STD)
        policy = SquashedGaussian(mean, limited, self.low, self.high)
        drawn = policy.rsample(self._rng)
        inputs, weights = self._inputs(y, drawn.action), _shares(sample_weight, rows)

        def of_worst(q: Array) -> Array:
            up = np.zeros_like(q)
            up[np.arange(len(q)), q.argmin(axis=1)] = -weights
            return up

        q, dx = self.critic.vjp(inputs, of_worst)
        of_action = self._of_actions(dx, mean.shape[1])
        slopes = policy.rsample_gradient(drawn.noise, of_action, self.alpha * weights)
        inside = (log_std >= _LEAST_LOG_STD) & (log_std <= _MOST_LOG_STD)
        self._gradient = np.hstack([slopes[0], np.where(inside, slopes[1], 0)])
        self.log_prob = drawn.log_prob
        return float((weights * (self.alpha * drawn.log_prob - q.min(axis=1))).sum())


def _shares(sample_weight: Any, rows: Array) -> Array:
    """Each row's part of the mean, shape (N,)."""
    weights = validation.sample_weights(sample_weight, len(rows), rows.dtype)
    if weights is None:
        weights = np.ones(len(rows), rows.dtype)
    total = weights.sum()
    shares: Array = weights / total if total != 0 else np.zeros_like(weights)
    return shares
