"""The activation layers: one class for each row of ``csrc/kernels/activations.def``.

The row says which function the core computes and which initializer suits the weights before it. The
class gives the name, the signature and the documentation that editors and type checkers read. A
test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.node import Node
from fastmlp.layers.base import WidthlessLayer

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Clamp",
    "Cos",
    "Identity",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Step",
    "Tanh",
]

_GELU_ROWS = {"none": "GELU", "tanh": "GELUTanh"}
_ROWS: Mapping[str, tuple[int, Any]] = {
    row["name"]: (kind, row) for kind, row in enumerate(_core.activations())
}


class Activation(WidthlessLayer):
    """Base of the elementwise activations; a subclass is joined to its row by its name."""

    _kind: ClassVar[int]
    _parameters: tuple[float, ...] = ()
    _shows_defaults = True

    def __init_subclass__(cls) -> None:
        if cls.__name__ in _ROWS and not hasattr(cls, "_kind"):
            cls._kind, row = _ROWS[cls.__name__]
            # None: the layer after an Identity decides what suits the weights before it.
            cls.init_before = None if cls.__name__ == "Identity" else row["init"]

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        width = widths[0]
        return Node("activation", sources, width, width, self._kind, self._parameters)


class Identity(Activation):
    """Identity: ``f(z) = z``.

    Local gradient: ``f'(z) = 1``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Identity().forward([-1.0, 2.0]).tolist()
    [-1.0, 2.0]
    """


class ReLU(Activation):
    """Rectified linear unit: ``f(z) = max(z, 0)``.

    Local gradient: ``f'(z) = z > 0 ? 1 : 0``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.ReLU().forward([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """


class LeakyReLU(Activation):
    """Leaky rectified linear unit: ``f(z) = z > 0 ? z : negative_slope * z``.

    Local gradient: ``f'(z) = z > 0 ? 1 : negative_slope``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.

    Parameters
    ----------
    negative_slope : float, default 0.1
        Slope where ``z <= 0``.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.LeakyReLU(negative_slope=0.5).forward([-1.0, 2.0]).tolist()
    [-0.5, 2.0]
    """

    def __init__(
        self, negative_slope: float = 0.1, dtype: Any = None, seed: int | None = None
    ) -> None:
        super().__init__(dtype, seed)
        self._parameters = (validation.real(negative_slope, "negative_slope"),)

    @property
    def negative_slope(self) -> float:
        """Slope where ``z <= 0``. Read-only: a network that holds the layer has it built in."""
        return self._parameters[0]


class ELU(Activation):
    """Exponential linear unit: ``f(z) = z > 0 ? z : alpha * (exp(z) - 1)``.

    Local gradient: ``f'(z) = z > 0 ? 1 : alpha * exp(z)``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    Source: Clevert et al., 2016.

    Parameters
    ----------
    alpha : float, default 1
        Scale where ``z <= 0``: ``f(z)`` tends to ``-alpha``.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.ELU(dtype="float64").forward([-1.0, 2.0]).round(2).tolist()
    [-0.63, 2.0]
    """

    def __init__(self, alpha: float = 1.0, dtype: Any = None, seed: int | None = None) -> None:
        super().__init__(dtype, seed)
        self._parameters = (validation.real(alpha, "alpha"),)

    @property
    def alpha(self) -> float:
        """Scale where ``z <= 0``. Read-only: a network that holds the layer has it built in."""
        return self._parameters[0]


class SELU(Activation):
    """Scaled exponential linear unit: ``f(z) = z > 0 ? scale * z : scale * alpha * (exp(z) - 1)``.

    Local gradient: ``f'(z) = z > 0 ? scale : scale * alpha * exp(z)``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    ``scale`` is about 1.0507 and ``alpha`` about 1.6733; with them, activations tend to mean 0
    and variance 1 (Klambauer et al., 2017).

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.SELU(dtype="float64").forward([-1.0, 2.0]).round(2).tolist()
    [-1.11, 2.1]
    """


class GELU(Activation):
    """Gaussian error linear unit: ``f(z) = z * Phi(z)``.

    ``Phi`` is the distribution function of the standard normal and ``phi`` its density.
    Local gradient: ``f'(z) = Phi(z) + z * phi(z)``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    Source: Hendrycks and Gimpel, 2016.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        ``"tanh"`` computes ``0.5 z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z**3)))``.
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

    def __init__(
        self, approximate: str = "none", dtype: Any = None, seed: int | None = None
    ) -> None:
        super().__init__(dtype, seed)
        self.approximate = validation.choice(approximate, "approximate", tuple(_GELU_ROWS))
        self._kind, _ = _ROWS[_GELU_ROWS[self.approximate]]  # type: ignore[misc]


class SiLU(Activation):
    """Sigmoid linear unit, also called swish: ``f(z) = z / (1 + exp(-z))``.

    Local gradient: ``f'(z) = s * (1 + z * (1 - s)), s = 1 / (1 + exp(-z))``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    Source: Hendrycks and Gimpel, 2016.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.SiLU(dtype="float64").forward([-1.0, 2.0]).round(2).tolist()
    [-0.27, 1.76]
    """


class Mish(Activation):
    """Mish: ``f(z) = z * tanh(log(1 + exp(z)))``.

    Local gradient: ``f'(z) = t + z * s * (1 - t^2), t the tanh, s = 1 / (1 + exp(-z))``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    Source: Misra, 2019.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Mish(dtype="float64").forward([-1.0, 2.0]).round(2).tolist()
    [-0.3, 1.94]
    """


class Sigmoid(Activation):
    """Logistic sigmoid: ``f(z) = 1 / (1 + exp(-z))``.

    Local gradient: ``f'(z) = y * (1 - y), y = f(z)``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Sigmoid(dtype="float64").forward([0.0, 1.0]).round(2).tolist()
    [0.5, 0.73]
    """


class Tanh(Activation):
    """Hyperbolic tangent: ``f(z) = tanh(z)``.

    Local gradient: ``f'(z) = 1 - y^2, y = f(z)``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Tanh(dtype="float64").forward([0.0, 1.0]).round(2).tolist()
    [0.0, 0.76]
    """


class Softplus(Activation):
    """Softplus, a smooth ReLU: ``f(z) = log(1 + exp(z))``.

    Local gradient: ``f'(z) = 1 / (1 + exp(-z))``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Softplus(dtype="float64").forward([-1.0, 2.0]).round(2).tolist()
    [0.31, 2.13]
    """


class Step(Activation):
    """Step, the perceptron's threshold: ``f(z) = z > 0 ? 1 : 0``.

    Local gradient: ``f'(z) = 0``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    The gradient is 0 everywhere, so layers before a step do not learn.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Step().forward([-1.0, 2.0]).tolist()
    [0.0, 1.0]
    """


class Clamp(Activation):
    """Limits to a range: ``f(z) = z < min ? min : z > max ? max : z``.

    Local gradient: ``f'(z) = min <= z <= max ? 1 : 0``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    The gradient is 1 at both ends of the range, as that of ``torch.clamp``.

    Parameters
    ----------
    min : float, default -1
        The least output.
    max : float, default 1
        The largest output, at least ``min``.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Clamp(min=0.0, max=6.0).forward([-1.0, 2.0, 9.0]).tolist()
    [0.0, 2.0, 6.0]
    """

    def __init__(
        self, min: float = -1.0, max: float = 1.0, dtype: Any = None, seed: int | None = None
    ) -> None:
        super().__init__(dtype, seed)
        low = validation.real(min, "min")
        self._parameters = (low, validation.real(max, "max", low=low))

    @property
    def min(self) -> float:
        """The least output. Read-only: a network that holds the layer has it built in."""
        return self._parameters[0]

    @property
    def max(self) -> float:
        """The largest output. Read-only: a network that holds the layer has it built in."""
        return self._parameters[1]


class Cos(Activation):
    """Cosine: ``f(z) = cos(z)``.

    Local gradient: ``f'(z) = -sin(z)``.
    Input and output have the same shape, ``(N, features)`` or ``(features,)``.
    Exact to 1 unit in the last place for ``z`` of any size; infinity gives NaN.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Cos(dtype="float64").forward([0.0, 1.0]).round(2).tolist()
    [1.0, 0.54]
    """


ACTIVATIONS: Mapping[str, type[Activation]] = {name: globals()[name] for name in __all__}
