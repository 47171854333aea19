"""Plot of the decision regions of a classifier of two features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.layers import ACTIVATIONS
from fastmlp.networks.base import Network
from fastmlp.plot.base import clear_spines, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette; for more classes, the colours come from a colour map.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B6B6B")
MAX_CLASSES = 40  # more different values are probably scores, not classes
_MOST_IN_A_COLUMN = 10  # names of classes in the legend
_MARGIN = 0.08  # of the points' range, on each side

_Classifier = Callable[[Array], ArrayLike]


def decision_boundary(
    classifier: Network | _Classifier,
    x: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    resolution: int = 300,
    threshold: float | None = None,
) -> Axes:
    """Draw the regions in which a classifier predicts each class, and the points.

    Parameters
    ----------
    classifier : Network, or callable from (M, 2) to (M,)
        A network with one input of width 2. With several output columns, the class is the index of
        the largest. With one column, it is 1 where the score is above `threshold`, else 0 (or -1 if
        `y` holds -1). A callable, such as a scikit-learn estimator's ``predict``, returns class ids
        that can be sorted.
    x : array-like of shape (N, 2)
        The points; at least one.
    y : array-like of shape (N,) or (N, 1)
        Their true classes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    resolution : int, default 300
        The regions are computed at ``resolution**2`` points.
    threshold : float, optional
        For networks with one output column: 0.5 by default after a ``Sigmoid``, else 0.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn into. The title gives the number of wrongly predicted points.

    Raises
    ------
    ArgumentError
        A shape does not fit, a number is not finite, `y` holds a class the network cannot predict,
        or the callable returns something other than one class id a row.
    ArgumentTypeError
        `classifier` is neither a network nor callable, or `x` does not hold numbers.
    MissingPackageError
        Matplotlib is not installed.

    Examples
    --------
    >>> points, classes = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> decision_boundary(lambda x: x[:, 0] > 0.5, points, [False, True, True, False]).get_title()
    'Decision regions (2 of 4 wrong)'

    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 8), fm.Tanh(), fm.Linear(8, 1), seed=0)
    >>> _ = fm.fit(net, points, classes, loss=fm.BCEWithLogitsLoss(),
    ...            optimizer=fm.Adam(lr=0.05), epochs=300, progress=False)
    >>> decision_boundary(net, points, classes).get_title()
    'Decision regions (0 of 4 wrong)'
    """
    points = validation.matrix(x, "x", validation.FLOAT64, 2)
    if len(points) == 0:
        raise ArgumentError("x: got 0 rows; want 1 or more")
    validation.finite(points, "x")
    true = _classes_of_points(y, len(points))
    steps = validation.integer(resolution, "resolution", 2, 10_000)
    predict = _predictor(classifier, true, threshold)
    limits = [_limits(column) for column in points.T]
    first, second = (np.linspace(low, high, steps) for low, high in limits)
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    regions, predicted = _checked(predict(grid), len(grid)), _checked(predict(points), len(points))
    classes, indices = _index(regions, predicted, true)
    colours = _colours(len(classes))
    ax = figure(5.2, 4.6).subplots() if ax is None else ax
    _draw_regions(ax, indices[0].reshape(steps, steps), colours, limits)
    _draw_points(ax, points, indices[2], classes, colours)
    wrong = int((indices[1] != indices[2]).sum())
    ax.set(xlim=limits[0], ylim=limits[1], xlabel="x[:, 0]", ylabel="x[:, 1]")
    ax.set_title(f"Decision regions ({wrong} of {len(points)} wrong)")
    clear_spines(ax)
    columns = 1 + (len(np.unique(true)) - 1) // _MOST_IN_A_COLUMN
    ax.legend(title="true class", framealpha=0.9, edgecolor="none", ncols=columns)
    return ax


def _classes_of_points(y: ArrayLike, rows: int) -> NDArray[Any]:
    true = np.asarray(y)
    if true.shape not in ((rows,), (rows, 1)):
        raise ArgumentError(
            f"y: got shape {true.shape}; want ({rows},), one class for each row of x"
        )
    validation.finite(true, "y")
    return true.reshape(-1)


def _predictor(classifier: Any, true: NDArray[Any], threshold: float | None) -> _Classifier:
    """Return a function from (M, 2) to (M,) for any kind of classifier."""
    if isinstance(classifier, Network):
        return _of_network(classifier, true, threshold)
    if not callable(classifier):
        hint = "; give its predict" if hasattr(classifier, "predict") else ""
        raise ArgumentTypeError(
            f"classifier: got {classifier!r:.80}; want a network, or a function of points{hint}"
        )
    if threshold is not None:
        raise ArgumentError(f"threshold: got {threshold!r}; want None with a function")
    found: _Classifier = classifier
    return found


def _of_network(net: Network, true: NDArray[Any], threshold: float | None) -> _Classifier:
    if len(net.input_names) != 1 or net.in_features != 2:
        got = f"{len(net.input_names)} inputs, {net.in_features} columns in all"
        raise ArgumentError(f"classifier: got a network of {got}; want one input of width 2")
    outputs = net.outputs_named().names
    if len(outputs) != 1:
        raise ArgumentError(f"classifier: got outputs {', '.join(outputs)}; want one")
    if net.out_features > 1:
        if threshold is not None:
            raise ArgumentError(f"threshold: got {threshold!r}; want None with several outputs")
        validation.labels(true, "y", len(true), net.out_features)
        return lambda x: np.argmax(_scores(net, x), axis=1)
    low = -1 if (validation.numeric(true, "y") == -1).any() else 0
    others = true[(true != low) & (true != 1)]
    if others.size:
        raise ArgumentError(f"y: got class {others[0]}; want 0 and 1, or -1 and 1, of one output")
    ends_in_sigmoid = isinstance(net.layers[-1], ACTIVATIONS["Sigmoid"])
    given = 0.5 if ends_in_sigmoid else 0.0
    limit = given if threshold is None else validation.real(threshold, "threshold")
    return lambda x: np.where(_scores(net, x)[:, 0] > limit, 1, low)


def _scores(net: Network, x: Array) -> Array:
    scores: Array = net.predict(x)
    if not np.isfinite(scores).all():
        raise ArgumentError(
            "classifier: got scores that are not finite; want a network without NaN"
        )
    return scores


def _limits(column: Array) -> tuple[float, float]:
    low, high = float(column.min()), float(column.max())
    margin = _MARGIN * (high - low) or 1.0
    return low - margin, high + margin


def _checked(returned: ArrayLike, rows: int) -> NDArray[Any]:
    found = np.asarray(returned)
    if found.shape not in ((rows,), (rows, 1)):
        raise ArgumentError(
            f"classifier: got shape {found.shape} for {rows} points; want one class id for each "
            "(give a network itself, not its predict)"
        )
    return found.reshape(-1)


def _index(*parts: NDArray[Any]) -> tuple[list[Any], list[NDArray[np.int64]]]:
    """Return all classes, sorted, and each part as indices into them."""
    if len({part.dtype.kind in "biuf" for part in parts}) > 1:
        kinds = f"{parts[0].dtype} and {parts[-1].dtype}"
        raise ArgumentError(
            f"y: got classes of another type than the classifier's, {kinds}; want one type"
        )
    try:
        classes, every = np.unique(np.concatenate(parts), return_inverse=True)
    except TypeError as error:
        raise ArgumentError(f"y: got classes that cannot be sorted: {error}") from error
    if len(classes) > MAX_CLASSES:
        raise ArgumentError(
            f"classifier: got {len(classes)} different class ids; want at most {MAX_CLASSES}"
        )
    ends = np.cumsum([part.size for part in parts])[:-1]
    return classes.tolist(), np.split(every.reshape(-1).astype(np.int64), ends)


def _colours(count: int) -> list[Any]:
    if count <= len(_COLOURS):
        return list(_COLOURS[:count])
    from matplotlib import colormaps

    return list(colormaps["turbo"](np.linspace(0.05, 0.95, count)))


def _draw_regions(
    ax: Axes,
    regions: NDArray[np.int64],
    colours: list[Any],
    limits: list[tuple[float, float]],
) -> None:
    from matplotlib.colors import to_rgb

    # Pale, not transparent colours: vector formats would blend transparent ones with the grid.
    pale = 0.72 + 0.28 * np.array([to_rgb(colour) for colour in colours])
    ax.imshow(
        pale[regions],
        extent=(*limits[0], *limits[1]),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        zorder=0,
    )


def _draw_points(
    ax: Axes,
    points: Array,
    indices: NDArray[np.int64],
    classes: list[Any],
    colours: list[Any],
) -> None:
    for k in np.unique(indices):
        own, name = points[indices == k], classes[k]
        label = f"{name + 0.0:g}" if isinstance(name, float) else str(name)
        ax.scatter(own[:, 0], own[:, 1], s=24, color=[colours[k]], edgecolors="white",
                   linewidths=0.6, label=label)  # fmt: skip
