"""Losses that the user writes in Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.losses.base import Loss


class CustomLoss(Loss):
    """A loss of your own: any object with ``forward(scores, y)`` and ``backward()``.

    ``forward`` gets the scores ``(N, C)`` and the targets of these rows, and returns a number.
    ``backward`` returns its gradient with respect to the scores, ``(N, C)``. Targets are any array
    with N rows. ``Trainer`` and ``fit`` accept such objects without this class. The loss of an
    epoch is the mean over its steps, weighted by their numbers of rows. The score is minus the
    loss.

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> class LogCosh:
    ...     def forward(self, scores, y):
    ...         self.d = scores - y
    ...         return np.log(np.cosh(self.d)).mean()
    ...     def backward(self):
    ...         return np.tanh(self.d) / self.d.size
    >>> x = np.linspace(-1, 1, 32).reshape(-1, 1)
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> history = fm.fit(net, x, 3 * x, loss=LogCosh(), optimizer=fm.Adam(lr=0.1), epochs=200)
    >>> history.loss[-1] < 1e-4
    True
    """

    score_name = "minus loss"

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss
        self.name = type(loss).__name__

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        array = np.asarray(y)
        if array.ndim == 0 or len(array) != rows:
            raise ArgumentError(f"y: got shape {array.shape}; want {rows} rows")
        return array

    def evaluate(self, scores: Array, target: Array, weights: Array | None) -> tuple[float, Array]:
        """Call the user's loss; return its value and gradient, both checked."""
        if weights is not None:
            raise ArgumentError(
                f"sample_weight: {self.name}, a loss of your own, takes none; want None"
            )
        value = self.loss.forward(scores, target)
        if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "fiu":
            raise ArgumentTypeError(f"{self.name}.forward: got {value!r:.60}; want a number")
        gradient = validation.numeric(self.loss.backward(), f"{self.name}.backward")
        if gradient.shape != scores.shape:
            raise ArgumentError(
                f"{self.name}.backward: got shape {gradient.shape}; want {scores.shape}"
            )
        return float(value), gradient

    def forward(self, scores: Any, y: Any, sample_weight: Any = None) -> float:
        rows = np.atleast_2d(scores)
        value, self._gradient = self.evaluate(rows, np.asarray(y), sample_weight)
        return value

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return -self.evaluate(rows, target, weights)[0]


class LossRunner:
    """The object that the core calls in a step: the loss of one output on the rows of a batch."""

    __slots__ = ("_loss", "_target", "_weight", "width")

    def __init__(self, loss: CustomLoss, weight: float, width: int) -> None:
        self._loss, self._weight, self.width = loss, weight, width
        self._target: Array  # set by `use` before any step

    def use(self, target: Array) -> None:
        """Use the targets in ``target`` from now on."""
        self._target = target

    def run(self, scores: Array, rows: Any) -> tuple[float, Array]:
        """Return the loss, and its gradient times the weight of the output."""
        value, gradient = self._loss.evaluate(scores, self._target[rows], None)
        return value, self._weight * gradient


def is_custom_loss(loss: Any) -> bool:
    """Whether an object has forward and backward, and is neither a class nor a ``Loss``."""
    return not isinstance(loss, (type, Loss)) and all(
        callable(getattr(loss, name, None)) for name in ("forward", "backward")
    )
