"""The activation layers, one class for each row of the core's registry.

A row gives the name, the parameters with their defaults, the formula and what initialiser suits
the weights before it: adding an activation to the registry adds its class here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.layers.base import WidthlessLayer

_GELU_ROWS = {"none": "GELU", "tanh": "GELUTanh"}
_KINDS: Mapping[str, int] = {row["name"]: kind for kind, row in enumerate(_core.activations())}


class Activation(WidthlessLayer):
    """Base of the elementwise activations."""

    _kind: ClassVar[int]
    _names: ClassVar[tuple[str, ...]] = ()
    _shows_defaults = True

    def __init__(self, *values: float, dtype: Any = None, seed: int | None = None) -> None:
        super().__init__(dtype, seed)
        pairs = zip(self._names, values, strict=True)
        self._parameters = tuple(validation.real(value, name) for name, value in pairs)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> _core.Node:
        p0, p1 = (*self._parameters, 0.0, 0.0)[:2]
        return ("activation", sources, widths[0], widths[0], self._kind, p0, p1, False)


class GELU(Activation):
    """Gaussian error linear unit (Hendrycks and Gimpel, 2016): ``y = x * Phi(x)``.

    ``Phi`` is the standard normal distribution function and ``phi`` its density; local gradient
    ``Phi(x) + x * phi(x)``. Input and output have the same shape, ``(N, features)`` or
    ``(features,)``.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        ``"tanh"`` computes ``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))``.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.GELU().forward([10.0, 20.0]).tolist()
    [10.0, 20.0]
    >>> fm.GELU(approximate="tanh")
    GELU(approximate='tanh')
    """

    init_before = _core.activations()[_KINDS["GELU"]]["init"]

    def __init__(
        self, approximate: str = "none", dtype: Any = None, seed: int | None = None
    ) -> None:
        self.approximate = validation.choice(approximate, "approximate", tuple(_GELU_ROWS))
        self._kind = _KINDS[_GELU_ROWS[self.approximate]]  # type: ignore[misc]
        WidthlessLayer.__init__(self, dtype, seed)
        self._parameters = ()


_DOC = """{name} activation: ``f(z) = {formula}``, element by element.

Input and output have the same shape, ``(N, features)`` or ``(features,)``.
Local gradient, by which ``backward`` multiplies: ``f'(z) = {slope}``.

Parameters
----------
{parameters}dtype : {{"float32", "float64"}}, optional
    Used while the layer is alone; by default float64 for float64 input, else float32.

Examples
--------
>>> import fastmlp as fm
>>> act = fm.{name}()
>>> act.forward([[-1.0, 0.0, 2.0]]).shape
(1, 3)
>>> act.backward([[1.0, 1.0, 1.0]]).shape
(1, 3)
"""


def _document(row: Mapping[str, Any]) -> str:
    lines = [f"{name} : float, default {default:g}\n" for name, default in row["params"]]
    words = {name: row[name] for name in ("name", "formula", "slope")}
    return _DOC.format(**words, parameters="".join(lines))


def _constructor(row: Mapping[str, Any]) -> Any:
    """Make the ``__init__`` whose parameters and defaults are the row's."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    given = [inspect.Parameter(n, kind, default=d) for n, d in row["params"]]
    common = [inspect.Parameter(n, kind, default=None) for n in ("dtype", "seed")]
    signature = inspect.Signature([*given, *common])

    def __init__(self: Activation, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        *values, dtype, seed = bound.arguments.values()
        Activation.__init__(self, *values, dtype=dtype, seed=seed)

    me = inspect.Parameter("self", kind)
    __init__.__signature__ = inspect.Signature([me, *given, *common])  # type: ignore[attr-defined]
    return __init__


def _reader(index: int) -> property:
    # Read-only: the plan of a network that holds the layer has the value built in.
    return property(lambda self: self._parameters[index])


def _make(kind: int, row: Mapping[str, Any]) -> type[Activation]:
    names = tuple(name for name, _ in row["params"])
    body: dict[str, Any] = {name: _reader(i) for i, name in enumerate(names)}
    # The layer after Identity decides what suits the weights before it.
    body["init_before"] = None if row["name"] == "Identity" else row["init"]
    body |= {"__doc__": _document(row), "__module__": __name__, "__init__": _constructor(row)}
    return type(row["name"], (Activation,), {**body, "_names": names, "_kind": kind})


ACTIVATIONS: dict[str, type[Activation]] = {
    row["name"]: _make(kind, row)
    for kind, row in enumerate(_core.activations())
    if row["name"] not in _GELU_ROWS.values()
} | {"GELU": GELU}

globals().update(ACTIVATIONS)
