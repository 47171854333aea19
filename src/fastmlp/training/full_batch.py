"""L-BFGS, which takes all rows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base.errors import NotFiniteError, StateError
from fastmlp.base.validation import Array
from fastmlp.networks.base import Network
from fastmlp.optim.lbfgs import LBFGS, Ended
from fastmlp.training.data import Data
from fastmlp.training.objective import Objective


def _gradient(
    net: _core.Net, core: _core.Trainer, objective: Objective, data: Data, count: int
) -> float:
    """Compute the gradient of loss and penalties into ``net.grads``; return the loss.

    With the same ``count`` of steps, dropout has the same masks.
    """
    net.step_count = count
    scores = net.forward(data.x, True)
    loss, slopes = objective.value(scores, data.target, data.weights)
    net.backward(slopes, False, False)
    core.add_penalty_gradient()
    return loss


def minimize(
    network: Network, core: _core.Trainer, objective: Objective, optimizer: LBFGS, data: Data,
    iterations: int, on_iteration: Callable[[float], None], values: list[float], nan: str,
) -> Ended:  # fmt: skip
    """Run L-BFGS as ``Trainer.minimize`` says; ``values`` receives the loss of each evaluation.

    A line search may try parameters whose loss is not finite. ``nan`` is about the first
    evaluation, that of the initial parameters.
    """
    net, rows = network.core_net(), data.taken()
    # All evaluations of a line search have the same dropout masks.
    count = net.step_count
    accepted, moments = net.params.astype(np.float64), net.state.copy()
    trial, trained = accepted.copy(), _trained(network)

    def evaluate(flat: Array) -> tuple[float, Array]:
        trial[trained] = flat
        net.assign(trial, moments)
        values.append(_gradient(net, core, objective, rows, count) + core.penalty())
        if len(values) == 1 and nan in ("raise", "skip") and not np.isfinite(values[0]):
            raise NotFiniteError(f"the loss is {values[0]}; nothing was changed (nan='raise')")
        return values[-1], net.grads[trained].astype(np.float64)

    def after_iteration(flat: Array, value: float) -> None:
        # The line search ended at these parameters, so the running moments are theirs.
        accepted[trained], moments[...] = flat, net.state
        net.assign(accepted, moments)
        on_iteration(value)

    try:
        start = accepted[trained].copy()
        return optimizer.minimize(evaluate, start, iterations, after_iteration)
    except NotFiniteError:
        if nan == "raise":
            raise
        return Ended(False, "the loss is not finite")
    finally:
        try:
            net.assign(accepted, moments)
        except StateError:  # another thread computes with the network, and may see both
            net.params[...], net.state[...] = accepted, moments


def _trained(net: Network) -> Any:
    """Return an index of the parameters that are trained."""
    frozen = [one for one in net.parameter_arrays() if not one.trainable]
    if not frozen:
        return slice(None)
    mask = np.ones(net.params.size, bool)
    for one in frozen:
        mask[one.start : one.stop] = False
    return mask
