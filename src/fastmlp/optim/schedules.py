"""Learning-rate schedules: the rate of each step of an epoch, from the optimizer's ``lr``.

Epochs and steps count from 0. ``StepLR``, ``ExponentialLR`` and ``CosineLR`` change between
epochs, the others at each step; formulas are PyTorch's where PyTorch has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array

__all__ = [
    "ConstantLR",
    "CosineLR",
    "CosineLogLR",
    "ExponentialLR",
    "FlatCosineLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "Schedule",
    "StepLR",
]


class Schedule(Configurable):
    """Base of the schedules; a schedule of your own has to define ``rates``."""

    def start(self) -> None:
        """Reset the schedule; called when a fit begins."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state that ``observe`` changes, for checkpoints."""
        return {name: value for name, value in vars(self).items() if name.startswith("_")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``."""
        if not isinstance(state, Mapping) or set(state) != set(self.state_dict()):
            raise ArgumentError(
                f"state: got {validation.shown(state)}; want {sorted(self.state_dict())}"
            )
        # Integers are limited to those that a float holds exactly.
        numbers = all(
            type(value) is float or (type(value) is int and abs(value) <= 2**53)
            for value in state.values()
        )
        if not numbers:
            raise ArgumentError(f"state: got {validation.shown(state)}; want numbers")
        vars(self).update(state)

    def rates(self, lr: float, epoch: int, epochs: int, steps: int) -> Array:
        """Return the learning rates of the steps of one epoch.

        Parameters
        ----------
        lr : float
            The optimizer's learning rate.
        epoch, epochs : int
            Index of the epoch, and number of epochs of the fit.
        steps : int
            Number of steps of an epoch.

        Returns
        -------
        ndarray, shape (steps,), float64
        """
        return np.full(steps, lr * self._multiplier(epoch))

    def _multiplier(self, epoch: int) -> float:
        """Return the factor of ``lr`` for an epoch."""
        return 1.0

    def observe(self, value: float) -> None:
        """Take an epoch's validation loss, or its training loss without validation."""


class ConstantLR(Schedule):
    """The optimizer's learning rate in every step.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.ConstantLR().rates(lr=0.1, epoch=0, epochs=5, steps=2).tolist()
    [0.1, 0.1]
    """


class StepLR(Schedule):
    """``lr * gamma ** (epoch // step_size)``.

    Parameters
    ----------
    step_size : int
        Epochs between changes.
    gamma : float, default 0.1

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.StepLR(2, gamma=0.5).rates(lr=1.0, epoch=4, epochs=9, steps=2).tolist()
    [0.25, 0.25]
    """

    def __init__(self, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = validation.size(step_size, "step_size")
        self.gamma = validation.real(gamma, "gamma", 0.0)

    def _multiplier(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


class ExponentialLR(Schedule):
    """``lr * gamma ** epoch``.

    Parameters
    ----------
    gamma : float

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.ExponentialLR(0.5).rates(lr=1.0, epoch=3, epochs=9, steps=1).tolist()
    [0.125]
    """

    def __init__(self, gamma: float) -> None:
        self.gamma = validation.real(gamma, "gamma", 0.0)

    def _multiplier(self, epoch: int) -> float:
        return float(self.gamma**epoch)


class CosineLR(Schedule):
    """Half a cosine from ``lr`` to ``eta_min`` over the epochs (Loshchilov and Hutter, 2017).

    ``eta_min + (lr - eta_min) * (1 + cos(pi * epoch / epochs)) / 2``, as PyTorch's
    ``CosineAnnealingLR`` with ``T_max`` = epochs. In the first ``warmup`` epochs the rate rises
    linearly, step by step, to ``lr``; the cosine covers the rest.

    Parameters
    ----------
    eta_min : float, default 0
    warmup : int, default 0
        Number of epochs.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.CosineLR().rates(lr=1.0, epoch=5, epochs=10, steps=1).round(6).tolist()
    [0.5]
    """

    def __init__(self, eta_min: float = 0.0, warmup: int = 0) -> None:
        self.eta_min = validation.real(eta_min, "eta_min", 0.0)
        self.warmup = validation.integer(warmup, "warmup", 0)

    def rates(self, lr: float, epoch: int, epochs: int, steps: int) -> Array:
        if epoch < self.warmup:
            done: Array = epoch * steps + np.arange(1, steps + 1)
            rising: Array = lr * done / (self.warmup * steps)
            return rising
        part = (epoch - self.warmup) / (epochs - self.warmup)
        return np.full(steps, _cosine(lr, self.eta_min, part))


class FlatCosineLR(Schedule):
    """``lr`` at first, then half a cosine to ``eta_min``, step by step over the whole fit.

    At the fraction ``t`` of the fit's steps, the rate is ``lr`` up to ``t = flat``, and then
    ``eta_min + (lr - eta_min) * (1 + cos(pi * (t - flat) / (1 - flat))) / 2``. It is RealMLP's
    "flat_cos", its schedule of dropout and weight decay.

    Parameters
    ----------
    flat : float, default 0.5
        Fraction of the steps with the rate ``lr``.
    eta_min : float, default 0

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.FlatCosineLR().rates(lr=1.0, epoch=0, epochs=1, steps=4).round(6).tolist()
    [1.0, 1.0, 1.0, 0.5]
    """

    def __init__(self, flat: float = 0.5, eta_min: float = 0.0) -> None:
        self.flat = validation.real(flat, "flat", 0.0, 1.0)
        self.eta_min = validation.real(eta_min, "eta_min", 0.0)

    def rates(self, lr: float, epoch: int, epochs: int, steps: int) -> Array:
        past = np.maximum(_done(epoch, epochs, steps) - self.flat, 0.0)
        rates: Array = _cosine(lr, self.eta_min, past / max(1.0 - self.flat, 1e-300))
        return rates


class CosineLogLR(Schedule):
    """Cycles of a cosine between 0 and ``lr``, each twice as long as the one before.

    At the fraction ``t`` of the fit's steps, the rate is
    ``lr * (1 - cos(2 * pi * log2(1 + (2**cycles - 1) * t))) / 2``, step by step over the whole fit.
    It begins and ends with 0. With 4 cycles it is RealMLP's "coslog4" (Holzmüller, Grinsztajn
    and Steinwart, "Better by default", NeurIPS 2024).

    Parameters
    ----------
    cycles : int, default 4
        At most 64.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.CosineLogLR(cycles=1).rates(lr=1.0, epoch=0, epochs=1, steps=2).round(3).tolist()
    [0.0, 0.93]
    """

    def __init__(self, cycles: int = 4) -> None:
        self.cycles = validation.integer(cycles, "cycles", 1, 64)

    def rates(self, lr: float, epoch: int, epochs: int, steps: int) -> Array:
        cycle = np.log2(1.0 + (2.0**self.cycles - 1.0) * _done(epoch, epochs, steps))
        rates: Array = _cosine(0.0, lr, 2.0 * cycle)
        return rates


class OneCycleLR(Schedule):
    """Rise from ``max_lr / div_factor`` to ``max_lr``, then fall (Smith and Topin, 2019).

    Both phases are half cosines, step by step over the whole fit. The last rate is
    ``max_lr / div_factor / final_div_factor``. The optimizer's ``lr`` is not used. Like PyTorch's,
    without the cycle of momentum.

    Parameters
    ----------
    max_lr : float
    pct_start : float, default 0.3
        Fraction of the steps in which the rate rises.
    div_factor : float, default 25
    final_div_factor : float, default 1e4

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.OneCycleLR(1.0, pct_start=0.5).rates(lr=0.1, epoch=0, epochs=1, steps=5).argmax().item()
    2
    """

    def __init__(
        self,
        max_lr: float,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        self.max_lr = validation.real(max_lr, "max_lr", 0.0, low_open=True)
        self.pct_start = validation.real(pct_start, "pct_start", 0.0, 1.0)
        self.div_factor = validation.real(div_factor, "div_factor", 0.0, low_open=True)
        self.final_div_factor = validation.real(
            final_div_factor, "final_div_factor", 0.0, low_open=True
        )

    def rates(self, lr: float, epoch: int, epochs: int, steps: int) -> Array:
        total = epochs * steps
        at = np.arange(epoch * steps, (epoch + 1) * steps)
        peak, end = self.pct_start * total - 1.0, total - 1.0
        first = self.max_lr / self.div_factor
        # A phase without steps is at its end.
        up = at / peak if peak > 0 else np.ones(steps)
        down = (at - peak) / (end - peak) if end > peak else np.zeros(steps)
        rising = _cosine(first, self.max_lr, up)
        falling = _cosine(self.max_lr, first / self.final_div_factor, down)
        rates: Array = np.where(at <= peak, rising, falling)
        return rates


class ReduceLROnPlateau(Schedule):
    """Multiply the rate by ``factor`` after ``patience`` epochs without a better loss.

    The loss is the validation loss if there is one, else the training loss. It is better if it is
    below ``1 - threshold`` times the best. As in PyTorch, the best is ``patience + 1`` epochs old
    when the rate falls.

    Parameters
    ----------
    factor : float, default 0.1
        Below 1.
    patience : int, default 10
    threshold : float, default 1e-4
    cooldown : int, default 0
        Number of epochs after a fall that do not count.
    min_lr : float, default 0

    Examples
    --------
    >>> import fastmlp as fm
    >>> schedule = fm.ReduceLROnPlateau(factor=0.5, patience=0)
    >>> for loss in (1.0, 1.0):
    ...     schedule.observe(loss)
    >>> schedule.rates(lr=1.0, epoch=2, epochs=9, steps=1).tolist()
    [0.5]
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        self.factor = validation.real(factor, "factor", 0.0, 1.0, high_open=True)
        self.patience = validation.integer(patience, "patience", 0)
        self.threshold = validation.real(threshold, "threshold", 0.0, 1.0)
        self.cooldown = validation.integer(cooldown, "cooldown", 0)
        self.min_lr = validation.real(min_lr, "min_lr", 0.0)
        self.start()

    def start(self) -> None:
        self._best = math.inf
        self._bad = self._resting = self._falls = 0

    def rates(self, lr: float, epoch: int, epochs: int, steps: int) -> Array:
        return np.full(steps, max(lr * self.factor**self._falls, min(lr, self.min_lr)))

    def observe(self, value: float) -> None:
        # NaN is never better, whatever the best is.
        if value < (self._best * (1.0 - self.threshold) if math.isfinite(self._best) else math.inf):
            self._best, self._bad = value, 0
        else:
            self._bad += 1
        if self._resting > 0:
            self._resting -= 1
            self._bad = 0
        if self._bad > self.patience:
            self._falls += 1
            self._resting, self._bad = self.cooldown, 0


def _done(epoch: int, epochs: int, steps: int) -> Array:
    """Return the fraction of the fit's steps that are done before each step of an epoch."""
    done: Array = np.arange(epoch * steps, (epoch + 1) * steps) / (epochs * steps)
    return done


def _cosine(start: float, end: float, part: Any) -> Any:
    """Half a cosine from ``start`` (``part`` 0) to ``end`` (``part`` 1)."""
    return end + (start - end) * (1.0 + np.cos(np.pi * part)) / 2.0
