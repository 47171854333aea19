"""Targets of the losses of values, and advantages for those of policies."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array

__all__ = ["dqn_target", "gae", "sac_target", "td3_target"]


def dqn_target(
    reward: Any, done: Any, next_q: Any, gamma: float = 0.99, next_q_online: Any = None
) -> Array:
    """Return ``reward + gamma * (1 - done) * max(next_q)``, the targets of ``DQNLoss``.

    Parameters
    ----------
    reward : array_like, shape (N,)
    done : array_like, shape (N,)
        Whether the episode ended with this step; not for one that was only cut off.
    next_q : array_like, shape (N, A)
        Values of the actions in the next state, by the target network.
    gamma : float, default 0.99
        From 0 to 1.
    next_q_online : array_like, shape (N, A), optional
        The same by the trained network: it then chooses the action, and the target network its
        value. This is double DQN (van Hasselt, Guez & Silver 2016, "Deep Reinforcement Learning
        with Double Q-learning").

    Returns
    -------
    ndarray, shape (N,)
        In the dtype of ``next_q``.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit.

    Examples
    --------
    >>> import fastmlp as fm
    >>> q = [[1.0, 2.0], [4.0, 3.0]]
    >>> fm.dqn_target([1.0, 1.0], [False, True], q, gamma=0.5).tolist()
    [2.0, 1.0]
    >>> fm.dqn_target([1.0, 1.0], [False, True], q, 0.5, next_q_online=[[9.0, 0.0]] * 2).tolist()
    [1.5, 1.0]
    """
    q = _columns(next_q, "next_q")
    chooser = q if next_q_online is None else _columns(next_q_online, "next_q_online", q.shape)
    chosen = np.take_along_axis(q, chooser.argmax(axis=1)[:, np.newaxis], axis=1)[:, 0]
    return _bellman(reward, done, chosen, gamma)


def td3_target(reward: Any, done: Any, next_q: Any, gamma: float = 0.99) -> Array:
    """Return ``reward + gamma * (1 - done) * min(next_q)``, the targets of ``CriticLoss``.

    Parameters
    ----------
    reward, done : array_like, shape (N,)
        As for ``dqn_target``.
    next_q : array_like, shape (N, K)
        Values of the next state and action by the K target critics.
    gamma : float, default 0.99

    Returns
    -------
    ndarray, shape (N,)

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.td3_target([1.0], [False], [[4.0, 2.0]], gamma=0.5).tolist()
    [2.0]
    """
    return _bellman(reward, done, _columns(next_q, "next_q").min(axis=1), gamma)


def sac_target(
    reward: Any,
    done: Any,
    next_q: Any,
    next_log_prob: Any,
    alpha: float = 0.2,
    gamma: float = 0.99,
) -> Array:
    """Return ``reward + gamma * (1 - done) * (min(next_q) - alpha * next_log_prob)``.

    Parameters
    ----------
    reward, done : array_like, shape (N,)
        As for ``dqn_target``.
    next_q : array_like, shape (N, K)
        Values of the next state and a drawn action by the K target critics.
    next_log_prob : array_like, shape (N,)
        Log density of that action.
    alpha : float, default 0.2
        The temperature.
    gamma : float, default 0.99

    Returns
    -------
    ndarray, shape (N,)

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.sac_target([1.0], [False], [[4.0, 2.0]], [-1.0], alpha=0.5, gamma=0.5).tolist()
    [2.25]
    """
    q = _columns(next_q, "next_q").min(axis=1)
    weight = validation.real(alpha, "alpha", 0.0)
    return _bellman(reward, done, q - weight * _like(next_log_prob, "next_log_prob", q), gamma)


def gae(
    rewards: Any,
    values: Any,
    dones: Any,
    last_values: Any,
    gamma: float = 0.99,
    lam: float = 0.95,
) -> tuple[Array, Array]:
    """Return generalised advantage estimates, and the returns ``advantages + values``.

    Parameters
    ----------
    rewards, values, dones : array_like, shape (T,) or (T, E)
        Of T steps in E environments: the reward of a step, the value of the state before it, and
        whether the episode ended with it.
    last_values : array_like, shape () or (E,)
        Value of the state after the last step.
    gamma, lam : float
        From 0 to 1. With ``lam=1`` and values of 0, the advantages are the discounted returns.

    Returns
    -------
    tuple of ndarray
        Advantages and returns, in the shape of the rewards and the dtype of the values.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit.

    Notes
    -----
    Source: Schulman, Moritz, Levine, Jordan & Abbeel 2016, "High-Dimensional Continuous Control
    Using Generalized Advantage Estimation".

    Examples
    --------
    >>> import fastmlp as fm
    >>> advantages, returns = fm.gae([1.0, 1.0], [0.0, 0.0], [0, 0], 2.0, gamma=0.5, lam=1.0)
    >>> advantages.tolist(), returns.tolist()
    ([2.0, 2.0], [2.0, 2.0])
    """
    value = validation.numeric(values, "values")
    value = value.astype(validation.natural_dtype(value), copy=False)
    if value.ndim not in (1, 2):
        raise ArgumentError(f"values: got shape {value.shape}; want (T,) or (T, E)")
    reward, ended = _like(rewards, "rewards", value), _like(dones, "dones", value)
    last = validation.numeric(last_values, "last_values")
    if last.shape != value.shape[1:]:
        raise ArgumentError(f"last_values: got shape {last.shape}; want {value.shape[1:]}")
    discount = validation.real(gamma, "gamma", 0.0, 1.0)
    decay = discount * validation.real(lam, "lam", 0.0, 1.0)
    advantage, following, after = np.empty_like(value), np.zeros_like(last, value.dtype), last
    for t in range(len(value) - 1, -1, -1):
        goes_on = 1.0 - ended[t]
        delta = reward[t] + discount * goes_on * after - value[t]
        following = advantage[t] = delta + decay * goes_on * following
        after = value[t]
    return advantage, advantage + value


def _bellman(reward: Any, done: Any, after: Array, gamma: float) -> Array:
    discount = validation.real(gamma, "gamma", 0.0, 1.0)
    goes_on = 1.0 - _like(done, "done", after)
    target: Array = _like(reward, "reward", after) + discount * goes_on * after
    return target.astype(after.dtype, copy=False)


def _columns(value: Any, name: str, shape: tuple[int, ...] | None = None) -> Array:
    found = validation.matrix(value, name, validation.natural_dtype(value, name))
    if shape is not None and found.shape != shape:
        raise ArgumentError(f"{name}: got shape {found.shape}; want {shape}")
    return found


def _like(value: Any, name: str, other: Array) -> Array:
    found = validation.numeric(value, name)
    if found.shape != other.shape:
        raise ArgumentError(f"{name}: got shape {found.shape}; want {other.shape}")
    return found.astype(other.dtype, copy=False)
