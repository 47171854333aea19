"""Losses that the user writes in Python.

A loss of your own is a function ``loss(scores, y)`` that returns the value and its gradient, or an
object with ``forward(scores, y)``, which returns the value, and ``backward()``, which returns the
gradient. Scores and gradient are arrays ``(N, C)``.

- With a parameter ``sample_weight``, the function or ``forward`` gets the weights ``(N,)``, or
  None. Without one, weights are an error: only the loss can know what they mean.
- Given for a network of several outputs as the whole ``loss=``, it reads all of them: scores are a
  dict by name, and so is the gradient (or a list, in the order of the outputs).
- Targets are any array with N rows, a structured array, or a dict of arrays with N rows each.
- The loss of an epoch is the mean over its steps, weighted by their rows or weights, or the sum if
  the loss has an attribute ``reduction`` that is ``"sum"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.engine import Ends
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.losses.base import Loss
from fastmlp.losses.named_rows import NamedRows

FORMS = (
    "a loss such as fm.CrossEntropyLoss(), a function loss(scores, y) -> (value, gradient), or an "
    "object with forward(scores, y) and backward()"
)


class CustomLoss(Loss):
    """A loss of your own, as the module describes them.

    ``Trainer`` and ``fit`` accept such functions and objects without this class. The score is minus
    the loss.

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> def log_cosh(scores, y):
    ...     d = scores - y
    ...     return np.log(np.cosh(d)).mean(), np.tanh(d) / d.size
    >>> x = np.linspace(-1, 1, 32).reshape(-1, 1)
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> history = fm.fit(net, x, 3 * x, loss=log_cosh, optimizer=fm.Adam(lr=0.1), epochs=200)
    >>> history.loss[-1] < 1e-4
    True
    """

    score_name = "minus loss"

    def __init__(self, loss: Any) -> None:
        is_object = callable(getattr(loss, "backward", None))
        function = loss.forward if is_object else loss
        super().__init__(getattr(loss, "reduction", "mean"))
        self.loss = loss
        self.name = getattr(loss, "__name__", type(loss).__name__)
        self._ends: Ends | None = None
        self.takes_weights = _has_parameter(function, "sample_weight")
        self._function: Callable[..., Any] = function
        self._backward = loss.backward if is_object else None

    @classmethod
    def of_outputs(cls, loss: Any, ends: Ends) -> CustomLoss:
        """Make a loss that reads several outputs of a network."""
        made = cls(loss)
        made._ends = ends
        return made

    @property
    def is_joint(self) -> bool:
        """Whether it reads several outputs."""
        return self._ends is not None

    def checked_target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Any:
        if not isinstance(y, Mapping):
            return _with_rows(y, "y", rows)
        if not y:
            raise ArgumentError("y: got an empty dict; want arrays by name")
        return NamedRows({name: _with_rows(one, f"y[{name!r}]", rows) for name, one in y.items()})

    def flattened(self, y: Any, name: str, leading: tuple[int, ...]) -> Any:
        """Return targets of rows with several leading dimensions as those of ``N`` rows."""
        if isinstance(y, Mapping):
            return {key: self.flattened(one, f"{name}[{key!r}]", leading) for key, one in y.items()}
        array = np.asarray(y)
        if array.dtype.kind in "biuf" or array.shape[: len(leading)] != leading:
            return validation.flattened(y, name, leading)
        return array.reshape(-1, *array.shape[len(leading) :])

    def check_weights(self, weights: Any) -> None:
        """Refuse sample weights that the loss cannot take."""
        if weights is not None and not self.takes_weights:
            what = f"{self.name}.forward" if self._backward is not None else self.name
            raise ArgumentError(
                f"sample_weight: got weights for {what}, which has no parameter sample_weight; "
                "want None, or a loss that takes them"
            )

    def call(self, scores: Any, target: Any, weights: Array | None) -> tuple[Any, Any]:
        """Call the user's loss; return what it gives for the value and the gradient."""
        options = {"sample_weight": weights} if self.takes_weights else {}
        found = self._function(scores, target, **options)
        if self._backward is not None:
            return found, self._backward()
        if not isinstance(found, tuple) or len(found) != 2:
            raise ArgumentTypeError(
                f"loss {self.name}: got {validation.shown(found)}; want a pair (value, gradient)"
            )
        return found

    def check(self, value: Any, gradient: Any, scores: Any) -> tuple[float, list[Array]]:
        """Return the value as a float and the gradient of each output, as ``scores`` are given."""
        parts = (".forward", ".backward") if self._backward is not None else ("", "")
        if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "fiu":
            got = validation.shown(value)
            raise ArgumentTypeError(f"{self.name}{parts[0]}: got {got}; want a number")
        name = self.name + (parts[1] or ", gradient")
        if self._ends is None:
            return float(value), [_like(gradient, name, scores)]
        gradients = self._ends.take(gradient, name)
        return float(value), [
            _like(one, self._ends.argument(name, k), scores[end])
            for k, (end, one) in enumerate(zip(self._ends.names, gradients, strict=True))
        ]

    def evaluate(
        self, scores: list[Array], target: Any, weights: Array | None
    ) -> tuple[float, list[Array]]:
        """Return the value and the gradient of each output, both checked."""
        self.check_weights(weights)
        given = scores[0] if self._ends is None else self._ends.give(scores)
        plain = target.arrays if isinstance(target, NamedRows) else target
        return self.check(*self.call(given, plain, weights), given)

    def forward(self, scores: Any, y: Any, sample_weight: Any = None) -> float:
        rows = np.atleast_2d(scores)
        target = self.checked_target(y, len(rows), rows.shape[1], rows.dtype)
        value, (self._gradient,) = self.evaluate([rows], target, sample_weight)
        return value

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return -self.evaluate([rows], target, weights)[0]


def is_custom_loss(loss: Any) -> bool:
    """Whether an object is a function, or has forward and backward, and is no class or ``Loss``."""
    if isinstance(loss, (type, Loss)):
        return False
    both = all(callable(getattr(loss, name, None)) for name in ("forward", "backward"))
    return both or callable(loss)


def _has_parameter(function: Callable[..., Any], name: str) -> bool:
    import inspect  # late, because importing it takes time

    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of an extension module may not tell
        return False
    kinds = [one.kind for one in parameters.values()]
    return name in parameters or inspect.Parameter.VAR_KEYWORD in kinds


def _with_rows(y: Any, name: str, rows: int) -> Array:
    array = np.asarray(y)
    if array.ndim == 0 or len(array) != rows:
        raise ArgumentError(f"{name}: got shape {array.shape}; want {rows} rows")
    return array


def _like(gradient: Any, name: str, scores: Array) -> Array:
    array = validation.numeric(gradient, name)
    if array.shape != scores.shape:
        raise ArgumentError(f"{name}: got shape {array.shape}; want {scores.shape}")
    return array
