"""Check the gradients of a network against central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.base import derivatives, validation
from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.networks.base import Network
from fastmlp.training.objective import Objective

# An entry that disagrees at one step size is tried at others: a wrong gradient disagrees at each,
# while a kink within the step, or rounding, spoils only some.
_OTHER_STEPS = (10.0, 0.1, 0.01)
_AGREES = 1e-7
# The denominator of a relative error is at least this fraction of the largest gradient. Smaller
# gradients drown in the rounding of the loss, about 1e-16 / eps.
_PART_OF_LARGEST = 1e-3
_LEAST = 1e-8


class GradientErrors(float):
    """The largest relative error as a number, and the largest error of each array.

    Attributes
    ----------
    parameters : dict of str to float
        Largest error of each parameter array: ``"0.W"``, ``"0.b"``, or with the node's name.
    inputs : dict of str to float
        Largest error of the gradient of each input; not of row numbers that an Embedding looks
        up, which have none.
    """

    parameters: dict[str, float]
    inputs: dict[str, float]

    @classmethod
    def of(cls, parameters: dict[str, float], inputs: dict[str, float]) -> GradientErrors:
        """Make the report from the error of each array."""
        every = [*parameters.values(), *inputs.values()]
        made = cls(float(np.max(every, initial=0.0)))
        made.parameters, made.inputs = parameters, inputs
        return made

    def table(self) -> str:
        """Return one line for each array.

        Examples
        --------
        >>> print(GradientErrors.of({"0.W": 2e-9}, {"x": 0.5}).table())
        0.W  2.0e-09
        x    5.0e-01
        """
        rows = {**self.parameters, **self.inputs}
        size = max(map(len, rows), default=0)
        return "\n".join(f"{name:<{size}}  {error:.1e}" for name, error in rows.items())


def gradcheck(
    net: Network,
    loss: Any,
    x: Any,
    y: Any,
    eps: float = 1e-5,
    sample_weight: Any = None,
    loss_weights: Any = None,
    training: bool = True,
) -> GradientErrors:
    """Compare backward's gradients with central differences, all in float64.

    Parameters
    ----------
    net : Sequential or Graph
        Unchanged: a float64 copy is checked.
    loss : Loss, object with forward and backward, or dict of them
        As ``fit`` takes it.
    x : array_like, shape (N, in_features)
        A dict by name if there are several inputs.
    y : array_like
        Targets, as ``loss`` takes them; a dict by name if there are several outputs.
    eps : float, default 1e-5
        Step of the differences. If they disagree, 10 eps, eps / 10 and eps / 100 are tried.
    sample_weight : array_like, shape (N,), optional
    loss_weights : dict of str to float, optional
    training : bool, default True
        Whether the passes are those of training, with one fixed dropout mask. Otherwise they are
        those of ``forward(training=False)``, and gradients of inputs are those of
        ``net.input_gradient``.

    Returns
    -------
    GradientErrors
        A float: the largest ``abs(a - n) / (abs(a) + abs(n))`` over all parameters and inputs, with
        analytic ``a`` and numeric ``n``; the denominator is at least 1e-3 of the largest gradient.
        A value below 1e-6 means that the gradients are right. At a kink itself (``ReLU`` of
        exactly 0) the two differ. The attributes ``parameters`` and ``inputs`` hold the largest
        error of each array.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes, types or values do not fit.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(3, 4), fm.Tanh(), fm.Linear(4, 2), seed=0)
    >>> errors = fm.gradcheck(net, fm.CrossEntropyLoss(), [[0.1, 0.2, 0.3]], [1])
    >>> errors < 1e-6
    True
    >>> list(errors.parameters), list(errors.inputs)
    (['0.W', '0.b', '2.W', '2.b'], ['x'])
    """
    if not isinstance(net, Network):
        raise ArgumentTypeError(f"net: got {validation.shown(net)}; want a Sequential or a Graph")
    step = validation.real(eps, "eps", 0.0, low_open=True)
    validation.flag(training, "training")
    copied = net.copy(dtype="float64")
    objective = Objective(copied, loss, loss_weights)
    rows, leading = copied.rows(x)
    rows = [array.copy() for array in rows]
    core, count, state = copied.core_net(), copied.step_count, copied.state.copy()
    targets = objective.targets(y, leading)
    if sample_weight is not None and len(leading) > 1:
        sample_weight = validation.flattened(sample_weight, "sample_weight", leading)
    weights = validation.sample_weights(sample_weight, len(rows[0]), validation.FLOAT64)

    def evaluate() -> tuple[float, list[Array]]:
        # Each evaluation has the same dropout masks and the same running means.
        copied.step_count, copied.state[...] = count, state
        return objective.by_hand(core.forward(rows, training), targets, weights)

    upstream = evaluate()[1]
    dx = core.backward(upstream, False)
    if not training:
        dx = derivatives.input_gradients(copied.own_engine(), rows, upstream)
    slopes = [gradient.copy() for gradient in (core.grads, *dx)]
    largest = max((float(np.abs(a).max()) for a in slopes if a.size), default=0.0)
    floor = max(_LEAST, _PART_OF_LARGEST * largest)

    def worst(place: Array, gradient: Array) -> float:
        flat = place.reshape(-1)
        errors = [
            _error(lambda: evaluate()[0], flat, i, exact, step, floor)
            for i, exact in enumerate(gradient.reshape(-1).tolist())
        ]
        return float(np.max(errors, initial=0.0))

    parts = copied.parameter_slices().items()
    parameters = {name: worst(core.params[part], slopes[0][part]) for name, part in parts}
    names, looked_up = copied.input_names, copied.index_inputs()
    inputs = {
        name: worst(array, gradient)
        for k, (name, array, gradient) in enumerate(zip(names, rows, slopes[1:], strict=True))
        if k not in looked_up
    }
    return GradientErrors.of(parameters, inputs)


def _error(
    value: Callable[[], float], place: Array, i: int, analytic: float, eps: float, floor: float
) -> float:
    """Return the relative error of one entry at the step size with the least error."""
    least = np.inf
    for scale in (1.0, *_OTHER_STEPS):
        numeric = _slope(value, place, i, scale * eps)
        size = max(abs(analytic) + abs(numeric), floor)
        error = abs(analytic - numeric) / size
        # min() would lose a NaN.
        if error != error:
            return float("nan")
        least = min(least, error)
        if least < _AGREES:
            break
    return float(least)


def _slope(value: Callable[[], float], place: Array, i: int, eps: float) -> float:
    kept = place[i]
    place[i] = kept + eps
    above = value()
    place[i] = kept - eps
    below = value()
    place[i] = kept
    return (above - below) / (2.0 * eps)
