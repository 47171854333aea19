"""Products with the Hessian of a loss, and the norms of the gradients of single rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.losses.custom import CustomLoss
from fastmlp.networks.base import Network
from fastmlp.training.objective import Objective

# Functions and joins whose second derivatives jump; nobody knows those of a node of the user's.
_KINKED_OPERATIONS = {"maxout", "maximum", "custom"}
_SMOOTH_ACTIVATIONS = {
    "Identity", "GELU", "GELUTanh", "SiLU", "Mish", "Sigmoid", "Tanh", "Softplus", "Cos",
}  # fmt: skip
# A step of this part of the largest number, and the weights of central differences of fourth order.
# Against PyTorch's exact products, on networks of up to 64-64 units and with directions of scales
# from 1e-3 to 1e3, the largest error was 3e-12 of the largest element; with a step of 1e-3, 6e-9.
_STEP = 1e-4
_STENCIL = ((-2.0, 1 / 12), (-1.0, -8 / 12), (1.0, 8 / 12), (2.0, -1 / 12))


def hvp(
    net: Network,
    loss: Any,
    x: Any,
    y: Any,
    direction: Any,
    wrt: str = "parameters",
    sample_weight: Any = None,
    loss_weights: Any = None,
) -> Array:
    """Compute the product of the Hessian of a loss and a direction, in float64.

    Parameters
    ----------
    net : Sequential or Graph
        Of smooth layers: ``Tanh``, ``Sigmoid``, ``GELU``, ``SiLU``, ``Mish``, ``Softplus``,
        ``Cos``, and all layers without activations except ``Maxout`` and ``Maximum``. Unchanged:
        a float64 copy is used, as in ``forward(training=False)``.
    loss : Loss, or dict of Loss
        As ``fit`` takes it, with second derivatives: not ``L1Loss``, ``HuberLoss``,
        ``QuantileLoss``, ``MultiMarginLoss``, a clipped or limited one, or one of your own.
    x, y : array_like
        As ``fit`` takes them; inputs and targets by name if there are several.
    direction : array_like
        ``(P,)`` in the order of ``net.params``, or in the shape of ``x``.
    wrt : {"parameters", "inputs"}
        The Hessian of what.
    sample_weight : array_like, shape (N,), optional
    loss_weights : dict of str to float, optional

    Returns
    -------
    ndarray of float64
        In the shape of ``direction``.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit, or something has no second derivatives.

    Notes
    -----
    It is the derivative of the gradient along the direction, by central differences of fourth
    order: four forward and backward passes. The error is about 1e-11 of the largest element.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1, init="zeros"), dtype="float64")
    >>> fm.hvp(net, fm.MSELoss(), [[3.0]], [0.0], [1.0, 0.0]).round(6).tolist()  # 2 x (x, 1)
    [18.0, 6.0]
    """
    _checked(net)
    validation.choice(wrt, "wrt", ("parameters", "inputs"))
    copied = net.copy(dtype="float64")
    objective = Objective(copied, loss, loss_weights)
    _check_smooth(copied, objective)
    rows, leading = copied.rows(x)
    rows = [array.copy() for array in rows]
    targets = objective.targets(y, leading)
    if sample_weight is not None and len(leading) > 1:
        sample_weight = validation.flattened(sample_weight, "sample_weight", leading)
    weights = validation.sample_weights(sample_weight, len(rows[0]), validation.FLOAT64)
    core = copied.core_net()
    if wrt == "parameters":
        along = [validation.shaped(direction, "direction", core.params.shape, validation.FLOAT64)]
        places, shape = [core.params], core.params.shape
    else:
        if len(rows) > 1:
            raise ArgumentError(f"wrt: got 'inputs' for {len(rows)} inputs; want one input")
        shape = (*leading, rows[0].shape[1])
        given = validation.shaped(direction, "direction", shape, validation.FLOAT64)
        along, places = [given.reshape(rows[0].shape)], rows
    if copied.index_inputs() and wrt == "inputs":
        raise ArgumentError("wrt: got 'inputs' for row numbers of an Embedding; want 'parameters'")
    size = float(np.abs(along[0]).max(initial=0.0))
    if size == 0.0:
        return np.zeros(shape)
    step = _STEP * max(1.0, float(np.abs(places[0]).max(initial=0.0))) / size
    start, total = places[0].copy(), np.zeros(places[0].shape)
    for times, weight in _STENCIL:
        places[0][...] = start + times * step * along[0]
        scores = core.forward(rows, False)
        dx = core.backward(objective.value(scores, targets, weights)[1], False)
        total += weight / step * (core.grads if wrt == "parameters" else dx[0])
    return total.reshape(shape)


def gradient_norms(net: Network, loss: Any, x: Any, y: Any, loss_weights: Any = None) -> Array:
    """Compute the norm of the gradient of each row's loss with respect to all parameters.

    A large norm marks a row that pulls at the network: a rare case, a wrong label, a row to visit
    more often, or to clip for privacy.

    Parameters
    ----------
    net : Sequential or Graph
        As in ``forward(training=False)``; its gradients stay as they are.
    loss : Loss, or dict of Loss
        As ``fit`` takes it; not one of your own, which may read several rows. The loss of a row is
        that of a batch of this row alone.
    x, y : array_like
        As ``fit`` takes them; inputs and targets by name if there are several.
    loss_weights : dict of str to float, optional

    Returns
    -------
    ndarray of float64, shape (N,)

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit.

    Notes
    -----
    If only ``Linear`` layers without groups and fold have parameters, all norms come from one
    forward and backward pass, because a row's gradient is an outer product (Goodfellow 2015,
    "Efficient Per-Example Gradient Computations"). Otherwise each row has a backward pass of its
    own.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1, init="zeros"), dtype="float64")
    >>> fm.gradient_norms(net, fm.MSELoss(), [[0.0], [3.0]], [1.0, -2.0]).round(4).tolist()
    [2.0, 12.6491]
    """
    _checked(net)
    copied = net.copy()
    objective = Objective(copied, loss, loss_weights)
    for one in objective.losses:
        if isinstance(one, CustomLoss):
            raise ArgumentError(
                f"loss: got {one.name}, a loss of your own, which may read several rows; want a "
                "loss of fastmlp"
            )
    rows, leading = copied.rows(x)
    targets = objective.targets(y, leading)
    engine = copied.own_engine()
    places = engine.core.places
    having = [node for node, arrays in zip(engine.nodes, places, strict=True) if arrays]
    plain = all(node.op == "linear" for node in having)
    of_rows = _norms_of_products if plain else _norms_by_rows
    return of_rows(engine, objective, rows, targets)


def _norms_of_products(
    engine: Any, objective: Objective, rows: list[Array], targets: list[Array]
) -> Array:
    """Norms if only plain products have parameters: those of their inputs times their deltas."""
    net, total = engine.separate(), np.zeros(len(rows[0]))
    net.backward(_of_single_rows(objective, net.forward(rows, False), targets), False)
    for k, (node, places) in enumerate(zip(engine.nodes, net.places, strict=True)):
        if places:
            source = node.sources[0]
            x = rows[-1 - source] if source < 0 else net.value(source)
            inputs = _squares(x) + (1.0 if node.bias else 0.0)
            total += inputs * _squares(net.delta(k))
    return np.sqrt(total)


def _norms_by_rows(
    engine: Any, objective: Objective, rows: list[Array], targets: list[Array]
) -> Array:
    net, total = engine.core, np.zeros(len(rows[0]))
    for i in range(len(total)):
        part = slice(i, i + 1)
        scores = net.forward([x[part] for x in rows], False)
        up = _of_single_rows(objective, scores, [y[part] for y in targets])
        net.backward(up, False)
        total[i] = _squares(net.grads[np.newaxis])[0]
    return np.sqrt(total)


def _of_single_rows(objective: Objective, scores: list[Array], targets: list[Array]) -> list[Array]:
    """Return the gradient of each row's own loss: means count the rows, sums do not."""
    _, gradients = objective.value(scores, targets, None)
    return [
        one if loss.reduction == "sum" else one * one.dtype.type(len(one))
        for loss, one in zip(objective.losses, gradients, strict=True)
    ]


def _squares(rows: Array) -> Array:
    wide = rows.astype(np.float64)
    found: Array = np.einsum("ij,ij->i", wide, wide)
    return found


def _checked(net: Any) -> None:
    if not isinstance(net, Network):
        raise ArgumentTypeError(f"net: got {validation.shown(net)}; want a Sequential or a Graph")


def _check_smooth(net: Network, objective: Objective) -> None:
    names = [row["name"] for row in _core.activations()]
    for node in net.own_engine().nodes:
        shown = None
        if node.op in {"activation", "parametric_activation"}:
            shown = None if names[node.kind] in _SMOOTH_ACTIVATIONS else names[node.kind]
        elif node.op in _KINKED_OPERATIONS:
            shown = node.op.capitalize()
        if shown is not None:
            raise ArgumentError(
                f"net: got {shown}, which has no second derivatives; want smooth layers, such as "
                "Tanh or GELU"
            )
    for loss in objective.losses:
        if isinstance(loss, CustomLoss) or not loss.smooth:
            name = loss.name if isinstance(loss, CustomLoss) else type(loss).__name__
            raise ArgumentError(
                f"loss: got {name}, which has no second derivatives; want a smooth loss, such as "
                "MSELoss or CrossEntropyLoss"
            )
