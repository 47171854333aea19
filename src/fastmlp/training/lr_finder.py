"""The learning-rate range test: which rates a network can be trained with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.networks.base import Network
from fastmlp.optim.base import Optimizer
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.training.trainer import Trainer

_SMOOTHING = 0.9  # of the running mean of the losses
_DIVERGED = 4.0  # times the least loss
_STEPS_A_CALL = 8


class LRFinder:
    """The result of ``find_lr``.

    Attributes
    ----------
    rates, losses, smoothed : ndarray, shape (steps,)
        Learning rate of each step, its loss before the update, and the running mean of the losses.
    suggestion : float
        A tenth of the rate with the least smoothed loss.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> found = fm.find_lr(net, [[0.0], [1.0]], [0, 1], loss=fm.MSELoss(), steps=20)
    >>> found.rates[0] == 1e-7 and len(found.losses) <= 20
    True
    """

    def __init__(self, rates: Array, losses: Array) -> None:
        self.rates, self.losses = rates, losses
        self.smoothed = _smoothed(losses)
        self.suggestion = float(rates[int(np.argmin(self.smoothed))]) / 10.0

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the rates, with the suggestion; return Matplotlib's axes.

        Raises
        ------
        MissingPackageError
            If Matplotlib is not installed.
        """
        from fastmlp import plot

        return plot.lr_range(self, ax)

    def __repr__(self) -> str:
        return f"LRFinder(suggestion={self.suggestion:.2g}, steps={len(self.rates)})"


def find_lr(
    net: Network,
    x: Any,
    y: Any,
    *,
    loss: Any,
    optimizer: Optimizer | None = None,
    batch_size: int | None = None,
    sample_weight: Any = None,
    penalty: Any = None,
    lowest: float = 1e-7,
    highest: float = 10.0,
    steps: int = 100,
    seed: int | None = None,
) -> LRFinder:
    """Train a copy of the network with a learning rate that grows, and watch the loss.

    The learning rate grows by the same factor in each step, from ``lowest`` to ``highest``. The
    test ends early if the loss is no longer finite, or its running mean is 4 times its least one.
    The network itself does not change.

    Parameters
    ----------
    net : Sequential or Graph
    x, y, loss, optimizer, batch_size, sample_weight, penalty
        As for ``fastmlp.fit``. The optimizer's learning rate does not count.
    lowest, highest : float
        The first and the last learning rate.
    steps : int, default 100
        Number of steps; after the last row, the rows come in a new order.
    seed : int, optional
        Of the order of rows; ``net.seed`` by default.

    Returns
    -------
    LRFinder
        ``result.suggestion`` is a rate to begin with, ``result.plot()`` the picture.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument has a wrong type or value, or the first loss is not finite.

    References
    ----------
    Smith, "Cyclical learning rates for training neural networks", WACV 2017 (the range test). The
    growth by a factor, the running mean and the end at 4 times the least loss are those of fastai,
    as is the suggestion (Howard & Gugger, "fastai: a layered API for deep learning", 2020).

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> x = np.random.default_rng(0).standard_normal((256, 4))
    >>> net = fm.Sequential(fm.Linear(4, 16), fm.Tanh(), fm.Linear(16, 1), seed=0)
    >>> found = fm.find_lr(net, x, x[:, :1] * x[:, 1:2], loss=fm.MSELoss())
    >>> 1e-4 < found.suggestion < 1
    True
    """
    low = check.real(lowest, "lowest", 0.0, low_open=True)
    high = check.real(highest, "highest", low, low_open=True)
    count = check.integer(steps, "steps", 2)
    if isinstance(optimizer, LBFGS):
        raise ArgumentError("optimizer: got LBFGS, which has no learning rate; want another one")
    trainer = Trainer(net.copy() if isinstance(net, Network) else net, loss, optimizer, penalty)
    data = trainer.checked_data(x, y, sample_weight, True)
    size = min(128 if batch_size is None else check.size(batch_size, "batch_size"), data.rows)
    order = _order(data.rows, size * count, trainer.net.seed if seed is None else check.seed(seed))
    rates = np.geomspace(low, high, count)
    losses = np.empty((count, 2))
    done = 0
    while done < count:
        part = slice(done, min(done + _STEPS_A_CALL, count))
        rows = order[part.start * size : part.stop * size]
        trainer.epoch(data.at(rows), None, size, rates[part], losses=losses[part])
        done = part.stop
        if _has_diverged(losses[:done].sum(axis=1)):
            break
    return LRFinder(*_until_divergence(rates[:done], losses[:done].sum(axis=1)))


def _order(rows: int, wanted: int, seed: int) -> Array:
    """Return row numbers for all steps: one order of all rows after another."""
    found = [_core.permutation(rows, seed, k) for k in range(math.ceil(wanted / rows))]
    return np.concatenate(found)[:wanted]


def _smoothed(losses: Array) -> Array:
    """Return the running mean, corrected for its start at 0 (as Adam's)."""
    found, mean = np.empty(len(losses)), 0.0
    for k, loss in enumerate(losses.tolist()):
        mean += (1.0 - _SMOOTHING) * (loss - mean)
        found[k] = mean / (1.0 - _SMOOTHING ** (k + 1))
    return found


def _diverged_at(losses: Array) -> int:
    """Return the index of the first step that no longer counts; the length if all do."""
    with np.errstate(invalid="ignore", over="ignore"):
        smooth = _smoothed(losses)
        bad = ~np.isfinite(losses) | (smooth > _DIVERGED * np.minimum.accumulate(smooth))
    return int(bad.argmax()) if bad.any() else len(losses)


def _has_diverged(losses: Array) -> bool:
    return _diverged_at(losses) < len(losses)


def _until_divergence(rates: Array, losses: Array) -> tuple[Array, Array]:
    end = _diverged_at(losses)
    if end == 0:
        raise ArgumentError(
            f"x, y: got a loss of {losses[0]} at the first step, with a learning rate of "
            f"{rates[0]:.2g}; want a finite one: scale the inputs, or give a smaller lowest="
        )
    return rates[:end], losses[:end]
