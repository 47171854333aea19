"""Initial values of weights: pure functions of the seed and the layer's position.

``fan_in`` and ``fan_out`` are the layer's numbers of inputs and outputs. The default depends on the
activation that follows the layer: He for the ReLU family, LeCun for SELU, Xavier otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array


class Initializer(Configurable):
    """Base of the initializers: ``sample`` returns the values of one parameter array."""

    def sample(
        self, shape: tuple[int, ...], fans: tuple[int, int], seed: int, stream: int
    ) -> Array:
        """Return float64 values of ``shape``; ``fans`` is ``(fan_in, fan_out)``."""
        raise NotImplementedError


class _Normal(Initializer):
    def _scale(self, fan_in: int, fan_out: int) -> float:
        raise NotImplementedError

    def sample(
        self, shape: tuple[int, ...], fans: tuple[int, int], seed: int, stream: int
    ) -> Array:
        draws = _core.random_normal(math.prod(shape), seed, stream)
        draws *= self._scale(*fans)
        return draws.reshape(shape)


class _Uniform(Initializer):
    def _scale(self, fan_in: int, fan_out: int) -> float:
        raise NotImplementedError

    def sample(
        self, shape: tuple[int, ...], fans: tuple[int, int], seed: int, stream: int
    ) -> Array:
        draws = _core.random_uniform(math.prod(shape), seed, stream)
        draws *= 2.0
        draws -= 1.0
        draws *= self._scale(*fans)
        return draws.reshape(shape)


class HeNormal(_Normal):
    """Normal values with standard deviation ``sqrt(2 / fan_in)`` (He et al., 2015).

    Examples
    --------
    >>> import fastmlp as fm
    >>> lin = fm.Linear(400, 300, init=fm.initializers.HeNormal(), seed=0)
    >>> abs(float(lin.W.std()) - (2 / 400) ** 0.5) < 1e-3
    True
    """

    def _scale(self, fan_in: int, fan_out: int) -> float:
        return math.sqrt(2.0 / fan_in)


class HeUniform(_Uniform):
    """Uniform values between plus and minus ``sqrt(6 / fan_in)`` (He et al., 2015).

    Examples
    --------
    >>> import fastmlp as fm
    >>> lin = fm.Linear(6, 30, init="he_uniform", seed=0)
    >>> float(abs(lin.W).max()) <= 1.0
    True
    """

    def _scale(self, fan_in: int, fan_out: int) -> float:
        return math.sqrt(6.0 / fan_in)


class XavierNormal(_Normal):
    """Normal, standard deviation ``sqrt(2 / (fan_in + fan_out))`` (Glorot and Bengio, 2010).

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Linear(4, 3, init="xavier_normal", seed=0).W.shape
    (4, 3)
    """

    def _scale(self, fan_in: int, fan_out: int) -> float:
        return math.sqrt(2.0 / (fan_in + fan_out))


class XavierUniform(_Uniform):
    """Uniform, plus or minus ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, 2010).

    Examples
    --------
    >>> import fastmlp as fm
    >>> lin = fm.Linear(3, 3, init="xavier_uniform", seed=0)
    >>> float(abs(lin.W).max()) <= 1.0
    True
    """

    def _scale(self, fan_in: int, fan_out: int) -> float:
        return math.sqrt(6.0 / (fan_in + fan_out))


class LeCunNormal(_Normal):
    """Normal, standard deviation ``sqrt(1 / fan_in)`` (LeCun et al., 1998); for SELU.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Linear(4, 3, init="lecun_normal", seed=0).W.shape
    (4, 3)
    """

    def _scale(self, fan_in: int, fan_out: int) -> float:
        return math.sqrt(1.0 / fan_in)


class LeCunUniform(_Uniform):
    """Uniform values between plus and minus ``sqrt(3 / fan_in)`` (LeCun et al., 1998).

    Examples
    --------
    >>> import fastmlp as fm
    >>> lin = fm.Linear(3, 30, init="lecun_uniform", seed=0)
    >>> float(abs(lin.W).max()) <= 1.0
    True
    """

    def _scale(self, fan_in: int, fan_out: int) -> float:
        return math.sqrt(3.0 / fan_in)


class Constant(Initializer):
    """One value for every element. All units of a layer then stay identical in training.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Linear(2, 2, init=fm.initializers.Constant(0.5)).W.tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """

    def __init__(self, value: float) -> None:
        self.value = validation.real(value, "value")

    def sample(
        self, shape: tuple[int, ...], fans: tuple[int, int], seed: int, stream: int
    ) -> Array:
        return np.full(shape, self.value)


class Zeros(Initializer):
    """Zeros, the default for biases.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Linear(2, 2, init="zeros").W.tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """

    def sample(
        self, shape: tuple[int, ...], fans: tuple[int, int], seed: int, stream: int
    ) -> Array:
        return np.zeros(shape)


NAMES: Mapping[str, type[Initializer]] = {
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "xavier_normal": XavierNormal,
    "xavier_uniform": XavierUniform,
    "lecun_normal": LeCunNormal,
    "lecun_uniform": LeCunUniform,
    "zeros": Zeros,
}
_CLASSES: Mapping[str, type[Initializer]] = {
    **{cls.__name__: cls for cls in NAMES.values()},
    "Constant": Constant,
}
# The registry's name for what suits an activation -> the initializer.
FAMILIES: Mapping[str, Initializer] = {
    "he": HeNormal(),
    "xavier": XavierUniform(),
    "lecun": LeCunNormal(),
}


def resolve(value: Any, name: str) -> Initializer | None:
    """Return an initializer, given itself, its name or its description; None stays None."""
    if value is None or isinstance(value, Initializer):
        return value
    if isinstance(value, str):
        return NAMES[validation.choice(value, name, tuple(NAMES))]()
    if isinstance(value, Mapping):
        arguments = dict(value)
        kind = validation.choice(arguments.pop("type", None), name, tuple(_CLASSES))
        try:
            return _CLASSES[kind](**arguments)
        except TypeError as error:
            raise ArgumentError(
                f"{name}: got {validation.shown(value)}; want a dict from describe() ({error})"
            ) from error
    raise ArgumentTypeError(
        f"{name}: got {validation.shown(value)}; want an initializer or one of {', '.join(NAMES)}"
    )
