"""Penalties on the weights, not the biases. The reported training loss includes them.

Use them by hand with ``forward(net)`` and ``backward(net)``, or give them to a ``Trainer``.
"""

from __future__ import annotations

from typing import Any

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Adjustable
from fastmlp.base.errors import ArgumentTypeError

__all__ = ["L1", "L2", "Lp", "Penalty"]

# The core's trainer needs a loss and an optimizer; penalties do not depend on either.
_ANY_HEAD = ((0, tuple(default for _, default in _core.losses()[0]["params"]), "mean"), 1.0)
_ANY_OPTIMIZER = (0, tuple(default for _, default in _core.optimizers()[0]["hyper"]))


class Penalty(Adjustable):
    """Base of the penalties: ``lam * sum(abs(W) ** p)``."""

    p: float

    def __init__(self, lam: float) -> None:
        self.lam = validation.real(lam, "lam", 0.0)

    def core_spec(self) -> tuple[float, float]:
        """Return exponent and strength for the core's trainer."""
        return self.p, self.lam

    def forward(self, net: Any) -> float:
        """Return the penalty of the network's weights."""
        return self._core(net).penalty()

    def backward(self, net: Any) -> None:
        """Add the penalty's gradient to the network's gradients."""
        self._core(net).add_penalty_gradient()

    def _core(self, net: Any) -> _core.Trainer:
        if isinstance(net, type) or not hasattr(net, "core_net"):
            raise ArgumentTypeError(f"net: got {validation.shown(net)}; want a network")
        core = net.core_net()
        heads = [_ANY_HEAD] * len(core.widths_out)
        return _core.Trainer(core, heads, _ANY_OPTIMIZER, [self.core_spec()], 0.0)


class L2(Penalty):
    """``lam * sum(W ** 2)``: its gradient is ``2 * lam * W``.

    Parameters
    ----------
    lam : float
        Strength, at least 0.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 1, init=fm.initializers.Constant(2.0)))
    >>> fm.L2(0.5).forward(net)
    4.0
    """

    p = 2.0


class L1(Penalty):
    """``lam * sum(abs(W))``: its gradient is ``lam * sign(W)``, 0 at 0.

    Parameters
    ----------
    lam : float
        Strength, at least 0.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 1, init=fm.initializers.Constant(-2.0)))
    >>> fm.L1(0.5).forward(net)
    2.0
    """

    p = 1.0


class Lp(Penalty):
    """``lam * sum(abs(W) ** p)``: its gradient is ``lam * p * abs(W) ** (p - 1) * sign(W)``.

    Parameters
    ----------
    p : float
        Exponent, above 0; the gradient of a weight of 0 is 0.
    lam : float
        Strength, at least 0.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 1, init=fm.initializers.Constant(2.0)))
    >>> round(fm.Lp(3.0, 0.5).forward(net), 4)
    8.0
    """

    def __init__(self, p: float, lam: float) -> None:
        super().__init__(lam)
        self.p = validation.real(p, "p", 0.0, low_open=True)


def as_list(penalty: Any) -> list[Penalty]:
    """Return None, one penalty or several penalties as a list."""
    if penalty is None:
        return []
    wanted = "L2, L1, Lp or a list of them"
    if isinstance(penalty, Penalty):
        return [penalty]
    found = validation.items(penalty, "penalty", wanted)
    for one in found:
        if not isinstance(one, Penalty):
            raise ArgumentTypeError(f"penalty: got {validation.shown(one)}; want {wanted}")
    return found
