"""Histograms of the activations, weights and gradients of each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.layers import ACTIVATIONS, Layer
from fastmlp.layers.products import Parameter
from fastmlp.networks.base import Network
from fastmlp.plot.base import BLUE, GREY, ORANGE, clear_spines, figure
from fastmlp.training.objective import Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREEN = "#009E73"
_TITLES = ("activations a", "weights", "gradients |dL/da|")
_BIASES = ("b", "beta")


def histograms(
    net: Network, x: Any, y: Any = None, loss: Any = None, *, bins: int = 40
) -> NDArray[Any]:
    """Draw histograms of each layer's activations and weights, and of its gradients.

    There is one line for each layer. Activations are its outputs; for a ``ReLU`` the title gives
    the fraction of dead units, which are 0 for every row. Weights are its parameters without
    biases. Gradients are the absolute gradients of the loss with respect to the activations, on one
    logarithmic scale for all layers, with their root mean square (rms). If gradients vanish, the
    rms falls from the last layer to the first. The scale has no place for zeros, so the title gives
    their fraction.

    Parameters
    ----------
    net : Sequential or Graph
        Unchanged: a copy is run, in prediction mode.
    x : array_like, shape (N, in_features)
        At least one row; a dict by name if there are several inputs.
    y : array_like, optional
        Targets, as `loss` takes them; a dict by name if there are several outputs.
    loss : Loss, object with forward and backward, or dict of them; optional
        As ``fit`` takes it. Without `y` and `loss`, no gradients are drawn.
    bins : int, default 40
        Bars of each histogram.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (layers, 3), or (layers, 2) without gradients
        All in one figure, ``axes[0, 0].figure``. Axes are empty if there is nothing to show.

    Raises
    ------
    ArgumentError
        A shape or value does not fit, or one of `y` and `loss` is given without the other.
    ArgumentTypeError
        `net` is not a network, `loss` not a loss, or an array does not hold numbers.
    MissingPackageError
        Matplotlib is not installed.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 8), fm.ReLU(), fm.Linear(8, 3), seed=0)
    >>> x, y = [[0.5, 1.0], [-1.0, 2.0]], [0, 2]
    >>> histograms(net, x).shape
    (3, 2)
    >>> histograms(net, x, y, fm.CrossEntropyLoss()).shape
    (3, 3)
    """
    if not isinstance(net, Network):
        raise ArgumentTypeError(f"net: got {net!r:.80}; want a Sequential or a Graph")
    if (y is None) != (loss is None):
        missing, given = ("loss", "y") if loss is None else ("y", "loss")
        raise ArgumentError(f"{missing}: got None; want it together with {given}")
    validation.integer(bins, "bins", 1, 10_000)
    copied = net.copy()
    _run(copied, x, y, loss)
    columns = 2 if loss is None else 3
    picture = figure(3.6 * columns + 1.2, 0.7 + 1.15 * len(copied.layers))
    axes: NDArray[Any] = picture.subplots(len(copied.layers), columns, squeeze=False)
    edges = _common_edges([_gradient(layer) for layer in copied.layers], bins)
    for row, layer, name in zip(axes, copied.layers, copied.layer_names(), strict=True):
        _draw_activations(row[0], layer, bins)
        _bars(row[1], _weights(layer), bins, _GREEN)
        if columns == 3:
            _draw_gradients(row[2], _gradient(layer), edges)
        _name_row(row[0], name, layer)
    for ax, title in zip(axes[0], _TITLES, strict=False):
        ax.set_title(title, loc="left", fontsize=10)
    return axes


def _run(net: Network, x: Any, y: Any, loss: Any) -> None:
    """Run forward, and backward if there is a loss, and keep the values of all layers."""
    rows, leading = net.rows(x)
    if len(rows[0]) == 0:
        raise ArgumentError("x: got 0 rows; want 1 or more")
    objective = None if loss is None else Objective(net, loss)
    targets = [] if objective is None else objective.targets(y, leading)
    ends = net.outputs_named()
    given = net.forward(rows[0] if len(rows) == 1 else rows, keep=True)
    if objective is not None:
        _, gradients = objective.value(ends.take(given, "y"), targets, None)
        net.backward(ends.give(gradients))


def _activation(layer: Layer) -> Array | None:
    # A parameter has no activation: it may be fused into the product that reads it.
    return None if isinstance(layer, Parameter) else layer.output


def _gradient(layer: Layer) -> Array | None:
    return None if isinstance(layer, Parameter) else layer.grad


def _weights(layer: Layer) -> Array | None:
    found = [array.ravel() for name, array in layer.parameters().items() if name not in _BIASES]
    return np.concatenate(found) if found else None


def _draw_activations(ax: Axes, layer: Layer, bins: int) -> None:
    values = _activation(layer)
    note = ""
    if values is not None and isinstance(layer, ACTIVATIONS["ReLU"]):
        dead = int((values == 0).all(axis=0).sum())
        note = f"dead: {dead} of {values.shape[1]} ({dead / values.shape[1]:.0%})"
    _bars(ax, values, bins, BLUE, note)


def _bars(ax: Axes, values: Array | None, bins: int, colour: str, note: str = "") -> None:
    if values is None:
        ax.set_axis_off()
        return
    finite = values[np.isfinite(values)].astype(np.float64)
    counts, edges = _histogram(finite, bins)
    ax.stairs(counts, edges, fill=True, color=colour, alpha=0.85)
    _label(ax, [note, _not_finite(values)])


def _histogram(finite: NDArray[np.float64], bins: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return counts and edges; a single value gets some room around it."""
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # Bars between adjacent floats would have no width.
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = 0.5 * (abs(low) or 1.0)
        low, high = low - room, high + room
    return np.histogram(finite, bins, (low, high))


def _common_edges(gradients: list[Array | None], bins: int) -> NDArray[np.float64]:
    """Return edges, equally spaced in the logarithm, around the sizes of all gradients."""
    sizes = [_sizes(gradient) for gradient in gradients if gradient is not None]
    every = np.concatenate([*sizes, np.empty(0)])
    low, high = (every.min(), every.max()) if every.size else (1.0, 1.0)
    room = 1.1 if high > low else 3.0
    # Dividing a subnormal number could give 0.
    low = max(low / room, np.finfo(np.float64).tiny)
    return np.geomspace(low, high * room, bins + 1)


def _sizes(gradient: Array) -> NDArray[np.float64]:
    """Return the magnitudes that a logarithmic scale can show."""
    found: NDArray[np.float64] = np.abs(gradient[np.isfinite(gradient) & (gradient != 0)])
    return found.astype(np.float64).ravel()


def _draw_gradients(ax: Axes, gradient: Array | None, edges: NDArray[np.float64]) -> None:
    if gradient is None:
        ax.set_axis_off()
        return
    ax.stairs(np.histogram(_sizes(gradient), edges)[0], edges, fill=True, color=ORANGE, alpha=0.85)
    ax.set_xscale("log")
    ax.set_xlim(edges[0], edges[-1])
    finite = gradient[np.isfinite(gradient)].astype(np.float64)
    zeros = float((finite == 0).mean()) if finite.size else 0.0
    rms = f"rms {np.sqrt(np.square(finite).mean()):.1e}" if finite.size else ""
    _label(ax, [rms, f"{zeros:.0%} are 0" if zeros else "", _not_finite(gradient)])


def _not_finite(values: Array) -> str:
    count = int((~np.isfinite(values)).sum())
    return f"{count} not finite" if count else ""


def _label(ax: Axes, notes: list[str]) -> None:
    ax.set_yticks([])
    ax.tick_params(which="both", labelsize=8)
    ax.set_title(", ".join(filter(None, notes)), loc="right", fontsize=8)
    clear_spines(ax)
    ax.spines["left"].set_visible(False)


def _name_row(ax: Axes, name: str, layer: Layer) -> None:
    """Write the name of a layer to the left of its row."""
    words = f"{name}\n{type(layer).__name__}"
    ax.text(-0.06, 0.5, words, transform=ax.transAxes, ha="right", va="center", fontsize=9,
            color=GREY, parse_math=False)  # fmt: skip
