"""The linear layer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from fastmlp import _core, validation
from fastmlp.errors import ArgumentError
from fastmlp.initializers import FAMILIES, Initializer, Zeros, resolve
from fastmlp.layers.base import Layer
from fastmlp.layers.engine import Engine
from fastmlp.validation import Array

# Random streams a node owns: weights, bias, dropout mask, one spare.
_STREAMS = 4


class _Views(NamedTuple):
    """Views of a network's flat arrays of parameters and gradients."""

    W: Array
    b: Array | None
    dW: Array
    db: Array | None


class Linear(Layer):
    """Linear (affine) function of the input: ``y = x @ W + b``.

    Local gradients: ``dx = dy @ W.T``, ``dW = x.T @ dy``, ``db = dy.sum(axis=0)``.

    Parameters
    ----------
    in_features, out_features : int
        Widths of input and output, at least 1.
    bias : bool
        Whether to add ``b``.
    init, bias_init : initializer or str, optional
        First values of ``W`` and ``b``; by default what suits the activation that follows
        (He normal for the ReLU family, LeCun normal for SELU, else Xavier uniform), and zeros.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone (a network has its own); float32 by default.
    seed : int, optional
        Used while the layer is alone; drawn from the system's entropy by default.

    Attributes
    ----------
    W, dW : ndarray, shape (in_features, out_features)
        Weights and their gradient: views, so writing into ``W`` takes effect at the next call.
    b, db : ndarray, shape (out_features,), or None
        Bias and its gradient.

    Examples
    --------
    >>> import fastmlp as fm
    >>> lin = fm.Linear(2, 1)
    >>> lin.W = [[1.0], [2.0]]
    >>> lin.forward([[3.0, 4.0]]).tolist()
    [[11.0]]
    >>> lin.backward([[1.0]]).tolist()
    [[1.0, 2.0]]
    >>> lin.dW.tolist()
    [[3.0], [4.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        init: Initializer | str | None = None,
        bias_init: Initializer | str | None = None,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(dtype, seed)
        self.in_features = validation.size(in_features, "in_features")
        self.out_features = validation.size(out_features, "out_features")
        self.bias = validation.flag(bias, "bias")
        self.init = resolve(init, "init")
        self.bias_init = resolve(bias_init, "bias_init")
        self.n_parameters = self.out_features * (self.in_features + self.bias)
        self._views: _Views | None = None

    @property
    def W(self) -> Array:
        """Weights, shape (in_features, out_features)."""
        return self._parameters().W

    @W.setter
    def W(self, value: Any) -> None:
        _assign(self._parameters().W, value, "W")

    @property
    def b(self) -> Array | None:
        """Bias, shape (out_features,); None without one."""
        return self._parameters().b

    @b.setter
    def b(self, value: Any) -> None:
        target = self._parameters().b
        if target is None:
            raise ArgumentError("b: this layer has no bias; make it with bias=True")
        _assign(target, value, "b")

    @property
    def dW(self) -> Array:
        """Gradient of the loss with respect to ``W``, as the last backward left it."""
        return self._parameters().dW

    @property
    def db(self) -> Array | None:
        """Gradient of the loss with respect to ``b``; None without one."""
        return self._parameters().db

    def core_net(self) -> _core.Net:
        """Return the compiled core's network of this layer alone, for the optimizers."""
        if self._in_network():
            raise ArgumentError("net: got a layer that belongs to a network; give the network")
        return self._planned().core

    def node(self, source: int, width: int) -> _core.Node:
        return ("linear", source, self.in_features, self.out_features, 0, 0.0, 0.0, self.bias)

    def width_after(self, width: int) -> int:
        if width != self.in_features:
            raise ArgumentError(f"in_features: got {self.in_features}; want {width}")
        return self.out_features

    def join(self, network: Any, engine: Engine, index: int, seed: int, init: str) -> None:
        old = self._views
        super().join(network, engine, index, seed, init)
        self._dtype = engine.dtype
        self._views = self._views_of(engine, index)
        if old is None:
            self._initialise(self._views, seed, index, init)
        else:
            _copy(old.W, self._views.W)
            _copy(old.b, self._views.b)

    def backward(self, dy: Any, accumulate: bool = False) -> Array:
        engine = self._planned()
        if not self._in_network():
            return engine.backward(dy, accumulate)
        dx = engine.backward(dy, False)
        views, own = self._parameters(), self._views_of(engine, 0)
        _copy(own.dW, views.dW, accumulate)
        _copy(own.db, views.db, accumulate)
        return dx

    def _ready(self, x: Any) -> tuple[Any, Engine]:
        engine = self._planned()
        if self._in_network():
            # The network holds the parameters; the plan of one node works on a copy.
            views, own = self._parameters(), self._views_of(engine, 0)
            _copy(views.W, own.W)
            _copy(views.b, own.b)
        return x, engine

    def _planned(self) -> Engine:
        if self._engine is None:
            self._parameters()
        if self._engine is None:
            self._engine = self._plan()
        return self._engine

    def _plan(self) -> Engine:
        dtype = self._dtype or validation.FLOAT32
        return Engine(self.in_features, [self.node(-1, self.in_features)], dtype, self._seed or 0)

    def _in_network(self) -> bool:
        return self._network is not None

    def _parameters(self) -> _Views:
        if self._views is None:
            if self._seed is None:
                self._seed = validation.seed(None)
            self._engine = self._plan()
            self._views = self._views_of(self._engine, 0)
            self._initialise(self._views, self._seed, 0, "xavier")
        return self._views

    def _views_of(self, engine: Engine, index: int) -> _Views:
        core, shape = engine.core, (self.in_features, self.out_features)
        at_w, at_b = core.offsets[index]

        def view(flat: Array, at: int, shape: tuple[int, ...]) -> Array:
            return flat[at : at + math.prod(shape)].reshape(shape)

        b = db = None
        if self.bias:
            b, db = view(core.params, at_b, shape[1:]), view(core.grads, at_b, shape[1:])
        return _Views(view(core.params, at_w, shape), b, view(core.grads, at_w, shape), db)

    def _initialise(self, views: _Views, seed: int, index: int, init: str) -> None:
        fans = (self.in_features, self.out_features)
        chosen = self.init or FAMILIES[init]
        views.W[...] = chosen.sample(fans, fans, seed, _STREAMS * index)
        if views.b is not None:
            chosen = self.bias_init or Zeros()
            views.b[...] = chosen.sample(fans[1:], fans, seed, _STREAMS * index + 1)

    def _values(self) -> dict[str, Array]:
        if self._views is None:
            return {}
        found = {"W": self._views.W, "b": self._views.b}
        return {name: value.copy() for name, value in found.items() if value is not None}


def _assign(target: Array, value: Any, name: str) -> None:
    array = validation.real_array(value, name, target.dtype)
    if array.shape != target.shape:
        raise ArgumentError(f"{name}: got shape {array.shape}; want {target.shape}")
    target[...] = array


def _copy(source: Array | None, target: Array | None, accumulate: bool = False) -> None:
    if source is not None and target is not None:
        target[...] = target + source if accumulate else source
